"""What an adversarial objective is: two players' losses as functions of the discriminator's logits."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Objective(Protocol):
    """Holds no state. Logits have any shape and are averaged; the losses are at least float32.

    `pairs` says whether `generator` needs the logits of real images too, `default_penalty` how much gradient penalty
    the objective's paper gives it.
    """

    pairs: ClassVar[bool]
    default_penalty: ClassVar[float]

    def discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Return the terms "real" and "fake" whose sum D lowers."""

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return what G lowers."""


def precise(logits: Tensor) -> Tensor:
    """Return `logits` in float32, or float64 if they are that: bfloat16 has 3 digits, too few for a mean."""
    return logits if logits.dtype == torch.float64 else logits.float()
