"""Colour hints of a user, from a JSON file or a transparent picture with dots of colour, and as a network sees them."""

import json
import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import ImageColor

from translate import images
from translate.colour import lab
from translate.config import near_miss
from translate.errors import DataError, ImageError

MOST_HINTS = 500
SUFFIXES = (".json", ".png", ".webp", ".tif", ".tiff")
_SAME = 2.0  # of a* and b*: hints in one pixel that are further apart contradict each other
_CELLS = 32  # along the longer side of a hint picture: a larger area of one colour gives a hint in each cell
_LEAST_CELL = 2  # pixels: a dot in a small hint picture is a few pixels wide
_STEP = 16.0  # of a* and b*: nearer ones count as one colour when areas are told apart
_MISFIT = 0.03  # share by which the proportions of a hint picture may be off: small ones are rounded to whole pixels
_PATCH = 0.01  # share of the shorter side that a hint covers for the network
_ENDLESS = 2**40  # pixels: no picture has a side so long
_TWO_KINDS = (
    "Hints are a .json file or a picture with an alpha channel (PNG, TIFF, WebP) that is transparent but for the hints."
)


@dataclass(frozen=True)
class Hints:
    """Colours (n, 2) of a* and b* and their places (n, 2), float32.

    A place is (row, column) on the full picture, where the pixel r, c covers [r, r + 1) x [c, c + 1) and has its centre
    at r + 0.5, c + 0.5. `read_hints` puts every hint at the centre of a pixel.
    """

    places: np.ndarray
    chroma: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """Row and column (n, 2), int64, of the pixel that each hint lies in."""
        return np.floor(self.places).astype(np.int64)


def read_hints(path: Path, height: int, width: int) -> Hints:
    """The hints in the file at `path` for a picture of that size: at least one, at most MOST_HINTS.

    Places count on the upright picture, as it is shown: with the EXIF orientation of its file applied.

    JSON is {"unit": "pixel" or "relative", "hints": [{"x": 120, "y": 340, "colour": "#aa3311"}, ...]} or the bare list:
    x to the right, y down, as numbers of pixels from 0, or as shares of the sides in [0, 1]; the colour as #rgb,
    #rrggbb, a name of CSS, or [r, g, b] from 0 to 255. Any other file is read as a picture, whose pixels are hints
    where alpha is at least one half. It is scaled to `height` and `width`. Each connected area of one colour gives one
    hint, or one in each cell, 1/32 of the longer side and at least 2 pixels, if it is larger than two cells; should
    there be more than MOST_HINTS, cells double, and all of one colour in a cell is one hint.

    Of a colour only a* and b* count: the photograph keeps its own light. Raises DataError naming the file, the hint,
    its value, and what would do; so it does for two hints of a .json file in one pixel that differ by more than 2.
    """
    if path.suffix.lower() == ".json":
        return _of_json(path, height, width)
    return _of_picture(path, height, width)


def check_hints(path: Path) -> None:
    """Raise DataError for what is wrong with the hints in the file at `path` whatever the size of the picture."""
    if path.suffix.lower() == ".json":
        _of_json(path, None, None)
    else:
        _layer(path)


def find_hints(folder: Path, name: str, source: Path) -> Path | None:
    """The hints below `folder` for the photograph at `source`, `name` below its own folder, if there are any.

    For sub/0000.png they are sub/0000.png.json or sub/0000.json, or so named with another of SUFFIXES, in any case.
    Hints may lie beside the photographs: none is its own.
    """
    photograph = folder / name
    try:
        listing = _listing(str(photograph.parent), photograph.parent.stat().st_mtime_ns)
    except (FileNotFoundError, NotADirectoryError):
        return None
    named = (stem + suffix for stem in (photograph.name, photograph.stem) for suffix in SUFFIXES)
    found = (photograph.parent / listing[each] for each in named if each in listing)
    return next((path for path in found if path.is_file() and not path.samefile(source)), None)


@lru_cache(maxsize=8)
def _listing(folder: str, changed: int) -> dict[str, str]:
    """The names that hints in a folder, which `changed` then, may have, by themselves with the suffix in lower case."""
    parts = (os.path.splitext(name) for name in sorted(os.listdir(folder)))  # noqa: PTH122, PTH208
    return {stem + suffix.lower(): stem + suffix for stem, suffix in parts if suffix.lower() in SUFFIXES}


def as_channels(hints: Hints, height: int, width: int, full_height: int, full_width: int) -> np.ndarray:
    """`hints` on a picture of the full size as a network of render size sees them: (height, width, 3), float32.

    The channels are a* / 110, b* / 110 and the mask, as `simulate_hints` gives them: a patch of a hundredth of the
    shorter side, at least a pixel, for each hint; where patches share a pixel, their mean.
    """
    side = max(1, round(_PATCH * min(height, width)))
    room = np.array([height - side, width - side])
    centres = hints.places * np.array([height / full_height, width / full_width])
    corners = np.clip(np.floor(centres - (side - 1) / 2), 0, room).astype(np.int64)
    channels = np.zeros((height, width, 3), np.float32)
    for (row, column), colour in zip(corners.tolist(), hints.chroma / lab.MOST_CHROMA, strict=True):
        channels[row : row + side, column : column + side] += (*colour, 1)
    covered = channels[..., 2] > 0
    channels[covered] /= channels[covered][:, 2:]
    return channels


def _of_json(path: Path, height: int | None, width: int | None) -> Hints:
    """Without a size, places are only checked as far as they could be right on some picture."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}. {_TWO_KINDS}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}. {_written_as()}") from error
    if isinstance(found, list):
        found = {"hints": found}
    if not isinstance(found, dict) or not isinstance(found.get("hints"), list):
        raise DataError(f"{path} has no list of hints. {_written_as()}")
    _refuse_unknown(f"{path}: the file", found, ("hints", "unit"))
    unit, listed = found.get("unit", "pixel"), found["hints"]
    if unit not in ("pixel", "relative"):
        raise DataError(f'{path}: unit {unit!r} is not known. It is "pixel", which is the default, or "relative".')
    if not 1 <= len(listed) <= MOST_HINTS:
        raise DataError(f"{path} has {len(listed)} hints. It takes 1 to {MOST_HINTS}.")
    places, colours = [], []
    for number, hint in enumerate(listed, start=1):
        name = f"{path}: hint {number} of {len(listed)}"
        if not isinstance(hint, dict):
            raise DataError(f"{name} is {_shown(hint)}. {_written_as()}")
        _refuse_unknown(name, hint, ("x", "y", "colour", "color"))
        row = _position(name, hint, "y", height, unit == "relative")
        places.append((row, _position(name, hint, "x", width, unit == "relative")))
        colours.append(_colour(name, hint))
    hints = Hints(np.array(places), chroma_of(np.array(colours, np.float64)))
    _refuse_contradiction(path, hints, listed)
    return replace(hints, places=hints.places.astype(np.float32))


def _refuse_contradiction(path: Path, hints: Hints, listed: list[dict[str, Any]]) -> None:
    together = (hints.places[:, None] == hints.places[None]).all(axis=2)
    apart = np.linalg.norm(hints.chroma[:, None] - hints.chroma[None], axis=2) > _SAME
    for one, two in np.argwhere(np.triu(together & apart))[:1].tolist():
        raise DataError(
            f"{path}: hints {one + 1} and {two + 1} of {len(listed)} lie in one pixel and contradict each other: "
            f"{_shown(listed[one])} and {_shown(listed[two])}. Leave one of them out, or move it."
        )


def chroma_of(colours: np.ndarray) -> np.ndarray:
    """Colours (n, 3) of sRGB in [0, 255] as a* and b*: (n, 2), float32."""
    pixels = torch.from_numpy(colours.astype(np.float64) / 127.5 - 1).T[None, :, None]
    return lab.to_lab(pixels)[1][0, :, 0].T.numpy().astype(np.float32)


def _position(name: str, hint: dict[str, Any], axis: str, side: int | None, relative: bool) -> float:
    """The centre of the pixel in which the hint lies, along an axis of `side` pixels; a share if that is not known."""
    if axis not in hint:
        raise DataError(f"{name} has no {axis}: {_shown(hint)}. {_written_as()}")
    value = hint[axis]
    beyond = _ENDLESS if side is None else side
    takes = "from 0 to 1" if relative else f"from 0 to {side - 1}" if side else "from 0 on"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{name}: {axis} is {_shown(value)}. It takes a number {takes}.")
    if not (0 <= value <= 1 if relative else 0 <= value < beyond):
        raise DataError(f"{name}: {axis} = {_shown(value)} lies outside of the picture. It takes a number {takes}.")
    if relative and side is None:
        return float(value)
    return min(int(value * beyond if relative else value), beyond - 1) + 0.5


def _colour(name: str, hint: dict[str, Any]) -> tuple[float, float, float]:
    given = [key for key in ("colour", "color") if key in hint]
    if len(given) != 1:
        raise DataError(f"{name} has {'two colours' if given else 'no colour'}: {_shown(hint)}. {_written_as()}")
    value = hint[given[0]]
    takes = 'It takes "#rgb", "#rrggbb", a name of CSS as "teal", or [r, g, b] from 0 to 255.'
    parts: Any = value
    if isinstance(value, str):
        try:
            parts = list(ImageColor.getrgb(value.strip()))
        except ValueError:
            raise DataError(f"{name}: colour {_shown(value)} is not known. {takes}") from None
    if not (isinstance(parts, list) and len(parts) == 3 and all(_is_level(part) for part in parts)):
        raise DataError(f"{name}: colour {_shown(value)} will not do. {takes}")
    return parts[0], parts[1], parts[2]


def _is_level(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 255


def _refuse_unknown(name: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise DataError(f"{name} has an unknown key {_shown(key)}.{near_miss(key, known)}")


def _written_as() -> str:
    return 'Hints are written as [{"x": 120, "y": 340, "colour": "#aa3311"}, ...].'


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _layer(path: Path) -> tuple[images.Picture, np.ndarray]:
    """The picture at `path`, and where it shows hints: (rows, columns), bool."""
    try:
        picture = images.read(path)
    except ImageError as error:
        raise DataError(f"{error} {_TWO_KINDS}") from error
    if picture.alpha is None:
        raise DataError(f"{path} has no alpha channel, so nothing says where its hints are. {_TWO_KINDS}")
    shown = picture.alpha >= (
        0 if picture.alpha.dtype.kind == "f" else (int(np.iinfo(picture.alpha.dtype).max) + 1) // 2
    )
    if not shown.any():
        raise DataError(f"{path} is transparent everywhere: no pixel is half opaque or more. Draw the hints opaque.")
    if shown.all():
        raise DataError(f"{path} is opaque everywhere. Draw the hints on a layer of their own, and save only that one.")
    return picture, shown


def _of_picture(path: Path, height: int, width: int) -> Hints:
    picture, shown = _layer(path)
    rows, columns = shown.shape
    # One pixel of rounding on the shorter side of a small picture is no misfit.
    if abs(rows * width - columns * height) > max(_MISFIT * rows * width, width, height):
        raise DataError(
            f"{path} is {columns} x {rows} pixels, in other proportions than the photograph of {width} x {height}. "
            "Draw the hints on the photograph, or a smaller copy of it."
        )
    pixels = images.to_depth(images.to_model(replace(picture, alpha=None)), np.uint8)
    found, chroma = _grouped(shown, np.broadcast_to(pixels, (rows, columns, 3)))
    places = np.floor((found + 0.5) * np.array([height / rows, width / columns])) + 0.5
    return Hints(places.astype(np.float32), chroma)


def _grouped(shown: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One pixel (n, 2) of each group, the nearest to its middle, and the mean chroma (n, 2) of the group."""
    places = np.argwhere(shown)
    chroma, colour = _distinct(pixels[shown])
    area, extent = _areas(places, colour, shown.shape)
    side = max(_LEAST_CELL, max(shown.shape) // _CELLS)
    cells = np.where((extent > 2 * side)[:, None], places // side, 0)
    group = _numbered(area, cells)
    while group.max() >= MOST_HINTS:
        side *= 2
        group = _numbered(colour, places // side)
    sizes = np.bincount(group)[:, None]
    middle = np.column_stack([np.bincount(group, weights=axis) for axis in places.T]) / sizes
    mean = np.column_stack([np.bincount(group, weights=axis) for axis in chroma.T]) / sizes
    order = np.lexsort((np.square(places - middle[group]).sum(axis=1), group))
    _, first = np.unique(group[order], return_index=True)
    return places[order[first]], mean.astype(np.float32)


def _numbered(kind: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """A number (m,) for each that those of one kind (m,) in one cell (m, 2) share."""
    most = cells.max(axis=0) + 1  # as one number: rows take np.unique ten times as long
    return np.unique((kind * most[0] + cells[:, 0]) * most[1] + cells[:, 1], return_inverse=True)[1]


def _distinct(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chroma (m, 2) of colours (m, 3) of uint8, and a number for each that nearly equal ones share."""
    packed, where = np.unique(colours.astype(np.int64) @ np.array([65536, 256, 1]), return_inverse=True)
    chroma = chroma_of(np.column_stack([packed >> 16, packed >> 8 & 255, packed & 255]))
    _, number = np.unique(np.rint(chroma / _STEP), axis=0, return_inverse=True)
    return chroma[where], number[where]


def _areas(places: np.ndarray, colour: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The number of the connected area of one colour that each pixel belongs to, and the longer side of that area."""
    area, extent, count = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64), 0
    for number in range(int(colour.max()) + 1):
        mine = colour == number
        top, left = places[mine].min(axis=0)
        rows, columns = (places[mine] - (top, left)).T
        mask = np.zeros((rows.max() + 1, columns.max() + 1), np.uint8)
        mask[rows, columns] = 1
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        sides = boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
        area[mine] = labels[rows, columns] + count
        extent[mine] = sides[labels[rows, columns]]
        count += len(boxes)
    return area, extent
