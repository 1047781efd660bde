"""Load whatever translates: a run folder, a model file, an exported file, the built-in identity."""

import hashlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch

from translate import checkpoint, engines
from translate.checkpoint import About, Model
from translate.engines.unchanged import Unchanged
from translate.errors import CheckpointError, ConfigError
from translate.fitting import Tile
from translate.rendering import RENDERINGS
from translate.rendering.base import Rendering
from translate.training.execution import choose_device
from translate.translator import IDENTITY, Translator


def load(
    path: str | PathLike[str],
    device: str = "auto",
    *,
    backend: str = "torch",
    precision: str = "fp32",
    compile: bool = False,
    streams: int | None = None,
    tile: Tile = "auto",
) -> Translator:
    """Load a run folder, a .safetensors file, an exported model, or "identity", which changes nothing.

    `device` is auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 or mps; for the other settings see Translator.
    Raises CheckpointError if the model cannot be loaded, ConfigError for settings that will not do.
    """
    how: dict[str, Any] = {
        "backend": backend,
        "precision": precision,
        "compile": compile,
        "streams": streams,
        "tile": tile,
    }
    engines.check(backend, precision, choose_device(device), compile)
    if str(path) == IDENTITY:
        about = About(mode=IDENTITY, direction="AtoB", channels=(0, 0), size=1)
        return Translator(Model({}, about), torch.device("cpu"), **how, ready={"AtoB": Unchanged()}, origin=IDENTITY)
    chosen = choose_device(device)
    if chosen.type == "cuda" and chosen.index is None:
        chosen = torch.device("cuda", torch.cuda.current_device())  # threads have a current device of their own
    if Path(path).suffix.lower() in engines.EXPORTED:
        engine, about, direction = engines.open_exported(
            Path(path), device=chosen, precision=precision, streams=streams
        )
        if compile or backend not in ("auto", engine.backend):
            raise ConfigError(f"{path} is computed by {engine.backend}, as exported, and not compiled.")
        origin = hashlib.sha256(b"".join(_contents(Path(path)))).hexdigest()
        rendering = _rendering(about, engine.sized.channels[0])
        return Translator(
            Model({}, about), chosen, **how, rendering=rendering, ready={direction: engine}, origin=origin
        )
    found = checkpoint.find_model(Path(path))
    model = checkpoint.load_model(found)
    if not model.networks:
        raise CheckpointError(f"{found} holds no generator.")
    if "noise" in model.networks:
        raise CheckpointError(
            f"{found} makes images from noise, and translates none: use `translate sample`, or translate.Sampler."
        )
    takes = cast(Any, model.networks[model.about.direction]).arguments["in_channels"]
    return Translator(model, chosen, **how, rendering=_rendering(model.about, takes))


def _rendering(about: About, takes: int) -> Rendering | None:
    """How pictures go through a model of that mode, whose network takes so many channels, if not as they are."""
    return RENDERINGS[about.mode](about.size, takes) if about.mode in RENDERINGS else None


def _contents(path: Path) -> Iterator[bytes]:
    """All that an exported model consists of: OpenVINO keeps weights in a second file."""
    yield path.read_bytes()
    if path.suffix.lower() == ".xml":
        yield path.with_suffix(".bin").read_bytes()
