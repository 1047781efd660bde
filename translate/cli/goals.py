"""Where `translate sample` writes to, and what fits there: found out before anything is computed."""

import math
from pathlib import Path
from typing import NamedTuple

from translate.errors import ConfigError

MOST_FRAMES = 20_000
"""Of a film: at 24 a second a quarter of an hour. All of them are held, encoded, until the film is written."""
LONGEST = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 32_768, "GIF": 65_535}
"""Pixels a side of what the formats' encoders take."""


class Goal(NamedTuple):
    """`kind` is folder (single files of `suffix`), sheet (one picture of all) or film (.webp, with --interpolate)."""

    out: Path
    kind: str
    suffix: str


def find_goal(out: Path, interpolate: bool, suffix: str | None) -> Goal:
    """What is to be written to `out`, as single files of `suffix` (None: png) if it is a folder.

    Raises ConfigError for a format that is not known, and for an `out` that is neither a file nor a folder.
    """
    if out.exists() and not out.is_file() and not out.is_dir():
        raise ConfigError(f"{out} is no file but a device or a pipe: give --out another name.")
    if out.is_file() and not out.suffix:
        raise ConfigError(f"{out} is a file: give --out a folder, or the name of a picture with its suffix, as .png.")
    if out.is_dir() or not out.suffix:
        return Goal(out, "folder", _suffix_of(suffix or "png"))
    own = _suffix_of(out.suffix)
    if interpolate and own == ".gif":
        raise ConfigError(f"{out}: a film is a .webp here; other pictures, as .png, show each path in a row.")
    if own == ".pgm":
        raise ConfigError(f"{out}: a .pgm is grey, and a picture of all is in colour: name it .ppm or .png.")
    return Goal(out, "film" if interpolate and own == ".webp" else "sheet", own)


def check_place(goal: Goal) -> None:
    """Make the folder that is written to; raises what `files.replacing` raises if nothing can be written there."""
    import tempfile

    from translate import files

    folder = goal.out if goal.kind == "folder" else goal.out.parent
    files.make_folder(folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise files.failure(goal.out, error) from error


def check_extent(goal: Goal, count: int, size: int, columns: int | None, interpolate: bool) -> None:
    """Raise ConfigError if `count` images of `size` pixels make too large a sheet, in `columns`, or too long a film."""
    from translate import images
    from translate.images.formats import FORMATS

    if goal.kind == "film" and count > MOST_FRAMES:
        raise ConfigError(
            f"A film of {count} frames is too long, {MOST_FRAMES} are the most: lower --count (-n) or --frames, or "
            "give --out a folder."
        )
    if goal.kind != "sheet":
        return
    across = columns or math.ceil(math.sqrt(count))
    width, height = (number * (size + 2) - 2 for number in (across, math.ceil(count / across)))
    if width * height > images.MOST_PIXELS:
        fewer = " fewer --columns, or" if across > count else ""
        raise ConfigError(
            f"{count} images of {size} pixels are too many for one picture, one of {width} x {height}:{fewer} give "
            "--out a folder."
        )
    most = LONGEST.get(FORMATS.get(goal.suffix, ""), max(width, height))
    if max(width, height) > most:
        if interpolate:
            change = "lower --frames" if width > most else "lower --count (-n)"
        else:
            change = "fewer --columns" if width > most else "more --columns"
        raise ConfigError(
            f"A picture of {width} x {height} pixels is too large for {goal.suffix}, which holds {most} a side: "
            f"{change}, or give --out a .png or a folder."
        )


def _suffix_of(name: str) -> str:
    """`name`, with or without its dot, as a suffix that can be written; raises ConfigError."""
    from translate import images
    from translate.config import near_miss

    suffix = "." + name.lower().removeprefix(".")
    if suffix not in images.SUFFIXES:
        known = " ".join(sorted(images.SUFFIXES))
        raise ConfigError(
            f"Cannot write {suffix}.{near_miss(suffix, images.SUFFIXES)} Known: {known}; no suffix: a folder."
        )
    return suffix
