"""f-GAN: any f-divergence as an objective (Nowozin, Cseke and Tomioka, NIPS 2016).

For a convex f with f(1) = 0 the divergence of real P from fake Q is E_Q f(p/q). With f*(t) = sup over u of u t - f(u)
it is at least E_P t - E_Q f*(t) for any function t of the image, and equal to it at t = f'(p/q). Here t = g(v), where v
are D's logits and g, of the paper's tables 2 and 6, keeps t where f* is finite and rises with v.

Departure: beyond BEND every exp(x) goes on as its tangent. The logits of the best D reach there only where one density
is e^10 times the other (Hellinger: e^20), and a single such image cannot make the losses infinite.
"""

import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import Targets, precise, refuse

BEND = 10.0


def bent_exp(x: Tensor) -> Tensor:
    """exp(x) up to BEND and its tangent from there on: convex, smooth, and finite with its gradient."""
    return torch.where(x < BEND, x.clamp(max=BEND).exp(), math.exp(BEND) * (1 + x - BEND))


class Divergence(NamedTuple):
    """`output` is g(v), by which D sees real images and G its own; `conjugate` is f*(g(v)), simplified to be stable."""

    output: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]


LOG2 = math.log(2)
DIVERGENCES: dict[str, Divergence] = {
    # f(u) = u log u; f*(t) = exp(t - 1)
    "kl": Divergence(lambda v: v, lambda v: bent_exp(v - 1)),
    # f(u) = -log u; f*(t) = -1 - log(-t)
    "reverse_kl": Divergence(lambda v: -bent_exp(-v), lambda v: v - 1),
    # f(u) = u log u - (u + 1) log((u + 1) / 2), twice the usual Jensen-Shannon; f*(t) = -log(2 - exp(t))
    "js": Divergence(lambda v: LOG2 - F.softplus(-v), lambda v: F.softplus(v) - LOG2),
    # f(u) = (u - 1)^2, for negative u, too; f*(t) = t^2 / 4 + t, which has its least value at t = f'(0) = -2
    "pearson": Divergence(lambda v: v, lambda v: v.square() / 4 + v),
    # f(u) = (sqrt(u) - 1)^2; f*(t) = t / (1 - t)
    "hellinger": Divergence(lambda v: 1 - bent_exp(-v), lambda v: bent_exp(v) - 1),
    # f(u) = |u - 1| / 2; f*(t) = t
    "total_variation": Divergence(lambda v: torch.tanh(v) / 2, lambda v: torch.tanh(v) / 2),
}


class FGan:
    """D lowers -g(real) + f*(g(fake)); G lowers -g(fake), by which it does not saturate.

    G's is the paper's practical variant (section 3.2), not the zero-sum game, in which it would lower -f*(g(fake)).
    A row of the table of objectives is one `divergence` of this.
    """

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()
    divergence: ClassVar[Divergence]

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "it estimates a divergence of two distributions, which has no labels")
        return {
            "real": -self.divergence.output(precise(real)).mean(),
            "fake": self.divergence.conjugate(precise(fake)).mean(),
        }

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -self.divergence.output(precise(fake)).mean()


class KullbackLeibler(FGan):
    """Of real from fake: dear where real images have no fakes near them."""

    divergence = DIVERGENCES["kl"]


class ReverseKullbackLeibler(FGan):
    """Of fake from real: dear where fakes have no real images near them."""

    divergence = DIVERGENCES["reverse_kl"]


class JensenShannon(FGan):
    """The divergence that `vanilla` lowers, too, from another offset: D's gradients are the same."""

    divergence = DIVERGENCES["js"]


class Pearson(FGan):
    """Pearson's chi squared."""

    divergence = DIVERGENCES["pearson"]


class SquaredHellinger(FGan):
    """The squared Hellinger distance, twice what some call it: between 0 and 2."""

    divergence = DIVERGENCES["hellinger"]


class TotalVariation(FGan):
    """Half the L1 distance of the densities: D answers yes or no, and its gradient fades where it is sure."""

    divergence = DIVERGENCES["total_variation"]
