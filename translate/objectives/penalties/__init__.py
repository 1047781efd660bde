"""The table of penalties that keep a discriminator smooth: one file and one row each.

Each is a function of D, real and fake images (N, C, H, W), unweighted, in float32, or float64 if the images are that,
also under autocast. D's parameters receive its gradient, the images none. D must treat images one by one.
"""

from collections.abc import Callable

from torch import Tensor

from translate.objectives.penalties.dragan import dragan
from translate.objectives.penalties.gradient_penalty import gradient_penalty
from translate.objectives.penalties.r1 import r1
from translate.objectives.penalties.r2 import r2

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]

PENALTIES: dict[str, Penalty] = {
    "gradient_penalty": gradient_penalty,
    "dragan": dragan,
    "r1": r1,
    "r2": r2,
}

__all__ = ["PENALTIES", "Penalty", "dragan", "gradient_penalty", "r1", "r2"]
