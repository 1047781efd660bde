"""Boundary equilibrium GAN (Berthelot, Schumm and Metz 2017): an auto-encoder as D, kept level with G by a feedback."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from translate.distributed import average
from translate.errors import ConfigError
from translate.objectives.base import Targets, precise, refuse


class BoundaryEquilibrium(nn.Module):
    """D lowers real - k fake; G lowers fake. Both are energies >= 0, and low means real.

    After each of D's turns k, a buffer that starts at 0, goes by k_rate (gamma real - fake) within [0, 1]: up while a
    fake's energy is below gamma times a real image's. It is the same in every process, and stands still under no_grad.
    `gamma` in (0, 1] trades likeness (low) for variety; `k_rate` >= 0. Raises ConfigError outside of them.
    Departure: the paper takes fake from G's turn of the same step, this the fakes that D sees.
    """

    k: Tensor
    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = True
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("gamma", "k_rate")

    def __init__(self, gamma: float = 0.5, k_rate: float = 1e-3) -> None:
        super().__init__()
        if not 0 < gamma <= 1:
            raise ConfigError(f"gamma={gamma} is outside of (0, 1]: use 0.5, or 0.7 for more variety.")
        if not k_rate >= 0:
            raise ConfigError(f"k_rate={k_rate} would drive D and G apart: use one from 0 up, such as 0.001.")
        self.gamma = gamma
        self.k_rate = k_rate
        self.register_buffer("k", torch.zeros(()))

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "an energy is an error of copying, which has no label")
        real, fake = precise(real).mean(), precise(fake).mean()
        # A copy: backward needs the k of this turn, and the buffer moves on.
        terms = {"real": real, "fake": -self.k.to(fake, copy=True) * fake}
        if torch.is_grad_enabled():
            self._move(real, fake)
        return terms

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return precise(fake).mean()

    def convergence(self, real: Tensor, fake: Tensor) -> Tensor:
        """The paper's global measure of convergence, real + |gamma real - fake|: lower is better."""
        real, fake = precise(real).mean(), precise(fake).mean()
        return real + (self.gamma * real - fake).abs()

    @torch.no_grad()
    def _move(self, real: Tensor, fake: Tensor) -> None:
        real, fake = average([real, fake])
        self.k.add_(self.k_rate * (self.gamma * real - fake)).clamp_(0, 1)
