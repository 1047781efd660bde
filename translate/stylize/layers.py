"""Layers and their weights as a user names them: relu1_1, or relu1_1=0.5."""

from collections.abc import Mapping, Sequence

from translate.config import near_miss
from translate.errors import ConfigError
from translate.features import Features


def weighted_layers(asked: Sequence[str], usual: Mapping[str, float], features: Features) -> dict[str, float]:
    """The layers `asked` for, or the usual ones, with weights that sum to 1.

    Raises ConfigError for a layer that `features` do not have, and for weights that will not do.
    """
    chosen = dict(usual) if not asked else dict(_parsed(text, features) for text in asked)
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
