"""Export a generator for other runtimes: ONNX, OpenVINO, torch.export; checked against the original first."""

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn

from translate import files
from translate.checkpoint import find_model, load_model
from translate.config import Direction
from translate.engines.base import Sized, sized_as
from translate.engines.exported import EXPORTED, KEY, described, open_exported
from translate.engines.extras import require
from translate.engines.rewrite import rewrite
from translate.errors import ConfigError, TranslateError
from translate.networks.blocks import per_image_statistics, translate_any_size

Format = Literal["onnx", "openvino", "torch"]
MOST = 1e-3
"""How far an output in [-1, 1] may be from the original's."""


class ExportError(TranslateError):
    """What was exported does not compute the same."""


def export(
    path: Path,
    out: Path,
    *,
    format: Format | None = None,
    direction: Direction | None = None,
    tell: Callable[[str], None] | None = None,
) -> float:
    """Export a generator of the checkpoint `path` to `out`, for any number of images of any size it takes.

    `format` follows from the suffix: .onnx, .xml (OpenVINO, with its weights in a .bin beside it), .pt2 (torch.export).
    The file says of itself all that engines.open_exported needs. It is run on the two smallest sizes and on
    one that is no square and larger than any example it was traced with, each with one image and with two; returns the
    largest difference from the original's outputs; `tell` hears of each. Raises ExportError, and leaves no file, if
    that is above MOST; ConfigError if a package or the direction is missing, or `out` exists.
    """
    format = _format(out, format)
    model = load_model(find_model(path))
    if "noise" in model.networks:
        raise ConfigError(f"{path} makes images from noise: only models that translate are exported.")
    direction = direction or cast(Direction, model.about.direction)
    if direction not in model.networks:
        raise ConfigError(f"This model translates {' or '.join(model.networks)}, not {direction}.")
    network = model.networks[direction]
    if model.about.statistics == "image":
        network = per_image_statistics(network)
    sized = sized_as(network)
    about = described(model.about, direction, sized)
    with files.replacing(out) as temporary:
        weights = temporary.with_suffix(".bin")
        try:
            _WRITE[format](rewrite(network), sized, about, temporary)
            difference = _checked(network, sized, temporary, tell)
            if format == "openvino":
                with files.replacing(out.with_suffix(".bin")) as beside:
                    weights.replace(beside)
        finally:
            weights.unlink(missing_ok=True)
    return difference


def _format(out: Path, format: Format | None) -> Format:
    suffixes = {known: suffix for suffix, known in EXPORTED.items()}
    if format is not None and format not in get_args(Format):
        raise ConfigError(f"Unknown format {format!r}: {', '.join(get_args(Format))}.")
    if out.suffix not in EXPORTED or (format and suffixes[format] != out.suffix):
        wanted = suffixes[format] if format else ", ".join(EXPORTED)
        raise ConfigError(f"{out} ends in {out.suffix or 'nothing'}; an export ends in {wanted}.")
    for file in (out, out.with_suffix(".bin")) if out.suffix == ".xml" else (out,):
        if file.exists():
            raise ConfigError(f"{file} exists already: choose another name, or delete it first.")
    files.make_folder(out.parent)
    return EXPORTED[out.suffix]  # type: ignore[return-value]


def _to_onnx(network: nn.Module, sized: Sized, about: str, out: Path) -> None:
    require("onnx", "onnx", "onnxruntime")
    from translate.engines.onnx_graph import to_onnx

    out.write_bytes(to_onnx(network, sized.channels, {KEY: about}))


def _to_openvino(network: nn.Module, sized: Sized, about: str, out: Path) -> None:
    require("openvino", "openvino")
    import openvino as ov

    from translate.engines.openvino_graph import to_openvino

    model = to_openvino(network, sized.channels[0])
    model.set_rt_info(about, KEY)
    ov.save_model(model, out, compress_to_fp16=False)


def _to_torch(network: nn.Module, sized: Sized, about: str, out: Path) -> None:
    side = _traced(sized)
    free = torch.export.Dim.DYNAMIC
    images = torch.zeros(2, sized.channels[0], side, side + sized.multiple)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program: Any = torch.export.export(network, (images,), dynamic_shapes=({0: free, 2: free, 3: free},))
        torch.export.save(program, out, extra_files={KEY: about})


def _traced(sized: Sized) -> int:
    """The height of the example; its width is one multiple more."""
    return 2 * max(sized.minimum, sized.multiple)


_WRITE: dict[str, Callable[[nn.Module, Sized, str, Path], None]] = {
    "onnx": _to_onnx,
    "openvino": _to_openvino,
    "torch": _to_torch,
}


@torch.no_grad()
def _checked(network: nn.Module, sized: Sized, exported: Path, tell: Callable[[str], None] | None) -> float:
    """The largest difference between outputs of `network` and of the file `exported`."""
    engine, _, _ = open_exported(exported, device=torch.device("cpu"), precision="fp32")
    least = -(-sized.minimum // sized.multiple) * sized.multiple
    generator = torch.Generator().manual_seed(0)
    most = 0.0
    beyond = -(-_traced(sized) // sized.multiple) * sized.multiple + 2 * sized.multiple
    sizes = ((least, least), (least, least + sized.multiple), (beyond + sized.multiple, beyond))
    for count, (tall, wide) in itertools.product((1, 2), sizes):
        images = torch.rand(count, sized.channels[0], tall, wide, generator=generator) * 2 - 1
        difference = _distance(engine(images), translate_any_size(network, images))
        most = max(most, difference)
        if tell:
            tell(f"{count} x {wide}x{tall}: differs by {difference:.1e} at most")
        if not difference <= MOST:  # also where it is not a number
            raise ExportError(
                f"The exported model differs from the original by {difference:.2g} at {count} x {wide}x{tall}, "
                f"which is more than {MOST:g}: nothing was written."
            )
    return most


def _distance(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item() if one.shape == other.shape else float("nan")
