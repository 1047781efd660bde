"""The table of features: one file and one row a kind."""

from collections.abc import Callable
from pathlib import Path

import torch

from translate.config import near_miss
from translate.errors import ConfigError
from translate.features import weights
from translate.features.base import Features
from translate.features.files import SUFFIXES, from_file
from translate.features.patch import Patch
from translate.features.random import random_vgg

POOLINGS = ("auto", "max", "average")


def find_features(
    name_or_file: str | Path = "auto", *, pooling: str = "auto", device: torch.device | str = "cpu"
) -> Features:
    """Features by name, or of a file of weights; "auto": the first of vgg19, vgg16, squeezenet at hand, else patch.

    `pooling`: max or average; auto: average. Nothing is downloaded. Raises ConfigError, with
    the near miss, for an unknown name or pooling, CheckpointError where weights are not at hand or will not do.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"Unknown pooling {pooling!r}.{near_miss(pooling, POOLINGS)}")
    name = str(name_or_file)
    if name == "auto":
        name = next((kind for kind in weights.KINDS if weights.place(kind).is_file()), "patch")
    if name in FEATURES:
        return FEATURES[name](pooling).to(device)
    path = Path(name_or_file).expanduser()
    if path.suffix in SUFFIXES or path.exists():
        return from_file(path, pooling).to(device)
    raise ConfigError(f"Unknown features {name!r}, and no such file.{near_miss(name, ('auto', *FEATURES))}")


def _published(name: str) -> Callable[[str], Features]:
    def build(pooling: str) -> Features:
        path = weights.place(name)
        if not path.is_file():
            raise weights.missing(name)
        return from_file(path, pooling)

    return build


def _patch(pooling: str) -> Features:
    if pooling == "max":
        raise ConfigError("pooling=max: patch averages and has no other way; leave pooling at auto.")
    return Patch()


def _random(pooling: str) -> Features:
    return random_vgg(pooling=pooling)


FEATURES: dict[str, Callable[[str], Features]] = {
    "vgg19": _published("vgg19"),
    "vgg16": _published("vgg16"),
    "squeezenet": _published("squeezenet"),
    "patch": _patch,
    "random": _random,
}
"""Made with a pooling: auto, max or average."""

__all__ = ["FEATURES", "Features", "find_features"]
