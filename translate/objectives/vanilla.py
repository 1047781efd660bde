"""The original objective in its non-saturating form (Goodfellow et al. 2014): cross-entropy on logits.

The paper's section 3: G raises log D(G(z)) in place of lowering log(1 - D(G(z))), which has hardly a gradient while D
tells its images easily. `minimax` has the latter.
"""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import Targets, precise
from translate.objectives.cross_entropy import two_classes


class Vanilla:
    """D lowers -log sigmoid(real) - log(1 - sigmoid(fake)); G lowers -log sigmoid(fake)."""

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = False
    targets: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        return two_classes(real, fake, targets)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return -F.logsigmoid(precise(fake)).mean()
