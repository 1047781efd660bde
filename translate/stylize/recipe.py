"""What a picture is compared with, and how much each thing weighs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from translate.features import Features
from translate.style import Statistic, Target


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


@dataclass(frozen=True)
class Recipe:
    """Which features are compared, and how. Weights of layers sum to 1."""

    features: Features
    statistic: Statistic
    style_layers: Mapping[str, float]
    content_layers: Mapping[str, float]

    @property
    def drawn(self) -> bool:
        """Whether a sample of places stands for all of them."""
        return self.statistic.sampled or self.features.sampled

    def fitting(self, height: int, width: int) -> "Recipe":
        """The same without layers that have no place in so small a picture."""
        kept = []
        for layers in (self.style_layers, self.content_layers):
            fit = {name: w for name, w in layers.items() if min(height, width) >= self.features.minimum([name])}
            total = sum(fit.values()) or 1.0
            kept.append({name: weight / total for name, weight in fit.items()})
        return Recipe(self.features, self.statistic, *kept)

    @property
    def layers(self) -> list[str]:
        return [name for name in self.features.layers if name in {*self.style_layers, *self.content_layers}]
