"""The hinge objective (Lim and Ye 2017; Miyato et al. 2018)."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import precise


class Hinge:
    """D lowers max(0, 1 - real) + max(0, 1 + fake); G lowers -fake."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"real": F.relu(1 - precise(real)).mean(), "fake": F.relu(1 + precise(fake)).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -precise(fake).mean()
