"""The table of adversarial objectives: one file and one row each, and a row for each divergence of `fgan`."""

from translate.objectives.base import Objective, Targets
from translate.objectives.began import BoundaryEquilibrium
from translate.objectives.ebgan import EnergyBased
from translate.objectives.fgan import (
    JensenShannon,
    KullbackLeibler,
    Pearson,
    ReverseKullbackLeibler,
    SquaredHellinger,
    TotalVariation,
)
from translate.objectives.hinge import Hinge
from translate.objectives.lsgan import LeastSquares
from translate.objectives.minimax import Minimax
from translate.objectives.relativistic import Relativistic
from translate.objectives.vanilla import Vanilla
from translate.objectives.wgan import Wasserstein

OBJECTIVES: dict[str, type[Objective]] = {
    "vanilla": Vanilla,
    "minimax": Minimax,
    "lsgan": LeastSquares,
    "hinge": Hinge,
    "wgan": Wasserstein,
    "relativistic": Relativistic,
    "f_kl": KullbackLeibler,
    "f_reverse_kl": ReverseKullbackLeibler,
    "f_js": JensenShannon,
    "f_pearson": Pearson,
    "f_hellinger": SquaredHellinger,
    "f_total_variation": TotalVariation,
    "ebgan": EnergyBased,
    "began": BoundaryEquilibrium,
}

__all__ = ["OBJECTIVES", "Objective", "Targets"]
