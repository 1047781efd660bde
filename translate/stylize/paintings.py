"""Paintings: files, folders of them, images in memory; read, with the part of each that counts."""

from collections.abc import Sequence
from functools import cache
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from translate import images
from translate.config import StylingSettings
from translate.convert.manifest import FOLDER as MANIFEST
from translate.errors import ConfigError, DataError
from translate.stylize.kinds import Style
from translate.stylize.masks import NONE, read_mask
from translate.stylize.restyling import as_content

MOST_PAINTINGS = 64
"""Of a folder: more are hardly meant to be mixed."""

Painting = str | PathLike[str] | Image.Image | np.ndarray


def listed(styles: Sequence[Painting], without: Sequence[Path] = ()) -> list[Painting]:
    """The paintings, a folder replaced by all pictures in it; raises DataError for one that is not there or empty.

    Of a folder, what `translate` made is left out: what is, or lies below, one of `without`, and what lies below a
    subfolder that holds a manifest. A folder that itself lies in one of `without` is meant as it is.
    """
    found: list[Painting] = []
    for each in styles:
        if not isinstance(each, str | PathLike) or not Path(each).is_dir():
            found.append(each)
            continue
        there = images.list_images(Path(each))
        inside = _given(Path(each), there, without)
        if not 0 < len(inside) <= MOST_PAINTINGS:
            made = len(there) - len(inside)
            besides = f" besides {made} that were made here, which do not count" if made else ""
            raise DataError(
                f"The folder of paintings {each} holds {len(inside)} pictures{besides}; 1 to {MOST_PAINTINGS} can be "
                "mixed. Name those you mean."
            )
        found += inside
    if not found:
        raise ConfigError("At least one painting is needed.")
    return found


def _given(folder: Path, found: Sequence[Path], without: Sequence[Path]) -> list[Path]:
    """Of the pictures `found` in `folder`, those that `translate` did not put there."""
    top = folder.resolve()
    outputs = {place.resolve() for place in without} - {*top.parents}

    @cache
    def made(place: Path) -> bool:
        return place.resolve() in outputs or (place != folder and ((place / MANIFEST).is_dir() or made(place.parent)))

    return [path for path in found if not made(path)]


def check_counts(count: int, settings: StylingSettings) -> None:
    """Raise ConfigError if what is given once for each painting is not given so often."""
    for name in ("style_weight", "mask", "style_mask"):
        given = len(getattr(settings, name))
        if given not in (0, count):
            flag = f"--{name.replace('_', '-')}"
            also = "" if name == "style_weight" else f", `{NONE}` for one without"
            raise ConfigError(
                f"{count} {'painting' if count == 1 else 'paintings'} and {given} {flag}: give {flag} once for each "
                f"painting, in their order{also}."
            )


def make_style(painting: Painting, weight: float, mask: str) -> Style:
    """The painting ready to be looked at; `mask` is a file of what counts of it, or NONE. Raises DataError."""
    pixels, name = read_painting(painting)
    return Style(pixels, weight, _style_mask(mask, *pixels.shape[:2]), name)


def read_painting(painting: Painting) -> tuple[np.ndarray, str]:
    """Its pixels (H, W, 3), float32 in [-1, 1], and the name of its file; raises DataError."""
    name = ""
    if isinstance(painting, str | PathLike):
        name = Path(painting).name
        pixels = images.to_model(images.read(Path(painting)))
    elif isinstance(painting, Image.Image):
        pixels = images.to_model(images.from_pil(painting))
    else:
        pixels = painting[..., None] if painting.ndim == 2 else painting
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise DataError(f"A painting is (H, W) or (H, W, C), not {painting.shape}.")
    if pixels.shape[2] not in (1, 3):
        raise DataError(f"{painting if name else 'A painting'}: {pixels.shape[2]} channels; a painting has 1 or 3.")
    return as_content(pixels), name


def _style_mask(mask: str, height: int, width: int) -> np.ndarray | None:
    if mask == NONE:
        return None
    found = images.resize(read_mask(Path(mask))[..., None], height, width)[..., 0].clip(0, 1)
    if not found.any():
        raise DataError(f"{mask}: the mask of a painting is black: nothing of it would count.")
    return found
