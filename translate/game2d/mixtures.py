"""What is learned in the plane: mixtures of Gaussians, all of one weight and one deviation.

The ring of 8 and the grid of 25 of VEEGAN (Srivastava et al., NeurIPS 2017) and PacGAN (Lin et al., NeurIPS 2018),
scaled so that the centres reach to 0.8. Departure: the deviation is 0.05 of the distance between neighbours in the
grid, in the ring as large; theirs is 0.025 in the grid, for which they train many times longer.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from translate.config import near_miss
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.latent import generator_of

REACH = 0.8
SIGMA = 0.02


class Mixture(NamedTuple):
    """`centres` (K, 2) in [-REACH, REACH], `sigma` the deviation a coordinate; `steps` teach it."""

    centres: Tensor
    sigma: float
    steps: int

    def draw(self, count: int, seed: int, step: int) -> Batch:
        """Points (count, 2, 1, 1), a function of (seed, step) and the count; each is labelled by its Gaussian."""
        generator = generator_of(seed, step)
        labels = torch.randint(len(self.centres), (count,), generator=generator)
        points = self.centres[labels] + self.sigma * torch.randn(count, 2, generator=generator)
        return Batch(points[:, :, None, None], None, (f"points of step {step}",), labels)


def _ring(count: int = 8) -> Mixture:
    angles = torch.arange(count) * (2 * math.pi / count)
    return Mixture(REACH * torch.stack([angles.cos(), angles.sin()], dim=1), SIGMA, 1200)


def _grid(side: int = 5) -> Mixture:
    ticks = torch.linspace(-REACH, REACH, side)
    return Mixture(torch.cartesian_prod(ticks, ticks), SIGMA, 6000)


MIXTURES = {"ring": _ring(), "grid": _grid()}


def find_mixture(name: str) -> Mixture:
    """The row of MIXTURES; raises ConfigError with the near miss."""
    if name not in MIXTURES:
        raise ConfigError(f"Unknown data {name!r}.{near_miss(name, MIXTURES)}")
    return MIXTURES[name]
