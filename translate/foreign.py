"""Reads the networks that pytorch-CycleGAN-and-pix2pix saves: bare state dicts, as tensors only.

Such a file says nothing of the network it belongs to. Keys and shapes tell all of it but a U-Net's dropout, which
leaves no trace there (in a ResNet it shifts `conv_block.5` to `.6`) and plays no part in use.
"""

import pickle
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from translate import networks
from translate.errors import CheckpointError, ConfigError

_LISTED = 12


@dataclass(frozen=True)
class Foreign:
    """A foreign network in our terms: `networks.build(name, arguments)` takes `state`.

    `notes` are sentences on what the file could not tell.
    """

    kind: Literal["generator", "discriminator"]
    name: str
    arguments: dict[str, Any]
    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def load_foreign(path: Path) -> nn.Module:
    """Return the network in `path` with its weights, in evaluation mode; raises CheckpointError (see read_foreign)."""
    foreign = read_foreign(path)
    network = networks.build(foreign.name, foreign.arguments)
    network.load_state_dict(foreign.state)
    return network.eval()


def read_foreign(path: Path) -> Foreign:
    """Read the state dict in `path`, tell its architecture, and rename its tensors, as float32, to our keys.

    Raises CheckpointError for a file that is missing, damaged, not a state dict, or holds anything that could run code;
    for a network of another kind; and for tensors that are left over, lacking or of the wrong shape, listed.
    """
    theirs = _without_legacy(_without_prefix(_load(path)))
    recognise = next((fits for mark, fits in _ARCHITECTURES.items() if mark in theirs), None)
    if recognise is None:
        raise CheckpointError(
            f"{path} holds no U-Net, ResNet, PatchGAN or pixel discriminator of pytorch-CycleGAN-and-pix2pix; "
            f"its tensors are {_listing(theirs)}."
        )
    try:
        name, arguments, modules = recognise(theirs)
        with torch.device("meta"):
            wanted = networks.build(name, arguments).state_dict()
    except (_StrangeError, ConfigError) as error:
        raise CheckpointError(f"{path} looks like a network that this reader does not know: {error}") from None
    renamed = {ours: f"{modules[ours.rpartition('.')[0]]}.{ours.rpartition('.')[2]}" for ours in wanted}
    _complete_counters(theirs, renamed.values())
    _compare(path, name, theirs, {renamed[ours]: tensor for ours, tensor in wanted.items()})
    state = {ours: _copied(path, key, theirs[key]) for ours, key in renamed.items()}
    kind: Literal["generator", "discriminator"] = "generator" if name in networks.GENERATORS else "discriminator"
    return Foreign(kind, name, arguments, state, _notes(name, arguments))


class _StrangeError(Exception):
    """Keys that begin like a known network but do not go on like it."""


def _load(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file." if path.exists() else f"There is no file {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of TorchScript archives, which it then refuses by itself
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from None
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"Cannot read {path}: {error or type(error).__name__}") from error
    except Exception as error:  # garbage makes torch fail in any way at all
        raise CheckpointError(f"{path} is damaged or not a file that torch saved.") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path} holds a {type(loaded).__name__}, not a state dict (net.state_dict()).")
    strange = [key for key, value in loaded.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if strange or not loaded:
        what = f"under {_listing(strange)} it holds no tensors" if strange else "it is empty"
        raise CheckpointError(f"{path} is not a bare state dict: {what}. Save net.state_dict() alone.")
    return loaded


def _refusal(path: Path, error: Exception) -> str:
    # torch says "Unsupported global: GLOBAL a.b ..." or "... unsupported GLOBAL a.b whose module a is blocked".
    asked = re.search(r"\bGLOBAL ([\w.]+)", str(error))
    if asked:
        return (
            f"{path} is refused: it asks to load {asked[1]}, and code in a file of weights could do anything. "
            f"Save net.state_dict() alone."
        )
    return f"{path} is damaged, or holds more than the tensors of a state dict; it was not loaded."


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Drop the "module." that DataParallel puts before every key."""
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}


def _without_legacy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the statistics of instance norms that very old versions saved and never used: those without a weight."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return {
        key: tensor
        for key, tensor in state.items()
        if not (key.endswith(statistics) and key.rpartition(".")[0] + ".weight" not in state)
    }


def _complete_counters(theirs: dict[str, Tensor], wanted: Iterable[str]) -> None:
    """Give the BatchNorms of files older than torch 0.4.1 the counter they lack, which nothing of ours reads."""
    for key in wanted:
        if key.endswith(".num_batches_tracked"):
            theirs.setdefault(key, torch.tensor(0))


def _compare(path: Path, name: str, theirs: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    trouble = {
        "left over": [key for key in theirs if key not in wanted],
        "lacking": [key for key in wanted if key not in theirs],
        "of the wrong shape": [
            f"{key} {tuple(theirs[key].shape)} instead of {tuple(tensor.shape)}"
            for key, tensor in wanted.items()
            if key in theirs and theirs[key].shape != tensor.shape
        ],
    }
    said = [f"{what}: {_listing(keys)}" for what, keys in trouble.items() if keys]
    if said:
        raise CheckpointError(f"{path} looks like a {name}, but tensors do not fit. " + ". ".join(said) + ".")


def _copied(path: Path, key: str, tensor: Tensor) -> Tensor:
    if key.endswith(".num_batches_tracked"):
        return tensor.to(torch.int64, copy=True)
    copied = tensor.to(torch.float32, copy=True).contiguous()
    if not (tensor.is_floating_point() and copied.isfinite().all()):
        raise CheckpointError(f"{path} is damaged: {key} holds values that are no finite numbers.")
    return copied


def _listing(keys: Iterable[Any]) -> str:
    keys = [str(key) for key in keys]
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(keys[:_LISTED]) + more


def _notes(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    notes = []
    if name == "unet":
        notes.append(
            "The file does not tell whether the U-Net has dropout: taken as 0, which matters to training only."
        )
    if name in networks.GENERATORS and arguments["norm"] == "batch":
        notes.append(
            "Upstream's test script normalises each image by its own statistics unless told --eval; "
            "this network uses the running statistics of its BatchNorms."
        )
    return tuple(notes)


# Each recogniser returns the network's name, its arguments, and for each of our modules the foreign one.
_Recognised = tuple[str, dict[str, Any], dict[str, str]]


def _unet(state: Mapping[str, Tensor]) -> _Recognised:
    # A level is [relu, down, norm, level below, relu, up, norm, dropout], the innermost [relu, down, relu, up, norm],
    # the outermost [down, level below, relu, up, tanh].
    levels = ["model.model.1.model"]
    while f"{levels[-1]}.3.model.1.weight" in state:
        levels.append(f"{levels[-1]}.3.model")
    depth = len(levels) + 1
    modules = {"downs.0.conv": "model.model.0", "head": "model.model.3"}
    for level, prefix in enumerate(levels, 1):
        innermost = level == depth - 1
        modules[f"downs.{level}.conv"] = f"{prefix}.1"
        modules[f"downs.{level}.norm"] = f"{prefix}.2"
        modules[f"ups.{depth - 1 - level}.conv"] = f"{prefix}.{3 if innermost else 5}"
        modules[f"ups.{depth - 1 - level}.norm"] = f"{prefix}.{4 if innermost else 6}"
    first = _conv(state, "model.model.0")
    arguments = {
        "in_channels": first.shape[1],
        "out_channels": _conv(state, "model.model.3").shape[1],
        "width": first.shape[0],
        "depth": depth,
        "norm": _norm(state, "model.model.1.model.1", "model.model.1.model.6"),
        "dropout": 0.0,
        "max_width": max(_conv(state, f"{prefix}.1").shape[0] for prefix in levels),
    }
    if depth < 5:  # so few levels may not reach the cap
        arguments["max_width"] = 8 * first.shape[0]
    return "unet", arguments, modules


def _resnet(state: Mapping[str, Tensor]) -> _Recognised:
    # [pad, 7x7, norm, relu], then [conv, norm, relu] a halving, one module a block, [conv, norm, relu] a doubling,
    # [pad, 7x7, tanh]; a block is [pad, conv, norm, relu, (dropout), pad, conv, norm].
    halvings = next(n for n in count() if _shape(state, f"model.{4 + 3 * n}.weight") is None)
    start = 4 + 3 * halvings
    blocks = next(n for n in count() if f"model.{start + n}.conv_block.1.weight" not in state)
    if not blocks:
        # Without blocks, halvings and doublings look alike.
        raise _StrangeError(f"it has no residual block at model.{start}. Its tensors are {_listing(state)}.")
    dropout = _shape(state, f"model.{start}.conv_block.6.weight", 4) is not None
    second = 6 if dropout else 5
    modules = {"stem.conv.conv": "model.1", "stem.norm": "model.2"}
    for n in range(halvings):
        modules |= {f"downs.{n}.conv": f"model.{4 + 3 * n}", f"downs.{n}.norm": f"model.{5 + 3 * n}"}
    for n in range(blocks):
        inside = f"model.{start + n}.conv_block"
        modules |= {f"blocks.{n}.conv1.conv": f"{inside}.1", f"blocks.{n}.norm1": f"{inside}.2"}
        modules |= {f"blocks.{n}.conv2.conv": f"{inside}.{second}", f"blocks.{n}.norm2": f"{inside}.{second + 1}"}
    after = start + blocks
    for n in range(halvings):
        modules |= {f"ups.{n}.conv": f"model.{after + 3 * n}", f"ups.{n}.norm": f"model.{after + 3 * n + 1}"}
    head = f"model.{after + 3 * halvings + 1}"
    modules["head.conv"] = head
    first = _conv(state, "model.1")
    arguments = {
        "in_channels": first.shape[1],
        "out_channels": _conv(state, head).shape[0],
        "width": first.shape[0],
        "blocks": blocks,
        "norm": _norm(state, "model.1", "model.2"),
        "dropout": 0.5 if dropout else 0.0,
        "downsamplings": halvings,
    }
    return "resnet", arguments, modules


def _patchgan(state: Mapping[str, Tensor]) -> _Recognised:
    # [conv, leaky relu], then [conv, norm, leaky relu] a layer, then a convolution to one channel.
    layers = next(n for n in count() if _shape(state, f"model.{2 + 3 * n}.weight") is None) - 1
    modules = {"stem": "model.0", "head": f"model.{2 + 3 * layers}"}
    for n in range(layers):
        modules |= {f"convs.{n}": f"model.{2 + 3 * n}", f"norms.{n}": f"model.{3 + 3 * n}"}
    first = _conv(state, "model.0")
    arguments = {
        "in_channels": first.shape[1],
        "width": first.shape[0],
        "layers": layers,
        "norm": _norm(state, "model.2", "model.3"),
    }
    return "patchgan", arguments, modules


def _pixel(state: Mapping[str, Tensor]) -> _Recognised:
    first = _conv(state, "net.0")
    modules = {"stem": "net.0", "conv": "net.2", "norm": "net.3", "head": "net.5"}
    arguments = {"in_channels": first.shape[1], "width": first.shape[0], "norm": _norm(state, "net.2", "net.3")}
    return "pixel", arguments, modules


# By a key that this architecture has and those after it in the table may have too.
_ARCHITECTURES: dict[str, Callable[[Mapping[str, Tensor]], _Recognised]] = {
    "model.model.0.weight": _unet,
    "model.1.weight": _resnet,
    "model.0.weight": _patchgan,
    "net.0.weight": _pixel,
}


def _norm(state: Mapping[str, Tensor], conv: str, norm: str) -> str:
    if f"{norm}.weight" in state:
        return "batch"
    return "instance" if f"{conv}.bias" in state else "none"


def _conv(state: Mapping[str, Tensor], module: str) -> Tensor:
    if _shape(state, f"{module}.weight", 4) is None:
        raise _StrangeError(f"it has no convolution at {module}. Its tensors are {_listing(state)}.")
    return state[f"{module}.weight"]


def _shape(state: Mapping[str, Tensor], key: str, dimensions: int = 4) -> torch.Size | None:
    """Shape of `key` if it is there with that many dimensions."""
    return state[key].shape if key in state and state[key].dim() == dimensions else None
