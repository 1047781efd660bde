"""The Wasserstein objective (Arjovsky et al. 2017), by default with a gradient penalty (Gulrajani et al. 2017)."""

from typing import ClassVar

from torch import Tensor

from translate.objectives.base import Targets, precise, refuse


class Wasserstein:
    """D lowers fake - real; G lowers -fake. Without a penalty or constraint that keeps D smooth both run away."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 10.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "a Wasserstein critic gives a height, not a probability")
        return {"real": -precise(real).mean(), "fake": precise(fake).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -precise(fake).mean()
