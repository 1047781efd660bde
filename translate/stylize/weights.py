"""What else a loss is made of: weights, what a painting is at one scale, what a frame should stay near."""

from typing import NamedTuple

from torch import Tensor

from translate.style import Target


class Weights(NamedTuple):
    """Of the parts of the total."""

    content: float
    strength: float
    variation: float
    temporal: float = 0.0


class Painting(NamedTuple):
    """What style is at one scale: a target for each layer, and the painting's weight."""

    targets: dict[str, Target]
    weight: float


class Steady(NamedTuple):
    """What a frame should stay near: the frame before, moved along (1, 3, h, w), and how surely, (1, 1, h, w)."""

    image: Tensor
    trust: Tensor
