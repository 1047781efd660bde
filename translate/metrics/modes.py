"""Which modes of a mixture of Gaussians are hit: the measures of toy tasks in the plane.

As in VEEGAN (Srivastava et al., NeurIPS 2017) and PacGAN (Lin et al., NeurIPS 2018): a ring of 8, a grid of 25.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from translate.metrics.sets import checked_sets, distances

WITHIN = 3.0  # deviations


class Modes(NamedTuple):
    """`covered`: modes that are hit; `quality`: share of good points; `kl`: 0 even, log(modes) all in one, in nats."""

    covered: int
    quality: float
    kl: float


def modes(points: Tensor, centres: Tensor, sigma: float, *, least: int = 1) -> Modes:
    """How `points` (N, D) lie about `centres` (K, D) of Gaussians of deviation `sigma` a coordinate.

    A point is good within 3 sigma of its nearest centre; a mode is covered if `least` good points are its own. Of the
    modes' own points, 98.9 % are good in the plane. kl: Kullback-Leibler divergence of the shares of all points, each
    given to its nearest centre, from equal shares; about (K - 1) / 2N for even ones by chance. Raises ValueError for
    other shapes, values that are not finite, a sigma not above 0, and a `least` below 1.
    """
    points, centres = checked_sets(points, centres, least=1)
    if not sigma > 0 or least < 1:
        raise ValueError(f"sigma={sigma} and least={least} will not do: above 0, and at least 1 point")
    nearest = distances(points, centres).min(dim=1)
    good = nearest.values <= WITHIN * sigma
    hits = torch.bincount(nearest.indices[good], minlength=len(centres))
    shares = torch.bincount(nearest.indices, minlength=len(centres)).double() / len(points)
    divergence = torch.special.xlogy(shares, shares * len(centres)).sum()
    return Modes(int((hits >= least).sum()), float(good.double().mean()), max(float(divergence), 0.0))
