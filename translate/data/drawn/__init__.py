"""Data sets drawn by formula, with known truth: the table of them, and how one is written to a folder."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from translate.config import near_miss
from translate.data.drawn import facades, seasons
from translate.data.place import new_folder
from translate.errors import ConfigError

SPLITS = ("train", "val", "test")
Progress = Callable[[int, int], None]


class Drawn(NamedTuple):
    """One drawn set. `draw(split, rng, size)` gives uint8 RGB pictures (H, W, 3) by folder, and input with truth."""

    kind: Literal["paired", "unpaired"]
    description: str
    draw: Callable[[str, np.random.Generator, int], tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]]


DRAWN = {
    "drawn-facades": Drawn("paired", "Label maps of house fronts (A) and their rendering (B).", facades.draw),
    "drawn-seasons": Drawn(
        "unpaired", "Landscapes in summer (A) and in winter (B), exact inverse known.", seasons.draw
    ),
}


def make(
    name: str, out: Path, *, count: int = 400, size: int = 64, seed: int = 0, progress: Progress | None = None
) -> Path:
    """Draw the set `name` into the folder `out`, which must be absent or empty, and return `out`.

    `count` images of `size` x `size` pixels to train on (a domain), and max(count // 8, 16) each in val and test. An
    image is a function of (seed, split, index) and size alone. `progress(done, total)` is called after each image.
    Raises ConfigError for an unknown name or a count or size out of range, DataError if `out` is taken.
    """
    drawn = _checked(name, count, size, seed)
    held_out = max(count // 8, 16)
    counts = {"train": count, "val": held_out, "test": held_out}
    done, scores = 0, []
    with new_folder(out) as folder:
        for split_index, split in enumerate(SPLITS):
            for index in range(counts[split]):
                rng = np.random.default_rng((seed, split_index, index))
                pictures, (source, truth) = drawn.draw(split, rng, size)
                for place, picture in pictures.items():
                    _write(folder / place / f"{index:04d}.png", picture)
                if split == "test":
                    scores.append(_psnr(source, truth))
                done += 1
                if progress:
                    progress(done, sum(counts.values()))
        about = {
            "name": name,
            "kind": drawn.kind,
            "made_with": {"count": count, "size": size, "seed": seed},
            "truth": ["val", "test"],
            "baseline": {"copy_input_psnr": round(float(np.mean(scores)), 3)},
        }
        (folder / "dataset.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return out


def _checked(name: str, count: int, size: int, seed: int) -> Drawn:
    if name not in DRAWN:
        raise ConfigError(f"There is no drawn data set {name!r}.{near_miss(name, DRAWN)}")
    if not 16 <= size <= 1024:
        raise ConfigError(f"size={size} will not do: 16 to 1024 pixels.")
    if not 1 <= count <= 10_000:  # file names have four digits
        raise ConfigError(f"count={count} will not do: 1 to 10000 images.")
    if seed < 0:
        raise ConfigError(f"seed={seed} will not do: 0 or more.")
    return DRAWN[name]


def _write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())


def _psnr(source: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB at a peak of 255."""
    error = float(np.mean((source.astype(np.float64) - truth) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-6))


__all__ = ["DRAWN", "SPLITS", "Drawn", "make"]
