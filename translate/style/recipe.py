"""Which features of painting and picture are compared, and how: by an optimisation, or a network that learns it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from translate.config import near_miss
from translate.errors import ConfigError
from translate.features import Features
from translate.style.base import Statistic


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


def make_recipe(
    features: Features, statistic: Statistic, style_layers: Sequence[str], content_layers: Sequence[str]
) -> Recipe:
    """With the layers asked for, as relu1_1 or relu1_1=0.5, or the usual ones where there are none.

    Without layers of content, content is the picture's steps of light. Raises ConfigError for a layer that `features`
    do not have, and for weights that will not do.
    """
    light = features.usual_content == "gradient" and not content_layers
    return Recipe(
        features,
        statistic,
        weighted_layers(style_layers, features.style_layers, features),
        {} if light else weighted_layers(content_layers, features.content_layers, features),
    )


def weighted_layers(asked: Sequence[str], usual: Mapping[str, float], features: Features) -> dict[str, float]:
    """The layers `asked` for, or the usual ones, with weights that sum to 1.

    Raises ConfigError for a layer that `features` do not have, and for weights that will not do.
    """
    named = [_parsed(text, features) for text in asked]
    chosen = dict(named) if asked else dict(usual)
    if asked and len(chosen) < len(named):
        raise ConfigError(f"A layer is named twice: {', '.join(asked)}.")
    total = sum(chosen.values())
    if total <= 0:
        raise ConfigError(f"The weights of the layers {', '.join(chosen)} are all 0.")
    return {name: weight / total for name, weight in chosen.items() if weight}


def _parsed(text: str, features: Features) -> tuple[str, float]:
    name, _, weight = text.partition("=")
    if name not in features.layers:
        known = "" if len(features.layers) <= 12 else f" Known: {' '.join(features.layers)}."
        raise ConfigError(f"{features.name} has no layer {name!r}.{near_miss(name, features.layers) or known}")
    try:
        value = float(weight or 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"Layer {text!r}: a weight is a number from 0 on, as in {name}=0.5.")
    return name, value
