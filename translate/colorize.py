"""Give greyscale photographs colours: one image, or a folder of them."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from translate import images
from translate.checkpoint import find_model
from translate.colour.hint_files import SUFFIXES, find_hints
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

    With several `colours.variants` there are so many outputs for each image, tagged -1, -2 and so on. Hints count
    places on the upright image, EXIF orientation applied; raises ConfigError for a folder of them of which none fits.
    """
    plain, watch = ConvertSettings.checked(settings), watch or Watch()
    if colours.hints is not None and colours.hints.is_dir() and Path(source).exists():
        _match_hints(colours.hints, Path(source), Path(target), plain, watch.notice)
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


def _match_hints(
    place: Path, source: Path, target: Path, settings: ConvertSettings, notice: Callable[[str], None]
) -> None:
    """Say how many inputs have hints in the folder `place`, and which have no input; ConfigError if none fits."""
    album = source if source.is_dir() else source.parent
    inputs = images.walk_images(source, settings.include, settings.exclude) if source.is_dir() else iter([source])
    count, hinted, example = 0, 0, source
    used: set[Path | None] = set()
    try:
        for path in inputs:
            found = find_hints(place, path.relative_to(album).as_posix(), path)
            example = path if count == 0 else min(path, example)
            count, hinted = count + 1, hinted + (found is not None)
            used.add(found)
    except OSError:
        return  # what cannot be read is named with the pictures that it is for
    if count == 0:
        return  # an error of `convert`
    stray = [path for path in _hint_files(place, (album.resolve(), target.resolve())) if path not in used]
    left = " that --include and --exclude leave" if settings.include or settings.exclude else ""
    if hinted == 0:
        wanted = (place / example.relative_to(album)).with_suffix(".json")
        raise ConfigError(
            f"No file in {place} has hints for {source if album != source else f'a picture of {source}{left}'}: those "
            f"for {example} would be {wanted} (or {' '.join(SUFFIXES[1:])}); "
            + (f"there is {stray[0]}." if stray else "there are none.")
        )
    notice(f"{hinted} of {count} {'picture has' if count == 1 else 'pictures have'} hints.")
    if stray and album == source:
        named = ", ".join(map(str, stray[:3])) + (" ..." if len(stray) > 3 else "")
        notice(
            f"{len(stray)} {'file' if len(stray) == 1 else 'files'} in {place} not used, as hints of no picture{left}: "
            f"{named}. Hints are named as their picture, with {' '.join(SUFFIXES)}."
        )


def _hint_files(place: Path, pictured: tuple[Path, ...]) -> Iterator[Path]:
    """What lies below `place` as hints: .json files, and pictures but for those in the folders `pictured`."""
    seen: set[Path] = set()
    for here, folders, names in os.walk(place, followlinks=True):
        real = Path(here).resolve()
        if real in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        kinds = {".json"} if any(map(real.is_relative_to, pictured)) else {".json", *images.SUFFIXES}
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in kinds:
                yield Path(here, name)


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


def open_model(model: str, device: str = "auto", *, backend: str | None = None, **how: Any) -> Translator:
    """`load` what `model` names; `backend` None: torch, or what computes an exported model."""
    usual = "auto" if Path(model).suffix.lower() in EXPORTED else "torch"
    return load(model, device, backend=backend or usual, **how)


def _loaded(model: str) -> Translator:
    """The model, kept from call to call for as long as its file stays as it is."""
    exported = Path(model).suffix.lower() in EXPORTED
    file = Path(model) if exported else find_model(Path(model))
    return _kept(str(file.absolute()), stamp_of(file))


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
