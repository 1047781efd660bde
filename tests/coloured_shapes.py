"""Pictures whose colours are known: the shape says which, or leaves it open between two.

All colours lie within sRGB at every light that is drawn: clipped, light itself would tell them apart.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch

from translate.colour.lab import from_lab
from translate.images import Picture, to_array, write

SIDE = 32
DARKEST, LIGHTEST = 42.0, 70.0
CHROMA = {"disc": (40.0, 25.0), "square": (5.0, -40.0), "cross": (-40.0, 30.0)}
EITHER = ((-40.0, 30.0), (40.0, -30.0))

Chroma = tuple[float, float]


def determined(count: int, seed: int = 0, side: int = SIDE) -> np.ndarray:
    """`count` pictures, (N, side, side, 3) of uint8, in which the form tells the colour."""
    return np.stack([draw(np.random.default_rng([seed, index]), CHROMA, side) for index in range(count)])


def ambiguous(count: int, seed: int = 0, side: int = SIDE) -> np.ndarray:
    """Discs, all of one picture green or all purple, half and half: nothing in the light tells which."""
    return np.stack(
        [draw(np.random.default_rng([seed, index]), {"disc": EITHER[index % 2]}, side) for index in range(count)]
    )


def save(folder: Path, pixels: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, each in enumerate(pixels):
        write(folder / f"{index:04d}.png", Picture(each))
    return folder


def draw(draws: np.random.Generator, shapes: Mapping[str, Chroma], side: int = SIDE) -> np.ndarray:
    """(side, side, 3) of uint8: shapes on grey, all of one uneven light, so that only the form tells the colour."""
    lab = draw_lab(draws, shapes, side)
    return to_array(from_lab(lab[:, :1], lab[:, 1:])[0], np.uint8)


def draw_lab(draws: np.random.Generator, shapes: Mapping[str, Chroma], side: int = SIDE) -> torch.Tensor:
    """Light and chroma, (1, 3, side, side): one shape in each field of 32 pixels."""
    light = cv2.GaussianBlur(draws.normal(size=(side, side)).astype(np.float32), (0, 0), 6)
    light = 51 + 3 * light / float(light.std())
    chroma = np.zeros((side, side, 2), np.float32)
    for top in range(0, side, 32):
        for left in range(0, side, 32):
            name = list(shapes)[draws.integers(len(shapes))]
            x, y = (corner + 16 + int(draws.integers(-3, 4)) for corner in (left, top))
            mask = stamped(name, (x, y), int(draws.integers(8, 12)), side)
            chroma[mask] = shapes[name]
            light[mask] += 10  # what shows the form
    light = np.clip(light, DARKEST, LIGHTEST)
    return torch.from_numpy(np.concatenate([light[..., None], chroma], axis=2)).permute(2, 0, 1)[None]


def stamped(name: str, middle: tuple[int, int], radius: int, side: int) -> np.ndarray:
    """Where a shape lies, (side, side) of bool."""
    mask = np.zeros((side, side), np.uint8)
    x, y = middle
    if name == "disc":
        cv2.circle(mask, middle, radius, 1, -1)
    elif name == "square":
        cv2.rectangle(mask, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
    else:
        cv2.rectangle(mask, (x - radius, y - radius // 3), (x + radius, y + radius // 3), 1, -1)
        cv2.rectangle(mask, (x - radius // 3, y - radius), (x + radius // 3, y + radius), 1, -1)
    return mask > 0
