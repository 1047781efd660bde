"""Drawn landscapes: summer and winter of the same scene, with the exact mapping between the two known.

A scene is a class and a shade for every pixel. Each season has a ramp of 48 colours for each class, no colour twice in
a season, so that a colour tells class and shade, and `winter` and `summer` are exact inverses on drawn pictures.
"""

from functools import cache

import cv2
import numpy as np

from translate.errors import DataError

SHADES = 48
_Colour = tuple[int, int, int]
# Darkest and lightest colour of each class, in summer and in winter.
CLASSES: dict[str, tuple[tuple[_Colour, _Colour], tuple[_Colour, _Colour]]] = {
    "sky": (((74, 138, 216), (196, 224, 244)), ((158, 160, 182), (232, 216, 218))),
    "sun": (((252, 206, 70), (255, 243, 176)), ((236, 178, 158), (255, 222, 205))),
    "far hills": (((66, 104, 124), (128, 164, 172)), ((140, 152, 184), (196, 206, 228))),
    "hills": (((76, 122, 46), (136, 172, 88)), ((168, 186, 216), (220, 231, 245))),
    "meadow": (((104, 148, 44), (188, 208, 104)), ((190, 204, 226), (249, 252, 255))),
    "path": (((166, 128, 84), (222, 190, 142)), ((134, 130, 142), (186, 180, 188))),
    "pond": (((26, 84, 146), (112, 176, 218)), ((128, 186, 200), (204, 238, 238))),
    "tree": (((14, 62, 26), (74, 134, 56)), ((84, 108, 116), (190, 208, 210))),
    "trunk": (((62, 36, 20), (126, 84, 50)), ((42, 36, 44), (104, 92, 98))),
    "wall": (((196, 172, 132), (250, 234, 198)), ((140, 104, 100), (198, 160, 148))),
    "roof": (((146, 44, 32), (214, 92, 64)), ((218, 196, 214), (252, 236, 247))),
    "window": (((36, 50, 82), (112, 136, 166)), ((206, 120, 24), (255, 206, 96))),
}
_INDEX = {name: index for index, name in enumerate(CLASSES)}


def draw(
    split: str, rng: np.random.Generator, size: int
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Draw the summer and the winter picture of one index: of two scenes to train on, of one and the same elsewhere."""
    here = scene(rng, size)
    there = winter(scene(rng, size) if split == "train" else here)
    return {f"{split}A": here, f"{split}B": there}, (here, winter(here))


def winter(picture: np.ndarray) -> np.ndarray:
    """Map a drawn summer picture, uint8 RGB (H, W, 3), to the same scene in winter; raises DataError for any other."""
    return _map(picture, 0, 1)


def summer(picture: np.ndarray) -> np.ndarray:
    """Map a drawn winter picture to the same scene in summer, the exact inverse of `winter`."""
    return _map(picture, 1, 0)


@cache
def ramps(season: int) -> np.ndarray:
    """Colours of a season (0 summer, 1 winter), uint8 (classes, SHADES, 3), dark to light."""
    ends = np.array([colours[season] for colours in CLASSES.values()], np.float64)
    share = np.linspace(0, 1, SHADES)[None, :, None]
    return np.rint(ends[:, :1] + share * (ends[:, 1:] - ends[:, :1])).astype(np.uint8)


def _pack(colours: np.ndarray) -> np.ndarray:
    """One number for each colour: (..., 3) to (...)."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


def _map(picture: np.ndarray, source: int, target: int) -> np.ndarray:
    known = _pack(ramps(source)).ravel()
    order = np.argsort(known)
    packed = _pack(picture)
    place = order[np.clip(np.searchsorted(known[order], packed), 0, len(known) - 1)]
    if not np.array_equal(known[place], packed):
        raise DataError(f"This is no drawn {('summer', 'winter')[source]} picture: it has colours that no class has.")
    return ramps(target).reshape(-1, 3)[place]


def scene(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw a random landscape in summer, uint8 RGB (size, size, 3)."""
    land = _Land(rng, size)
    horizon = float(rng.uniform(0.4, 0.52))
    _draw_sky(land, horizon)
    _draw_ground(land, horizon)
    if rng.random() < 0.45:
        _draw_pond(land, horizon)
    if rng.random() < 0.7:
        _draw_house(land, horizon)
    _draw_trees(land, horizon)
    shade = np.clip(np.rint(land.shade * (SHADES - 1)), 0, SHADES - 1).astype(np.int64)
    return ramps(0)[land.kind, shade]


class _Land:
    """A class and a shade (0 dark to 1 light) for every pixel, painted from back to front in coordinates 0..1."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.rng, self.size = rng, size
        self.kind = np.zeros((size, size), np.int64)
        self.shade = np.zeros((size, size), np.float32)
        steps = (np.arange(size, dtype=np.float32) + 0.5) / size
        self.x, self.y = np.meshgrid(steps, steps)

    def paint(self, name: str, where: np.ndarray, shade: np.ndarray | float) -> None:
        self.kind[where] = _INDEX[name]
        self.shade[where] = np.broadcast_to(shade, where.shape)[where]

    def noise(self, cells: int) -> np.ndarray:
        """Smooth noise around 0, most of it within -1..1, with `cells` grains across the image."""
        grains = self.rng.standard_normal((cells, cells)).astype(np.float32) * 0.5
        return cv2.resize(grains, (self.size, self.size), interpolation=cv2.INTER_CUBIC)

    def ridge(self, height: float, swing: float, waves: float) -> np.ndarray:
        """A wavy line across the image: its y at every pixel's x."""
        phases = self.rng.uniform(0, 2 * np.pi, 3)
        line = sum(
            np.sin(self.x * waves * factor + phase) / factor
            for factor, phase in zip((1, 2.1, 3.7), phases, strict=True)
        )
        return height + swing * np.asarray(line, np.float32)


def _draw_sky(land: _Land, horizon: float) -> None:
    x, y, rng = land.x, land.y, land.rng
    sun_x, sun_y, radius = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.2), rng.uniform(0.045, 0.065)
    far = np.hypot(x - sun_x, y - sun_y)
    clouds = np.clip(land.noise(5) + 0.5 * land.noise(11) - 0.35, 0, 0.6) * np.clip(1.2 - y / horizon, 0, 1)
    land.paint("sky", y <= 1, 0.12 + 0.6 * y / horizon + 0.25 * np.exp(-((far / 0.16) ** 2)) + 0.5 * clouds)
    land.paint("sun", far < radius, 1 - 0.6 * far / radius)


def _draw_ground(land: _Land, horizon: float) -> None:
    x, y, rng = land.x, land.y, land.rng
    top = land.ridge(horizon - 0.1, 0.05, float(rng.uniform(4, 8)))
    land.paint("far hills", y > top, 0.75 - 2.2 * (y - top) + 0.08 * land.noise(9))
    top = land.ridge(horizon, 0.035, float(rng.uniform(3, 7)))
    land.paint("hills", y > top, 0.85 - 3.0 * (y - top) + 0.14 * land.noise(14))
    top = land.ridge(horizon + 0.11, 0.02, float(rng.uniform(2, 5)))
    rows = 0.05 * np.sin(60 * np.sqrt(np.maximum(y - top, 0)) + 4 * x)
    land.paint("meadow", y > top, 0.72 - 0.45 * (y - top) + rows + 0.16 * land.noise(8) + 0.1 * land.noise(28))


def _draw_pond(land: _Land, horizon: float) -> None:
    rng = land.rng
    x, y = rng.uniform(0.15, 0.85), rng.uniform(horizon + 0.3, 0.9)
    wide = rng.uniform(0.12, 0.2)
    far = np.hypot((land.x - x) / wide, (land.y - y) / (0.36 * wide)) + 0.08 * land.noise(6)
    land.paint("pond", far < 1, 0.5 + 0.4 * (land.y - y) / wide + 0.2 * np.sin(90 * land.y) + 0.1 * land.noise(10))


def _draw_house(land: _Land, horizon: float) -> None:
    """A house with a path that winds down to the lower edge."""
    rng, x, y = land.rng, land.x, land.y
    middle, floor = rng.uniform(0.25, 0.75), horizon + rng.uniform(0.16, 0.26)
    wide, high = rng.uniform(0.11, 0.15), rng.uniform(0.11, 0.15)
    down = np.clip((y - floor) / (1 - floor), 0, 1)
    bend = middle + rng.uniform(-0.25, 0.25) * np.sin(down * rng.uniform(2, 4))
    path = (np.abs(x - bend) < 0.022 + 0.06 * down) & (y > floor)
    land.paint("path", path, 0.6 + 0.25 * down + 0.14 * land.noise(20))
    land.paint("wall", (np.abs(x - middle) < wide) & (y > floor - high) & (y < floor), 0.75 - 1.6 * (x - middle))
    up = (floor - high - y) / (0.85 * high)
    roof = (up > -0.12) & (up < 1) & (np.abs(x - middle) < (wide + 0.03) * (1 - 0.62 * up))
    land.paint("roof", roof, 0.55 - 1.6 * (x - middle) + 0.12 * np.sign(np.sin(up * 20)))
    for side in (-0.58, 0.58):
        pane = (np.abs(x - middle - side * wide) < 0.22 * wide) & (np.abs(y - floor + 0.58 * high) < 0.2 * high)
        land.paint("window", pane, 0.6 + 2.5 * (y - floor + 0.58 * high))
    door = (np.abs(x - middle) < 0.17 * wide) & (y > floor - 0.62 * high) & (y < floor)
    land.paint("trunk", door, 0.75 - 2.0 * (x - middle))


def _draw_trees(land: _Land, horizon: float) -> None:
    """Firs and round trees, the near ones larger and in front."""
    count = int(land.rng.integers(3, 8))
    for foot in sorted(land.rng.uniform(horizon + 0.1, 0.97, count)):
        high = 0.13 + 0.42 * (foot - horizon) * land.rng.uniform(0.8, 1.2)
        middle = land.rng.uniform(0.03, 0.97)
        trunk = (np.abs(land.x - middle) < 0.07 * high) & (land.y < foot) & (land.y > foot - 0.4 * high)
        land.paint("trunk", trunk, 0.6 - 5 * (land.x - middle) / high * 0.5)
        (_draw_fir if land.rng.random() < 0.5 else _draw_round)(land, middle, foot, high)


def _draw_fir(land: _Land, middle: float, foot: float, high: float) -> None:
    for tier in range(3):
        base = foot - high * (0.16 + 0.24 * tier)
        up = (base - land.y) / (0.44 * high)
        across = (land.x - middle) / ((0.3 - 0.06 * tier) * high)
        where = (up > 0) & (up < 1) & (np.abs(across) < 1 - up)
        land.paint("tree", where, 0.32 - 0.3 * across + 0.4 * (1 - up) * (np.abs(across) > 0.75 * (1 - up)) + 0.2 * up)


def _draw_round(land: _Land, middle: float, foot: float, high: float) -> None:
    for _ in range(5):
        x = middle + land.rng.uniform(-0.16, 0.16) * high
        y = foot - land.rng.uniform(0.52, 0.82) * high
        radius = 0.2 * high
        right, down = (land.x - x) / radius, (land.y - y) / radius
        land.paint("tree", np.hypot(right, down) < 1, 0.5 - 0.3 * right - 0.4 * down)
