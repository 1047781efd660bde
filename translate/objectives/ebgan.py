"""Energy-based GAN (Zhao, Mathieu and LeCun, ICLR 2017): D is an auto-encoder, its energy how badly it copies an image.

Without the paper's optional pulling-away term.
"""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.objectives.base import Targets, precise, refuse


class EnergyBased:
    """D lowers real + max(0, margin - fake); G lowers fake. Both are energies >= 0, and low means real.

    D leaves a fake alone once its energy is above the margin, which must lie within the energies' reach, or D never
    rests. The default is for energies that are mean squared errors of values in [-1, 1]: an auto-encoder that copies
    nothing and answers mid grey has 1/3 where values are spread evenly, so that 0.3 asks of D to copy next to nothing
    of a fake, but not to answer its opposite. (The paper's 10 to 80 are for energies of another scale.)
    Raises ConfigError if the margin is not above 0.
    """

    pairs: ClassVar[bool] = False
    default_penalty: ClassVar[float] = 0.0
    energy: ClassVar[bool] = True
    targets: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("margin",)

    def __init__(self, margin: float = 0.3) -> None:
        if not margin > 0:
            raise ConfigError(f"margin={margin} leaves D nothing to push away: use one above 0, such as 0.3.")
        self.margin = margin

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        refuse(targets, "an energy is an error of copying, which has no label")
        return {"real": precise(real).mean(), "fake": F.relu(self.margin - precise(fake)).mean()}

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        return precise(fake).mean()
