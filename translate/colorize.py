"""Give greyscale photographs colours: one image, or a folder of them."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from translate.checkpoint import MODEL
from translate.config import ColouringSettings, ConvertSettings
from translate.convert import Summary, Watch, convert
from translate.convert.manifest import stamp_of
from translate.convert.summary import merged
from translate.engines import EXPORTED
from translate.errors import CheckpointError, ConfigError, DataError
from translate.loading import load
from translate.rendering import Colouring
from translate.translator import Translator

DEFAULT = "colorize-small"

Kind = TypeVar("Kind", Image.Image, np.ndarray, Tensor)


def colorize(
    image: Kind,
    model: str | PathLike[str] | Translator = DEFAULT,
    *,
    hints: str | PathLike[str] | Sequence[Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Kind:
    """Give a greyscale image colours at its own size and depth; its own L* stays to within 0.5 everywhere.

    `image` is a PIL image, an array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16 or float in [-1, 1], or floats
    (N, C, H, W) in [-1, 1]; the result is of that kind, with three channels (a PIL image has
    one if no colour came of it). An image in colour stays as it is, unless
    `recolor`. `model` is a run folder or model file of mode colorize, a loaded one, or the one that comes with
    translate. `settings` are those of ColouringSettings but `variants`: each `seed` is one. `hints` may also be a list
    of {"x", "y", "colour"}, or what a .json file of hints holds.
    Raises CheckpointError for a model of another kind, ConfigError for settings, DataError for hints that will not do.
    """
    if settings.get("variants", 1) != 1:
        raise ConfigError("variants are files that `translate colorize` writes: for one image, call with each seed.")
    translator = model if isinstance(model, Translator) else _loaded(str(model))
    with _as_file(hints) as path:
        if path is not None and path.is_dir():
            raise ConfigError(f"{path} is a folder: for one image, hints are a file.")
        return colouring(translator, hints=path, **settings)(image)


def colorize_folder(
    translator: Translator,
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    colours: ColouringSettings,
    watch: Watch | None = None,
    **settings: Any,
) -> Summary:
    """Colorize every image under `source` into `target`, as `convert` translates them, with its settings and errors.

    With several `colours.variants` there are so many outputs for each image, tagged -1, -2 and so on.
    """
    plain = ConvertSettings.checked(settings)
    if colours.variants == 1:
        return convert(_with(translator, colours), source, target, watch=watch, **settings)
    parts = []
    for place in range(colours.variants):
        drawn = colours.model_copy(update={"seed": (colours.seed or 0) + place})
        tag = f"{plain.tag}-{place + 1}"
        report = plain.report and plain.report.with_stem(f"{plain.report.stem}-{place + 1}")
        own = settings | {"tag": tag, "report": report}
        parts.append(convert(_with(translator, drawn), source, target, watch=watch, **own))
        if parts[-1].stopped:
            break
    whole = merged(parts)
    whole.seconds = sum(part.seconds for part in parts)
    whole.per_second = sum(part.translated for part in parts) / whole.seconds if whole.seconds else 0.0
    return whole


def colouring(translator: Translator, **settings: Any) -> Translator:
    """The same model with these ColouringSettings; raises ConfigError, CheckpointError if it gives no colours."""
    return _with(translator, ColouringSettings.checked(settings))


def _with(translator: Translator, settings: ColouringSettings) -> Translator:
    rendering = translator.rendering
    if not isinstance(rendering, Colouring):
        raise CheckpointError(
            f"This model is of mode {translator.about.mode} and gives no colours: `translate convert` runs it. "
            "`translate fit --mode colorize` trains one that does."
        )
    chosen = replace(rendering, settings=settings)
    try:
        network = translator.network()
    except ConfigError:  # an exported model holds none
        network = None
    chosen.check(network)
    return translator.using(rendering=chosen)


def default_model() -> Path:
    """Where the model that comes with translate lies; raises CheckpointError if it is not there."""
    beside = Path(__file__).resolve().parent.parent / "checkpoints" / DEFAULT
    if beside.is_dir():
        return beside
    try:
        files = metadata.files("translate") or []
    except metadata.PackageNotFoundError:
        files = []
    installed = next((file for file in files if file.parts[-2:] == (DEFAULT, "model.safetensors")), None)
    if installed is None or not Path(str(installed.locate())).is_file():
        raise CheckpointError(f"The model {DEFAULT} was not installed with translate: give a model of your own.")
    return Path(str(installed.locate())).resolve().parent


def find(model: str) -> Path:
    """The model that `model` names: a path, or the one that comes with translate."""
    return default_model() if model == DEFAULT and not Path(model).exists() else Path(model)


def open_model(model: str, device: str = "auto", *, backend: str | None = None, **how: Any) -> Translator:
    """`load` what `model` names; `backend` None: torch, or what computes an exported model."""
    path = find(model)
    usual = "auto" if path.suffix.lower() in EXPORTED else "torch"
    return load(path, device, backend=backend or usual, **how)


def _loaded(model: str) -> Translator:
    """The model, kept from call to call for as long as its file stays as it is."""
    path = find(model)
    file = path / MODEL if path.is_dir() else path
    return _kept(str(path.absolute()), stamp_of(file))


@lru_cache(maxsize=1)
def _kept(path: str, stamp: str | None) -> Translator:
    return open_model(path)


@contextmanager
def _as_file(hints: Any) -> Iterator[Path | None]:
    """Hints as the file that they are read from; an error of given ones does not name it."""
    if hints is None or isinstance(hints, str | PathLike):
        yield None if hints is None else Path(hints)
        return
    try:
        text = json.dumps(dict(hints) if isinstance(hints, Mapping) else list(hints), default=_plain)
    except TypeError as error:
        raise ConfigError(f"hints are a file, or a list of {{x, y, colour}}: {error}") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hints.json"
        path.write_text(text, encoding="utf-8")
        try:
            yield path
        except DataError as error:
            if str(path) not in str(error):
                raise
            raise DataError(str(error).replace(str(path), "hints")) from None


def _plain(value: object) -> Any:
    """Numbers of numpy as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is neither number nor colour")
