"""Sliced Wasserstein-2 distance (Bonneel et al., J. Math. Imaging and Vision, 2015; Heitz et al., CVPR 2021)."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from translate.style.base import Statistic, Target, check_columns, exact, floored, full

DIRECTIONS = 64

FEW_THREADS = 2
"""Up to so many, NumPy's sorting by vector instructions in one thread is faster than torch's in all of them."""


class Sliced(Statistic):
    """The whole distribution of features, seen along random directions.

    Features are projected on 64 directions of length 1, drawn anew for each loss; along each, the squared Wasserstein-2
    distance is the mean squared difference of equal quantiles.
    """

    name: ClassVar[str] = "sliced"
    sampled: ClassVar[bool] = True

    def summary(self, columns: Tensor, weights: Tensor | None = None) -> Tensor:
        """The columns (N, C, n). Raises ValueError for weights: places are drawn by them before."""
        check_columns(columns, weights)
        if weights is not None:
            raise ValueError("the sliced distance takes no weights: draw its places by them")
        return full(columns)

    def prepare(self, target: Tensor) -> Target:
        with torch.no_grad(), exact(target):
            target = full(target.detach())
            check_columns(target, None)
            if target.shape[2] == 0:
                raise ValueError("the target has no place")
            if not bool(target.isfinite().all()):
                raise ValueError("the target's features are not finite")
            features = target.shape[1]
            size = target.square().mean(dim=2).sum(dim=1)
            deviation = target.var(dim=2, correction=0).sum(dim=1)
            return Target(target, floored(deviation, size) / features)

    def paper_loss(self, summary: Tensor, target: Tensor | Target, generator: torch.Generator | None = None) -> Tensor:
        """The mean, over directions, of the squared distances along them: (N,).

        Directions are drawn from `generator`, or torch's own, alike for all N. Where the target has m places and the
        picture n, its quantile at (i + 1/2) / n is interpolated between those at (j + 1/2) / m. `loss` is relative to
        the mean square deviation of the target's projections from their mean, on average over all directions, which is
        tr C2 / C; it counts as at least 1e-3 of their mean square, and as 1e-8 / C.
        """
        with exact(summary):
            summary = full(summary)
            goal = self.prepared(target).summary.to(summary)
            directions = _directions(summary, generator)
            with torch.no_grad():
                wanted = _quantiles(_ordered(directions @ goal), summary.shape[2])
            found = _ordered(directions @ summary)
            return (found - wanted).square().mean(dim=(1, 2))


def _directions(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """(DIRECTIONS, C), uniform on the sphere."""
    device = generator.device if generator is not None else "cpu"  # alike on all devices
    drawn = torch.randn(DIRECTIONS, like.shape[1], generator=generator, device=device).to(like.device, like.dtype)
    return drawn / drawn.norm(dim=1, keepdim=True)


def _ordered(values: Tensor) -> Tensor:
    """(..., n) sorted along n; has a gradient."""
    if values.device.type != "cpu" or torch.get_num_threads() > FEW_THREADS:
        return values.sort(dim=-1).values
    if not values.requires_grad:
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))
    return values.gather(-1, torch.from_numpy(np.argsort(values.detach().numpy(), axis=-1)))


def _quantiles(ordered: Tensor, count: int) -> Tensor:
    """Of values (..., m) in order, the quantiles at (i + 1/2) / count, linearly between those given: (..., count)."""
    given = ordered.shape[-1]
    if given == count:
        return ordered
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * (given / max(count, 1)) - 0.5).clamp(0, given - 1)
    below = places.floor().long()
    part = (places - below).to(ordered.dtype).to(ordered.device)
    below = below.to(ordered.device)
    above = (below + 1).clamp(max=given - 1)
    return torch.lerp(ordered[..., below], ordered[..., above], part)
