"""Open what `translate export` wrote; everything it takes to use it stands in the file."""

import json
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from translate.checkpoint import About
from translate.config import Direction
from translate.engines.base import Engine, Sized
from translate.engines.extras import require
from translate.engines.precision import choose_precision
from translate.engines.pt2 import refuse_code
from translate.errors import CheckpointError, ConfigError

FORMAT = 1
KEY = "translate"
EXPORTED = {".onnx": "onnx", ".xml": "openvino", ".pt2": "torch"}
"""How exported files end, and who runs them."""


def open_exported(
    path: Path, *, device: torch.device, precision: str = "auto", streams: int | None = None
) -> tuple[Engine, About, Direction]:
    """Open an exported .onnx, .xml (its .bin beside it) or .pt2; returns also what it says of itself.

    Raises CheckpointError if it cannot be read, ConfigError if it cannot run so or a package is missing.
    """
    backend = EXPORTED.get(path.suffix.lower())
    if backend is None:
        raise CheckpointError(f"{path} is no exported model: those end in {', '.join(EXPORTED)}.")
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    if precision == "int8" or (precision == "bf16" and backend != "openvino"):
        raise ConfigError(f"{path.name} runs in fp32{' or bf16' * (backend == 'openvino')}, not {precision}.")
    opened = {"onnx": _onnx, "openvino": _openvino, "torch": _torch}[backend]
    return opened(path, device, precision, streams)


def described(about: About, direction: Direction, sized: Sized) -> str:
    """What an exported file says of itself, as JSON."""
    own = {"direction": direction, "multiple": sized.multiple, "minimum": sized.minimum, "range": [-1, 1]}
    return json.dumps({"format": FORMAT, **own, "in_out_channels": sized.channels, "about": asdict(about)})


def _understood(path: Path, text: str | None) -> tuple[Sized, About, Direction]:
    if not text:
        raise CheckpointError(f"{path} does not say what it translates: `translate export` did not write it.")
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise CheckpointError(f"{path} has format {said['format']}; this version reads {FORMAT}. Update translate.")
        wide, narrow = said["in_out_channels"]
        sized = Sized((wide, narrow), int(said["multiple"]), int(said["minimum"]))
        return sized, About(**said["about"] | {"channels": tuple(said["about"]["channels"])}), said["direction"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: what it says of itself makes no sense ({error}).") from None


_Opened = tuple[Engine, About, Direction]


def _onnx(path: Path, device: torch.device, precision: str, streams: int | None) -> _Opened:
    require("onnx", "onnxruntime")
    from translate.engines.onnx_ import ONNXEngine, read_metadata

    sized, about, direction = _understood(path, read_metadata(path).get(KEY))
    return ONNXEngine(str(path), sized, device=device, streams=streams), about, direction


def _openvino(path: Path, device: torch.device, precision: str, streams: int | None) -> _Opened:
    if device.type != "cpu":
        raise ConfigError(f"{path.name} runs on the CPU, not on {device}.")
    require("openvino", "openvino")
    import openvino as ov

    from translate.engines.openvino_ import OpenVINOEngine

    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise CheckpointError(f"{path}, or the .bin beside it, is damaged: {str(error).splitlines()[-1]}") from None
    text = model.get_rt_info(KEY).value if model.has_rt_info(KEY) else None
    sized, about, direction = _understood(path, text)
    chosen = choose_precision(device) if precision == "auto" else precision
    return OpenVINOEngine(model, sized, precision=chosen, streams=streams), about, direction


def _torch(path: Path, device: torch.device, precision: str, streams: int | None) -> _Opened:
    from translate.engines.pytorch import TorchEngine

    refuse_code(path)
    extra = {KEY: ""}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch 2.11 warns of its own buffers
            program: Any = torch.export.load(path, extra_files=extra)
        # Exporting notes as guards what held for the example alone, such as a width of at least two multiples.
        network = program.module(check_guards=False)
    except Exception as error:  # garbage makes torch fail in any way at all
        raise CheckpointError(f"{path} is damaged, or from another version of torch.") from error
    sized, about, direction = _understood(path, extra[KEY])
    return TorchEngine(network, device=device, streams=streams, sized=sized), about, direction
