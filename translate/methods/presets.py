"""Presets of the noise generators: one row each, settings by name, those of data and training among them.

paper64: Radford et al., ICLR 2016, with the widths of the authors' torch code. course28, course32: the networks of two
well-known courses, as they are taught. modern: Huang et al. 2024, "The GAN is dead; long live the GAN!", from the
paper; at its smallest scale.
"""

from collections.abc import Mapping
from typing import Any

EVERY: dict[str, Any] = {"flip": False, "preprocess": "scale_shortest", "schedule": "constant"}
"""Pictures are taken whole: their shorter side becomes size, and only what juts out is cropped at random."""

PRESETS: dict[str, dict[str, Any]] = {
    "paper64": {
        "network": "dcgan",
        "size": 64,
        "batch_size": 128,
        "latent": 100,
        "width": 64,
        "width_d": 64,
        "norm": "batch",
        "init": "normal",
        "init_gain": 0.02,
        "objective": "vanilla",
        "optimizer": "adam",
        "learning_rate": 2e-4,
        "beta1": 0.5,
    },
    "course28": {
        "network": "course28",
        "size": 28,
        "batch_size": 16,
        "latent": 100,
        "width": 64,
        "width_d": 64,
        "norm": "batch",
        "init": "xavier",
        "init_gain": 1.0,
        "objective": "vanilla",
        "optimizer": "adam",
        "learning_rate": 2e-4,
        "beta1": 0.5,
    },
    "course32": {
        "network": "course32",
        "size": 32,
        "batch_size": 20,
        "latent": 32,
        "width": 256,
        "width_d": 128,
        "norm": "none",
        "dropout": 0.4,
        "init": "xavier",
        "init_gain": 1.0,
        "objective": "vanilla",
        "optimizer": "rmsprop",
        "learning_rate": 4e-4,
        "learning_rate_d": 8e-3,
        "label_noise": 0.05,
        "clip_value": 1.0,
        "schedule": "inverse",
        "decay": 1e-8,
    },
    "modern": {
        "network": "residual",
        "size": 64,
        "batch_size": 64,
        "latent": 64,
        "width": 64,
        "width_d": 64,
        "norm": "none",
        "objective": "relativistic",
        "r1": 0.5,
        "r2": 0.5,
        "optimizer": "adam",
        "learning_rate": 2e-4,
        "beta1": 0.0,
        "beta2": 0.99,
        "ema": 0.999,
    },
}


def usual(chosen: Mapping[str, Any], default: str) -> dict[str, Any]:
    """Settings of the preset in `chosen` (flat, unchecked), or of `default`, for all groups of settings."""
    settings = EVERY | PRESETS.get(str(chosen.get("preset", default)), {})
    return settings | {"load_size": chosen.get("size", settings.get("size"))}
