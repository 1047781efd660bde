"""Writes frames: as a WebP that moves, or as one PNG sheet of some of them."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from translate import files, images
from translate.errors import ConfigError
from translate.images import Picture
from translate.images.animation import encode_animation

SUFFIXES = (".webp", ".png")
FPS, HELD = 8.0, 10
"""Frames a second, and for how many the last one stands still."""
QUALITY = 75
COLUMNS, SHEET = 4, 12


def check_place(path: Path) -> None:
    """Make the folder of `path`, and find out before a game is played whether its film can be written there.

    Raises ConfigError for a suffix that is not in SUFFIXES and for what is no file, and what `files.replacing` raises.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} will not do: a film ends in .webp, a sheet of its frames in .png.")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give --out a file in it, as {path / 'demo2d.webp'}.")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no file but a device or a pipe: give --out another name.")
    files.make_folder(path.parent)
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise files.failure(path, error) from error


def write_film(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Write `frames`, uint8 RGB (H, W, 3) of one size: .webp plays them over and over; .png has SHEET of them."""
    if path.suffix.lower() == ".png":
        images.write(path, Picture(_sheet(frames)))
    else:
        files.write_bytes(path, encode_animation([*frames, *[frames[-1]] * (HELD - 1)], FPS, quality=QUALITY))


def _sheet(frames: Sequence[np.ndarray]) -> np.ndarray:
    count = min(SHEET, len(frames))
    chosen = [frames[round(index * (len(frames) - 1) / max(1, count - 1))] for index in range(count)]
    columns = min(COLUMNS, count)
    chosen += [np.full_like(chosen[0], 255)] * (-count % columns)
    rows = [np.concatenate(chosen[start : start + columns], axis=1) for start in range(0, len(chosen), columns)]
    return np.concatenate(rows)
