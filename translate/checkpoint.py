"""Run folders and the files in them: what a Translator loads, what a resumed run loads.

model.safetensors    networks that translate, and in the metadata all that it takes to use them alone
best.safetensors     the same, at the best validation
last.pt              everything a resumed run needs; tensors and plain values only, loads with weights_only=True
healthy.pt           the same, at the last checkpoint after which training stayed healthy; with --on-trouble act
candidate.pt         the same, at a checkpoint that may become that
config.json          every setting, readable without the code
"""

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn

from translate import files, networks, shipped
from translate.config import Role
from translate.errors import CheckpointError, TranslateError

MODEL, BEST, LAST, CONFIG = "model.safetensors", "best.safetensors", "last.pt", "config.json"
HEALTHY, CANDIDATE = "healthy.pt", "candidate.pt"
FORMAT = 1


@dataclass(frozen=True)
class About:
    """What a model file says of itself. Values are in [-1, 1]; `channels` are those of domains A and B.

    Of a generator from noise: `direction` is "noise", `labels` are the names of its classes, `noise` and `spherical`
    say what to draw, as in translate.latent.
    """

    mode: str
    direction: Role
    channels: tuple[int, int]
    size: int
    statistics: Literal["running", "image"] = "running"
    step: int = 0
    data: str = ""
    licence: str = ""
    origin: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    version: str = ""
    labels: tuple[str, ...] = ()
    noise: str = ""
    spherical: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))  # JSON has lists only


@dataclass(frozen=True)
class Model:
    """Generators by direction, in evaluation mode on the CPU, and what the file says of them."""

    networks: dict[Role, nn.Module]
    about: About


def save_model(path: Path, generators: Mapping[Role, nn.Module], about: About, *, half: bool = False) -> None:
    """Write a self-sufficient model file, whole or not at all; `half`: weights of layers in half precision."""
    tensors = {
        f"{direction}.{name}": (tensor.half() if half and tensor.ndim > 1 else tensor).detach().cpu().contiguous()
        for direction, network in generators.items()
        for name, tensor in network.state_dict().items()
    }
    described = {
        direction: {"network": networks.name_of(network), "arguments": network.arguments}
        for direction, network in generators.items()
    }
    header = {"format": FORMAT, "generators": described, "range": [-1, 1], **asdict(about)}
    files.write_bytes(path, to_safetensors(tensors, {"translate": json.dumps(header)}))


def read_header(path: Path) -> dict[str, Any]:
    """Return the JSON header of the model file `path`; raises CheckpointError if it is none."""
    try:
        path.open("rb").close()  # safetensors says of every file that it cannot open that it is not there
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a model file, or is damaged: {error}.") from None
    if "translate" not in metadata:
        raise CheckpointError(f"{path} is a safetensors file of something else: it does not say what it translates.")
    try:
        header = json.loads(metadata["translate"])
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: its header is no JSON ({error}).") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else None
        raise CheckpointError(f"{path} has format {found}; this version reads {FORMAT}. Update translate.")
    return header


def load_model(path: Path) -> Model:
    """Load a model file; no setting of the training is needed. Raises CheckpointError."""
    header = read_header(path)
    try:
        # What a field lacks that a file of an earlier version does not have is its default.
        about = About(**{name: header[name] for name in About.__dataclass_fields__ if name in header})
        described = header["generators"]
        with torch.device("meta"):  # initial weights would be drawn only to be thrown away
            generators: dict[Role, nn.Module] = {
                direction: networks.build(item["network"], item["arguments"]) for direction, item in described.items()
            }
        if (
            about.statistics not in ("image", "running")
            or len(about.channels) != 2
            or about.direction not in generators
        ):
            raise CheckpointError("its header contradicts itself")
    except (KeyError, TypeError, ValueError, AttributeError, TranslateError) as error:
        raise CheckpointError(f"{path} is damaged, or from a newer version: {error}.") from None
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        tensors = {name: file.get_tensor(name) for name in names}
        tensors = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    for direction, network in generators.items():
        start = f"{direction}."
        state = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        try:
            network.load_state_dict(state, assign=True)
        except RuntimeError as error:
            said = "; ".join(str(error).rstrip(". ").splitlines()[:2])
            raise CheckpointError(f"{path} is damaged, or was made by another version of translate: {said}.") from None
        network.eval()
    return Model(generators, about)


def find_model(path: Path) -> Path:
    """The model file that `path` stands for: a run folder, a file, a model that comes along; raises CheckpointError."""
    if path.is_dir():
        if (path / MODEL).is_file():
            return path / MODEL
        raise CheckpointError(f"{path} holds no {MODEL}: not a run folder, or a run that has not saved yet.")
    if not path.exists() and str(path) in shipped.NAMES:
        return shipped.find(str(path)) / MODEL
    if not path.exists():
        raise CheckpointError(f"There is no checkpoint {path}: neither a run folder (checkpoints/NAME) nor a file.")
    if path.name == LAST:
        raise CheckpointError(f"{path} is what --resume takes. To translate, give its folder: {path.parent}.")
    if path.suffix in (".pth", ".pt"):
        raise CheckpointError(
            f"{path} is not a model file. If pytorch-CycleGAN-and-pix2pix saved it: "
            f"`translate import {path} {path.with_suffix('.safetensors')}`."
        )
    return path


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write what a resumed run needs, whole or not at all."""
    # Through memory: torch's own file writer ends the process when the disk is full.
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    # Not getbuffer: Python 3.12.1 crashes when it collects a BytesIO that a failed write's traceback still looks into.
    files.write_bytes(path, buffer.getvalue())


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote; raises CheckpointError. Runs no code from the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a saved run, or is damaged: {_first_line(error)}") from None
    if not isinstance(state, dict) or "step" not in state:
        raise CheckpointError(f"{path} is not a saved run.")
    return state


def save_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.json of the run folder."""
    files.write_bytes(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())


def load_config(path: Path) -> dict[str, Any]:
    """Read the config.json `path`; raises CheckpointError."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON: {error}.") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} does not hold settings.")
    return config


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def to_cpu(value: Any) -> Any:
    """Every tensor inside nested dicts, lists and tuples on the CPU; those that are there already are not copied."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: to_cpu(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_cpu(item) for item in value)
    return value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
