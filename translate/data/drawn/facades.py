"""Drawn house fronts: a label map of flat colours and the picture that follows from it, in pairs.

Every part of a house has a label colour of its own, each kind of wall too, and is painted by its own rule from its
rectangle and its position alone: the picture is a function of the label map, so that what a network can learn is known.
"""

from collections.abc import Callable

import numpy as np

from translate.data.drawn.paint import WALLS, Part, render

LABELS: dict[str, tuple[int, int, int]] = {
    "sky": (0, 0, 120),
    "street": (60, 0, 60),
    "roof": (190, 0, 255),
    "chimney": (120, 0, 160),
    "dormer": (255, 90, 255),
    "cornice": (0, 255, 255),
    "window": (0, 85, 255),
    "sill": (90, 255, 170),
    "shutter": (255, 255, 0),
    "balcony": (170, 255, 0),
    "door": (255, 120, 0),
    "shop": (0, 170, 90),
    "awning": (255, 0, 90),
    "wall brick": (200, 0, 0),
    "wall ochre": (110, 60, 0),
    "wall plaster": (0, 90, 0),
    "wall slate": (0, 60, 110),
}


def draw(
    split: str, rng: np.random.Generator, size: int
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Draw one house: {split: labels left, picture right, uint8 (size, 2 size, 3)}, and both of them alone."""
    parts = plan(rng, size)
    labels, picture = label_map(parts, size), render(parts, size)
    return {split: np.concatenate([labels, picture], axis=1)}, (labels, picture)


def label_map(parts: list[Part], size: int) -> np.ndarray:
    """Paint the flat label colours of `parts`, later ones above earlier ones; uint8 RGB (size, size, 3)."""
    canvas = np.zeros((size, size, 3), np.uint8)
    for part in parts:
        canvas[part.top : part.bottom, part.left : part.right] = LABELS[part.label]
    return canvas


# The plan of a house, in sixty-fourths of the side.


def plan(rng: np.random.Generator, size: int) -> list[Part]:
    """Lay out a random house as parts, from back to front."""
    parts: list[Part] = []

    def add(label: str, top: float, bottom: float, left: float, right: float) -> None:
        top, bottom, left, right = (round(value * size / 64) for value in (top, bottom, left, right))
        if bottom > top and right > left:
            parts.append(Part(label, max(top, 0), min(bottom, size), max(left, 0), min(right, size)))

    left, right = float(rng.integers(0, 7)), 64.0 - float(rng.integers(0, 7))
    eaves, ground = float(rng.integers(13, 20)), 60.0
    shop_top = ground - float(rng.integers(13, 17))
    add("sky", 0, ground, 0, 64)
    add("street", ground, 64, 0, 64)
    _plan_roof(add, rng, eaves, left, right)
    add(str(rng.choice(list(WALLS))), eaves, ground, left, right)
    floors = int(rng.integers(2, 4)) if shop_top - eaves > 22 else int(rng.integers(1, 3))
    columns = int(rng.integers(3, 6)) if right - left > 54 else int(rng.integers(2, 5))
    _plan_floors(add, rng, (eaves + 2, shop_top, left + 1.5, right - 1.5), floors, columns)
    _plan_ground_floor(add, rng, (shop_top, ground, left + 1.5, right - 1.5), columns)
    add("cornice", eaves - 1, eaves + 2, left - 1, right + 1)
    add("cornice", shop_top - 1, shop_top + 1, left, right)
    return parts


_Add = Callable[[str, float, float, float, float], None]
_Box = tuple[float, float, float, float]


def _plan_roof(add: _Add, rng: np.random.Generator, eaves: float, left: float, right: float) -> None:
    ridge = eaves - float(rng.integers(5, 9))
    for _ in range(int(rng.integers(1, 3))):
        chimney = float(rng.uniform(left + 6, right - 10))
        add("chimney", ridge - float(rng.integers(3, 5)), ridge + 1, chimney, chimney + 4)
    add("roof", ridge, eaves, left + 1, right - 1)
    dormers = int(rng.integers(0, 4)) if eaves - ridge >= 6 else 0
    for index in range(dormers):
        middle = left + (right - left) * (index + 1) / (dormers + 1)
        add("dormer", eaves - 5, eaves, middle - 2.5, middle + 2.5)


def _plan_floors(add: _Add, rng: np.random.Generator, box: _Box, floors: int, columns: int) -> None:
    top, bottom, left, right = box
    height, width = (bottom - top) / floors, (right - left) / columns
    tall, wide = height * float(rng.uniform(0.52, 0.66)), min(width * float(rng.uniform(0.36, 0.5)), height * 0.8)
    shutters, balconies = rng.random() < 0.45 and width - wide > 5, rng.random(floors) < 0.4
    every = int(rng.integers(1, 3))
    for floor in range(floors):
        for column in range(columns):
            middle, head = left + (column + 0.5) * width, top + floor * height + 0.22 * height
            add("window", head, head + tall, middle - wide / 2, middle + wide / 2)
            if shutters:
                add("shutter", head, head + tall, middle - wide / 2 - 2, middle - wide / 2)
                add("shutter", head, head + tall, middle + wide / 2, middle + wide / 2 + 2)
            if balconies[floor] and column % every == 0:
                add("balcony", head + tall * 0.55, head + tall + 1, middle - wide / 2 - 2, middle + wide / 2 + 2)
            else:
                add("sill", head + tall, head + tall + 1, middle - wide / 2 - 1, middle + wide / 2 + 1)


def _plan_ground_floor(add: _Add, rng: np.random.Generator, box: _Box, columns: int) -> None:
    top, bottom, left, right = box
    width = (right - left) / columns
    door, shops = int(rng.integers(0, columns)), rng.random() < 0.6
    for column in range(columns):
        middle = left + (column + 0.5) * width
        if column == door:
            add("door", top + 3, bottom, middle - min(width * 0.3, 4), middle + min(width * 0.3, 4))
        elif shops:
            add("shop", top + 4, bottom - 2, middle - width * 0.42, middle + width * 0.42)
            add("awning", top + 2, top + 5, middle - width * 0.46, middle + width * 0.46)
        else:
            add("window", top + 4, bottom - 4, middle - width * 0.24, middle + width * 0.24)
            add("sill", bottom - 4, bottom - 3, middle - width * 0.3, middle + width * 0.3)
