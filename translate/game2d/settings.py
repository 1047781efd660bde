"""The settings of a game in the plane: those of `dcgan` and of training, with defaults that suit points."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field

from translate.config import Config, TrainingSettings, near_miss, sort_settings
from translate.errors import ConfigError
from translate.methods.noise_settings import NoiseSettings
from translate.objectives import OBJECTIVES

DEFAULTS: dict[str, Any] = {
    "network": "mlp",
    "norm": "none",
    "latent": 2,
    "width": 128,
    "width_d": 128,
    "init": "kaiming",
    "objective": "vanilla",
    "r1": 0.002,
    "penalty_every": 4,
    "learning_rate": 6e-3,
    "beta1": 0.0,
    "beta2": 0.9,
    "optimizer": "adam",
    "schedule": "cosine",
    "device": "cpu",
    "batch_size": 256,
}

OWN: dict[str, dict[str, Any]] = {
    "lsgan": {"r1": 0.005, "learning_rate": 4e-3, "beta1": 0.5},
    "wgan": {"r1": 0.0, "gradient_penalty": 0.1, "penalty_every": 1},
    "relativistic": {"r2": 0.002},
    "f_kl": {"clip": 1.0, "learning_rate": 3e-3},
    "f_reverse_kl": {"clip": 1.0, "learning_rate": 3e-3},
    "f_pearson": {"clip": 1.0, "learning_rate": 3e-3},
    "f_total_variation": {"r1": 0.0005},
    "ebgan": {"r1": 0.0, "margin": 0.1},
    "began": {"r1": 0.0, "gamma": 0.8, "k_rate": 0.5},
}
"""What single objectives need otherwise."""

FIXED = {
    "network": "points take the networks mlp",
    "preset": "presets are of networks for pictures",
    "labels": "points are labelled by the Gaussian they come from",
    "diffaugment": "points have no colours and no pixels to move",
    "size": "a point is an image of one pixel",
}
TRAINING = {"steps", "seed", "device", "precision", "compile", "schedule", "decay", "decay_start", "decay_every"}
TRAINING |= {"threads", "decay_factor", "ema", "clip", "clip_value", "deterministic", "health_every", "probe_every"}


AVERAGED = 6
"""The average of the generators looks back on this part of the run."""


class PointSettings(Config):
    """How many points a step has."""

    batch_size: int = Field(256, ge=2, le=2**16, description="Points a step.")


class Chosen(NamedTuple):
    """A game's settings, checked."""

    method: NoiseSettings
    training: TrainingSettings
    batch_size: int


def choose(asked: Mapping[str, Any], steps: int) -> Chosen:
    """Merge `asked` (flat, by name; strings are converted) over `steps` and the objective's own settings over DEFAULTS.

    Raises ConfigError, with the near miss, for unknown names, for values that will not do, and for settings that mean
    nothing to points.
    """
    for name in asked:
        if name in FIXED:
            raise ConfigError(f"Setting {name} has no meaning in the plane: {FIXED[name]}.")
        if name in TrainingSettings.model_fields and name not in TRAINING:
            raise ConfigError(f"Setting {name} has no meaning for demo2d, which keeps no run: leave it out.")
    objective = asked.get("objective", DEFAULTS["objective"])
    if objective not in OBJECTIVES:
        known = near_miss(str(objective), OBJECTIVES) or f" Known: {', '.join(OBJECTIVES)}."
        raise ConfigError(f"Unknown objective {objective!r}.{known}")
    groups: dict[str, type[Config]] = {"method": NoiseSettings, "training": TrainingSettings, "points": PointSettings}
    length = _length(asked.get("steps"), steps)
    usual = DEFAULTS | OWN.get(objective, {}) | {"steps": steps, "ema": max(0.0, 1 - AVERAGED / length)}
    sorted_asked = sort_settings(asked, groups)
    merged = {
        group: {key: value for key, value in usual.items() if key in kind.model_fields} | sorted_asked[group]
        for group, kind in groups.items()
    }
    return Chosen(
        NoiseSettings.checked(merged["method"]),
        TrainingSettings.checked(merged["training"]),
        PointSettings.checked(merged["points"]).batch_size,
    )


def _length(asked: Any, usual: int) -> int:
    """The steps of the run, as far as they can be read before they are checked."""
    try:
        return max(1, int(asked))
    except (TypeError, ValueError):
        return usual
