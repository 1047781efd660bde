"""The Wasserstein objective (Arjovsky et al. 2017), by default with a gradient penalty (Gulrajani et al. 2017)."""

from typing import ClassVar

from torch import Tensor

from translate.objectives.base import precise


class Wasserstein:
    """D lowers fake - real; G lowers -fake. Without a penalty that keeps D smooth both run away."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 10.0

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"real": -precise(real).mean(), "fake": precise(fake).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -precise(fake).mean()
