"""The original objective as a zero-sum game (Goodfellow et al. 2014, equation 1): cross-entropy on logits."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import Targets, precise
from translate.objectives.cross_entropy import two_classes


class Minimax:
    """D lowers -log sigmoid(real) - log(1 - sigmoid(fake)); G lowers log(1 - sigmoid(fake)).

    G's gradient fades where D is sure of its images; `vanilla` is the same game without that.
    """

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        return two_classes(real, fake, targets)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return F.logsigmoid(-precise(fake)).mean()
