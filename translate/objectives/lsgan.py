"""Least squares (Mao et al., ICCV 2017), with targets 1 for real and 0 for fake."""

from typing import ClassVar

from torch import Tensor

from translate.objectives.base import Targets, precise, spread


class LeastSquares:
    """D lowers (real - 1)^2 + fake^2, G (fake - 1)^2; soft labels take the place of D's 1 and 0.

    Not halved, unlike in the paper.
    """

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        real, fake = precise(real), precise(fake)
        if targets is None:
            return {"real": (real - 1).square().mean(), "fake": fake.square().mean()}
        return {
            "real": (real - spread(targets.real, real)).square().mean(),
            "fake": (fake - spread(targets.fake, fake)).square().mean(),
        }

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return (precise(fake) - 1).square().mean()
