"""The table of adversarial objectives: one file and one row each."""

from translate.objectives.base import Objective
from translate.objectives.hinge import Hinge
from translate.objectives.lsgan import LeastSquares
from translate.objectives.vanilla import Vanilla
from translate.objectives.wgan import Wasserstein

OBJECTIVES: dict[str, type[Objective]] = {
    "vanilla": Vanilla,
    "lsgan": LeastSquares,
    "hinge": Hinge,
    "wgan": Wasserstein,
}

__all__ = ["OBJECTIVES", "Objective"]
