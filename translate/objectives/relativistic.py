"""Relativistic pairing (RpGAN: Jolicoeur-Martineau, ICLR 2019; Huang et al. 2024, who add R1 and R2).

D says how much more real one image looks than another. Huang et al. show that with the zero-centred penalties `r1` and
`r2`, and not without, the game converges near its solution.
"""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.objectives.base import Targets, precise, refuse


class Relativistic:
    """D lowers -log sigmoid(real - fake); G lowers -log sigmoid(fake - real).

    The k-th real image is set beside the k-th fake one. Raises ConfigError if there are not as many logits of
    one as of the other.
    """

    pairs: ClassVar[bool] = True
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "it tells which of two images is the real one, not whether one is")
        return {"pairs": F.softplus(-_lead(real, fake)).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        if real is None:
            raise ConfigError("The relativistic objective needs D's logits of real images in G's turn, too.")
        return F.softplus(_lead(real, fake)).mean()


def _lead(real: Tensor, fake: Tensor) -> Tensor:
    """By how much each real logit is above the fake one beside it."""
    if real.shape != fake.shape:
        raise ConfigError(
            "The relativistic objective sets each real image beside a fake one, but D's logits are "
            f"{tuple(real.shape)} for real and {tuple(fake.shape)} for fake: use as many of each, of one size, "
            "or another objective."
        )
    return precise(real) - precise(fake)
