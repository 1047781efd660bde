"""Least squares (Mao et al., ICCV 2017), with targets 1 for real and 0 for fake."""

from typing import ClassVar

from torch import Tensor

from translate.objectives.base import precise


class LeastSquares:
    """D lowers (real - 1)^2 + fake^2; G lowers (fake - 1)^2. Not halved, unlike in the paper."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"real": (precise(real) - 1).square().mean(), "fake": precise(fake).square().mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return (precise(fake) - 1).square().mean()
