"""The hinge objective (Lim and Ye 2017; Miyato et al. 2018)."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import Targets, precise, refuse


class Hinge:
    """D lowers max(0, 1 - real) + max(0, 1 + fake); G lowers -fake."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "a hinge keeps logits beyond a margin, whatever the labels")
        return {"real": F.relu(1 - precise(real)).mean(), "fake": F.relu(1 + precise(fake)).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -precise(fake).mean()
