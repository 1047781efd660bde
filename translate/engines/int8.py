"""Quantisation to int8, calibrated on the user's own images, and used only if it stays close on others.

NNCF (https://github.com/openvinotoolkit/nncf), post-training, min-max with bias correction (Nagel et al. 2019).
"""

import contextlib
import hashlib
import json
import logging
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from translate import files
from translate.engines.base import Engine, Sized, fitted, sized_as
from translate.engines.extras import require
from translate.engines.precision import choose_precision
from translate.engines.rewrite import on_cpu, rewrite
from translate.errors import ConfigError, TranslateError

PROGRAM = [sys.executable, "-m", "translate.engines.quantising"]


def quantise(
    network: nn.Module,
    calibration: Sequence[Tensor],
    held_out: Sequence[Tensor],
    *,
    least: float = 35.0,
    cache: Path | None = None,
    streams: int | None = None,
) -> tuple[Engine | None, float]:
    """Quantise `network`, a generator in the form it is to be used in, for the CPU.

    `calibration` and `held_out` are float32 (1, C, H, W) in [-1, 1]. Returns the engine, None if the PSNR is below
    `least`, and the PSNR in dB, of its 8-bit outputs against those of float32 on all of `held_out` together.
    With `cache`, a folder, the quantised model of this network is taken from there, whatever it was calibrated with, so
    that a job that is begun anew gives the same bytes; if there is none, it is put there. It too is measured first.
    Raises ConfigError if there are no images or the packages are missing, TranslateError if those packages fail.
    """
    require("int8", "openvino", "nncf")
    from translate.engines.openvino_ import OpenVINOEngine, openvino_engine

    if not calibration or not held_out:
        raise ConfigError("int8 needs images to calibrate with and others to check with; there are none.")
    sized = sized_as(network)
    place = None if cache is None else cache / f"int8-{_digest(network)}"
    kept = None if place is None else _read(place)
    with _failing():
        xml, weights, hint = kept or (*_quantised(network, sized, calibration), choose_precision(torch.device("cpu")))
        engine = OpenVINOEngine(_parsed(xml, weights), sized, precision="int8", hint=hint, streams=streams)
        psnr = _psnr(engine, openvino_engine(network, precision="fp32", streams=None), held_out)
    if place is not None and kept is None:
        _keep(place, xml, weights, hint)
    return (engine if psnr >= least else None), psnr


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Whatever NNCF or OpenVINO raise becomes a TranslateError."""
    try:
        yield
    except TranslateError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
        raise TranslateError(
            f"Quantising to int8 failed ({reason}). --precision auto translates without it."
        ) from error


def _quantised(network: nn.Module, sized: Sized, calibration: Sequence[Tensor]) -> tuple[bytes, bytes]:
    """The two files of the quantised model, made by a process of its own."""
    import openvino as ov

    from translate.engines.openvino_graph import to_openvino

    images = [fitted(sized, image.float()).contiguous().numpy() for image in calibration]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ov.save_model(to_openvino(rewrite(on_cpu(network)), sized.channels[0]), folder / "model.xml", False)
        stored: Any = {f"{place:06d}": image for place, image in enumerate(images)}
        np.savez(folder / "images.npz", **stored)
        done = subprocess.run([*PROGRAM, name], capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise TranslateError(f"Quantising to int8 failed ({said[-1]}). --precision auto translates without it.")
        xml = folder / "quantised.xml"
        return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()


def _parsed(xml: bytes, weights: bytes) -> Any:
    """The model of two files' contents, which it does not refer to afterwards."""
    import openvino as ov

    core = ov.Core()
    core.set_property({"ENABLE_MMAP": False})
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.xml"
        path.write_bytes(xml)
        path.with_suffix(".bin").write_bytes(weights)
        return core.read_model(path)


def _psnr(engine: Engine, exact: Engine, images: Sequence[Tensor]) -> float:
    """Of all pixels together, as 8-bit values."""
    errors = [(_bytes(engine(image)) - _bytes(exact(image))).square().flatten() for image in images]
    worst = max(error.mean().item() for error in errors)
    logging.getLogger(__name__).info("int8: %.1f dB on the worst of %d images", _decibels(worst), len(images))
    return _decibels(torch.cat(errors).mean().item())


def _decibels(error: float) -> float:
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _bytes(output: Tensor) -> Tensor:
    return output.double().clamp(-1, 1).add(1).mul(127.5).round()


def _digest(network: nn.Module) -> str:
    """Of all that makes two quantised models differ, but for the images."""
    # What the layers are, beside their weights: statistics of each image, or those of the training.
    layers = f"{sorted(cast(dict[str, Any], network.arguments).items())} {network}"
    versions = [metadata.version(package) for package in ("openvino", "nncf")]
    known = hashlib.sha256(f"{layers} {versions}".encode())
    for name, tensor in network.state_dict().items():
        known.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        known.update(tensor.detach().cpu().contiguous().view(-1).numpy())
    return known.hexdigest()[:16]


def _keep(place: Path, xml: bytes, weights: bytes, hint: str) -> None:
    """Write the model, and last what says that it is complete."""
    files.make_folder(place.parent)
    files.write_bytes(place.with_suffix(".xml"), xml)
    files.write_bytes(place.with_suffix(".bin"), weights)
    sums = {"xml": hashlib.sha256(xml).hexdigest(), "bin": hashlib.sha256(weights).hexdigest()}
    files.write_bytes(place.with_suffix(".json"), json.dumps({"hint": hint, **sums}).encode())


def _read(place: Path) -> tuple[bytes, bytes, str] | None:
    """The model and the precision of what is not quantised, if they are there and unharmed."""
    try:
        said = json.loads(place.with_suffix(".json").read_bytes())
        xml, weights = (place.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin"))
        sums = [hashlib.sha256(content).hexdigest() for content in (xml, weights)]
        hint = {"fp32": "fp32", "bf16": "bf16"}[said["hint"]]
        return (xml, weights, hint) if sums == [said["xml"], said["bin"]] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
