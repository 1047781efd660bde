"""Fréchet distance of two sets of features taken as Gaussians (Heusel et al., NeurIPS 2017).

FID is the name of this on features of one Inception network alone, which is not here. What comes out bears the name of
the features, FD-random or FD-squeezenet, and compares with values of the same features only.
"""

import torch
from torch import Tensor

from translate.metrics.sets import checked_sets


def frechet_distance(real: Tensor, fake: Tensor) -> Tensor:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of features (M, D) and (N, D), M, N >= 2: a float64 scalar, 0 equal.

    S are covariances over count - 1. The estimate is biased: too large, and the more so the fewer pictures; compare at
    equal sizes, or take `kid`. The trace of the root is the sum of singular values of R1 R2^T, where S = R^T R comes
    from a QR decomposition of the features: no root of a matrix is taken, and covariances may be singular, as they are
    of fewer pictures than dimensions. Raises ValueError for other shapes and values that are not finite.
    """
    real, fake = checked_sets(real, fake)
    roots = [_root(features) for features in (real, fake)]
    shift = (real.mean(dim=0) - fake.mean(dim=0)).square().sum()
    spread = roots[0].square().sum() + roots[1].square().sum()
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    return (shift + spread - 2 * shared).clamp(min=0)  # rounding takes it below 0 where the sets are equal


def _root(features: Tensor) -> Tensor:
    """R (min(N, D), D) with R^T R the covariance of the features (N, D)."""
    centred = features - features.mean(dim=0)
    return torch.linalg.qr(centred / (len(features) - 1) ** 0.5, mode="r").R
