"""Features from a file of weights, .safetensors or .pth, whose keys say what network it is."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file
from torch import Tensor

from translate.errors import CheckpointError
from translate.features.base import Features
from translate.features.squeezenet import SqueezeNet
from translate.features.vgg import distilled_vgg, normalised_vgg, places, torchvision_vgg

State = dict[str, Tensor]
SUFFIXES = (".safetensors", ".pth", ".pt")
TAKEN = (
    "torchvision's vgg19, vgg16 or squeezenet1_1, with or without classifier; VGG-19 as encoder.conv1_1 ... with "
    "preproc; VGG-19 as enc5.conv11 ... with conv0"
)


def from_file(path: Path, pooling: str = "auto") -> Features:
    """The features whose weights `path` holds; raises CheckpointError if it cannot be read or is of no known kind.

    A layout of torchvision's is taken to expect torchvision's input (RGB, ImageNet's mean and deviation).
    """
    state = _read(path)
    try:
        features = _build(state, path.name, pooling)
        if features is not None:
            least = features.minimum(features.layers)
            with torch.no_grad():
                features(torch.zeros(1, 3, least, least), features.layers)
            return features
    except (KeyError, RuntimeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise CheckpointError(f"{path} is not whole: it begins as weights of features, but {reason}.") from error
    some = [f"{key} {tuple(value.shape)}" for key, value in state.items()]
    found = f"{len(some)} tensors: {', '.join(some[:4])}{' and others' if some[4:] else ''}" if some else "no tensors"
    raise CheckpointError(f"{path} holds no weights of features but {found}. What would do: {TAKEN}.")


def _build(state: State, about: str, pooling: str) -> Features | None:
    """The features that the keys of `state` tell, if they are known."""
    if {"encoder.conv1_1.weight", "preproc.weight"} <= state.keys():
        return normalised_vgg(state, about, pooling)
    if any(re.match(r"enc\d\.conv0\.weight$", key) for key in state):
        return distilled_vgg(state, about, pooling)
    own = _without_prefix(state)
    if own.keys() >= {"3.squeeze.weight", "6.squeeze.weight"}:  # squeezenet1_0 has a pool at 6
        return SqueezeNet(own, about, pooling)
    indices = {int(key.partition(".")[0]) for key in own if re.match(r"\d+\.weight$", key)}
    for name in ("vgg19", "vgg16"):
        first = indices and indices == set(list(places(name).values())[: len(indices)])
        if first and own["0.weight"].shape == (64, 3, 3, 3):
            return torchvision_vgg(name, own, about, pooling)
    return None


def _without_prefix(state: State) -> State:
    """The part called `features`, or the whole where no part is called so."""
    part = {key.removeprefix("features."): value for key, value in state.items() if key.startswith("features.")}
    return part or state


def _read(path: Path) -> State:
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file." if path.exists() else f"There is no file of weights {path}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of TorchScript archives, which it then refuses by itself
            state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise CheckpointError(
            f"{path} is damaged, or holds more than the tensors of a state dict; it was not loaded."
        ) from error
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"Cannot read the weights {path}: {error or type(error).__name__}") from error
    except Exception as error:  # garbage makes torch fail in any way at all
        raise CheckpointError(f"{path} is damaged, or no file of weights that torch or safetensors saved.") from error
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path} holds a {type(state).__name__}, not weights by name. What would do: {TAKEN}.")
    return {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, Tensor)}
