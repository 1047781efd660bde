"""The original objective in its non-saturating form (Goodfellow et al. 2014): cross-entropy on logits."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import precise


class Vanilla:
    """D lowers -log sigmoid(real) - log(1 - sigmoid(fake)); G lowers -log sigmoid(fake)."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        # 1 - sigmoid(x) is sigmoid(-x).
        return {"real": -F.logsigmoid(precise(real)).mean(), "fake": -F.logsigmoid(-precise(fake)).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -F.logsigmoid(precise(fake)).mean()
