"""What D lowers as a classifier of real and fake (Goodfellow et al. 2014); `vanilla` and `minimax` differ in G."""

from torch import Tensor
from torch.nn import functional as F

from translate.objectives.base import Targets, precise, spread


def two_classes(real: Tensor, fake: Tensor, targets: Targets | None) -> dict[str, Tensor]:
    """-log sigmoid(real) and -log(1 - sigmoid(fake)); with soft labels t, -t log sigmoid - (1 - t) log(1 - sigmoid)."""
    if targets is None:
        # 1 - sigmoid(x) is sigmoid(-x).
        return {"real": -F.logsigmoid(precise(real)).mean(), "fake": -F.logsigmoid(-precise(fake)).mean()}
    return {"real": _soft(precise(real), targets.real), "fake": _soft(precise(fake), targets.fake)}


def _soft(logits: Tensor, labels: Tensor) -> Tensor:
    label = spread(labels, logits)
    return -(label * F.logsigmoid(logits) + (1 - label) * F.logsigmoid(-logits)).mean()
