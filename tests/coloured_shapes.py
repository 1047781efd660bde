"""Pictures whose colours are known: the shape says which, or leaves it open between two."""

from pathlib import Path

import cv2
import numpy as np
import torch

from translate.colour.lab import from_lab
from translate.images import Picture, to_array, write

SIDE = 64
CHROMA = {"disc": (45.0, 25.0), "square": (5.0, -45.0), "cross": (-40.0, 30.0)}


def draw(draw_from: np.random.Generator, shapes: dict[str, tuple[float, float]]) -> np.ndarray:
    """(64, 64, 3) of uint8: a few shapes on grey, all of one uneven light, so that only the form tells the colour."""
    light = cv2.GaussianBlur(draw_from.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 6)
    light = 55 + 8 * light / max(1e-6, float(light.std()))
    chroma = np.zeros((SIDE, SIDE, 2), np.float32)
    for place in range(4):
        name = list(shapes)[draw_from.integers(len(shapes))]
        row, column = (SIDE // 4 + SIDE // 2 * (place // 2), SIDE // 4 + SIDE // 2 * (place % 2))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        middle = (int(column + draw_from.integers(-3, 4)), int(row + draw_from.integers(-3, 4)))
        radius = int(draw_from.integers(8, 12))
        stamp(mask, name, middle, radius)
        chroma[mask > 0] = shapes[name]
        light[mask > 0] += 6  # an outline of the form, much weaker than what is uneven
    light = np.clip(light, 30, 75)
    lab = torch.from_numpy(np.concatenate([light[..., None], chroma], axis=2)).permute(2, 0, 1)[None]
    return to_array(from_lab(lab[:, :1], lab[:, 1:])[0], np.uint8)


def stamp(mask: np.ndarray, name: str, middle: tuple[int, int], radius: int) -> None:
    x, y = middle
    if name == "disc":
        cv2.circle(mask, middle, radius, 1, -1)
    elif name == "square":
        cv2.rectangle(mask, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
    else:
        cv2.rectangle(mask, (x - radius, y - radius // 3), (x + radius, y + radius // 3), 1, -1)
        cv2.rectangle(mask, (x - radius // 3, y - radius), (x + radius // 3, y + radius), 1, -1)


def determined(folder: Path, count: int, seed: int = 0) -> Path:
    """The form tells the colour."""
    return _fill(folder, count, lambda draws: draw(draws, CHROMA), seed)


def ambiguous(folder: Path, count: int, seed: int = 0) -> Path:
    """Discs, all of one picture red or all blue, half and half: nothing in the light tells which."""
    colours = ((45.0, 35.0), (-5.0, -45.0))
    return _fill(folder, count, lambda draws: draw(draws, {"disc": colours[draws.integers(2)]}), seed)


def _fill(folder: Path, count: int, make, seed: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        write(folder / f"{index:04d}.png", Picture(make(np.random.default_rng([seed, index]))))
    return folder
