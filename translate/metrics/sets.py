"""What every measure of two sets asks of them."""

import torch
from torch import Tensor


def checked_sets(real: Tensor, fake: Tensor, least: int = 2) -> tuple[Tensor, Tensor]:
    """Return both in float64; raises ValueError unless they are finite, (M, D) and (N, D), and M, N >= least."""
    if real.dim() != 2 or fake.dim() != 2 or real.shape[1] != fake.shape[1] or min(len(real), len(fake)) < least:
        raise ValueError(
            f"two sets (N, D) of at least {least} features of one length are needed, not {real.shape} and {fake.shape}"
        )
    for name, features in (("first", real), ("second", fake)):
        if not features.isfinite().all():
            raise ValueError(f"the {name} set holds features that are not finite: nothing can be said of it")
    return real.double(), fake.double()


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances of every row of x (M, D) from every row of y (N, D): (M, N), exactly 0 for equal rows."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
