"""The zero-centred gradient penalty R1 (Mescheder, Geiger and Nowozin, ICML 2018)."""

from collections.abc import Callable

from torch import Tensor

from translate.objectives.penalties.slopes import slopes, squared


def r1(discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Half the mean over images of |gradient of D's summed logits by the image|^2 at `real` (N, C, H, W).

    `fake` is not looked at. The paper's weight, its gamma, is 10.
    """
    return squared(slopes(discriminate, real))
