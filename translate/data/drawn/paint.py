"""How the parts of a drawn house are painted: one rule a label, from the part's rectangle and its position alone."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WALLS: dict[str, tuple[int, int, int]] = {
    "wall brick": (176, 92, 72),
    "wall ochre": (218, 176, 112),
    "wall plaster": (226, 216, 200),
    "wall slate": (132, 150, 168),
}


class Part(NamedTuple):
    """A rectangle of one label, in pixels: rows top..bottom, columns left..right, ends excluded."""

    label: str
    top: int
    bottom: int
    left: int
    right: int


def render(parts: list[Part], size: int) -> np.ndarray:
    """Paint `parts` as a house in the afternoon sun; uint8 RGB (size, size, 3)."""
    canvas = np.zeros((size, size, 3), np.float32)
    unit = size / 64
    for part in parts:
        area = canvas[part.top : part.bottom, part.left : part.right]
        if area.size:
            _PAINT[part.label](area, part, unit)
            _cast_shadow(canvas, part, unit)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


# The painters: `area` is the part's own piece of the canvas, float32 (h, w, 3) on 0..255; `unit` is 1/64 of the side.


def _grid(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Rows (h, 1) and columns (1, w) of the part, as image coordinates."""
    return np.arange(part.top, part.bottom)[:, None], np.arange(part.left, part.right)[None, :]


def _ramp(length: int) -> np.ndarray:
    """0..1 from the first to the last of `length`, (length, 1)."""
    return np.linspace(0, 1, length, dtype=np.float32)[:, None]


def _mix(one: tuple[int, int, int], other: tuple[int, int, int], share: np.ndarray) -> np.ndarray:
    """Colours (..., 3) between `one` (share 0) and `other` (share 1)."""
    return np.asarray(one, np.float32) + share[..., None] * (np.asarray(other, np.float32) - np.asarray(one))


def _edge(area: np.ndarray, colour: tuple[int, int, int], unit: float) -> np.ndarray:
    """Frame `area` by `colour` and return what is inside, which may be empty."""
    area[:] = colour
    line = max(1, round(unit))
    return area[line:-line, line:-line]


def _paint_sky(area: np.ndarray, part: Part, unit: float) -> None:
    rows, columns = _grid(part)
    share = np.clip(rows / (44 * unit) + 0.0 * columns, 0, 1)
    area[:] = _mix((96, 158, 222), (236, 232, 220), share)


def _paint_street(area: np.ndarray, part: Part, unit: float) -> None:
    area[:] = _mix((150, 146, 142), (104, 102, 104), _ramp(len(area)) + np.zeros((1, area.shape[1])))
    area[: max(1, round(unit))] = (186, 182, 176)


def _paint_wall(area: np.ndarray, part: Part, unit: float) -> None:
    """Courses of bricks laid from the image's corner on, each a little lighter or darker; light from the left."""
    rows, columns = _grid(part)
    high, line = max(3, round(3 * unit)), max(1, round(0.6 * unit))
    course = rows // high
    shifted = columns + (course % 2) * high
    brick = shifted // (2 * high)
    tone = ((course * 37 + brick * 61 + course * brick * 17) % 11 - 5) * 0.008
    joint = (rows % high < line) | (shifted % (2 * high) < line)
    light = 1.05 - 0.12 * columns / (64 * unit) - 0.05 * rows / (64 * unit)
    area[:] = np.asarray(WALLS[part.label]) * (light + np.where(joint, -0.1, tone))[..., None]


def _paint_roof(area: np.ndarray, part: Part, unit: float) -> None:
    rows, columns = _grid(part)
    high = max(2, round(2 * unit))
    course = rows // high
    tile = (rows % high) / high * 0.16 + ((columns + course % 2 * high) % (2 * high) < max(1, unit // 2)) * 0.08
    area[:] = _mix((116, 84, 92), (74, 56, 70), np.clip(_ramp(len(area)) * 0.6 + tile, 0, 1))


def _paint_chimney(area: np.ndarray, part: Part, unit: float) -> None:
    area[:] = _mix((172, 104, 86), (112, 64, 58), _ramp(area.shape[1]).T + np.zeros((len(area), 1)))
    area[: max(1, round(unit))] = (212, 200, 186)


def _paint_glass(area: np.ndarray, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> None:
    if area.size:
        height, width = area.shape[:2]
        share = 0.75 * _ramp(height) + 0.25 * _ramp(width).T
        area[:] = _mix(top, bottom, share)


def _paint_window(area: np.ndarray, part: Part, unit: float) -> None:
    """A white frame, panes that mirror the sky, and two bars where they fit."""
    inside = _edge(area, (244, 240, 230), unit)
    _paint_glass(inside, (58, 78, 104), (150, 182, 204))
    bar = max(1, round(0.7 * unit))
    if len(inside) >= 5 * bar:
        third = len(inside) // 3
        inside[third : third + bar] = (244, 240, 230)
    if inside.shape[1] >= 3 * bar:
        middle = (inside.shape[1] - bar) // 2
        inside[:, middle : middle + bar] = (244, 240, 230)


def _paint_dormer(area: np.ndarray, part: Part, unit: float) -> None:
    _paint_glass(_edge(area, (206, 196, 190), unit), (70, 84, 104), (176, 196, 208))


def _paint_sill(area: np.ndarray, part: Part, unit: float) -> None:
    area[:] = (236, 230, 216)
    area[len(area) * 2 // 3 :] *= 0.86


def _paint_cornice(area: np.ndarray, part: Part, unit: float) -> None:
    area[:] = _mix((250, 244, 230), (178, 168, 154), _ramp(len(area)) + np.zeros((1, area.shape[1])))


def _paint_shutter(area: np.ndarray, part: Part, unit: float) -> None:
    rows, _ = _grid(part)
    slat = (rows % max(2, round(1.5 * unit))) < max(1, round(0.7 * unit))
    area[:] = np.where(slat[..., None], (54, 108, 84), (72, 132, 104))


def _paint_balcony(area: np.ndarray, part: Part, unit: float) -> None:
    """Iron bars before a shaded ground, a rail above and a slab below."""
    bar, rail = max(1, round(0.7 * unit)), max(1, round(unit))
    bars = (np.arange(area.shape[1]) % max(2, round(2 * unit)) < bar)[None, :, None]
    area[:] = np.where(bars, (44, 46, 54), (142, 136, 130))
    area[:rail] = (36, 38, 46)
    area[-rail:] = (214, 206, 192)


def _paint_door(area: np.ndarray, part: Part, unit: float) -> None:
    """A stone frame, two leaves of wood with panels, a light above."""
    inside = _edge(area, (222, 212, 194), unit)
    inside = area[max(1, round(unit)) :, max(1, round(unit)) : -max(1, round(unit))]  # the frame stands on the street
    if not inside.size:
        return
    inside[:] = _mix((136, 84, 48), (98, 56, 32), _ramp(len(inside)) + np.zeros((1, inside.shape[1])))
    light, line = max(1, len(inside) // 5), max(1, round(0.6 * unit))
    _paint_glass(inside[:light], (72, 92, 116), (160, 188, 204))
    middle = (inside.shape[1] - line) // 2
    inside[light:, middle : middle + line] *= 0.6
    inside[light + (len(inside) - light) // 2 :][:line] *= 0.72


def _paint_shop(area: np.ndarray, part: Part, unit: float) -> None:
    inside = _edge(area, (64, 58, 60), unit)
    _paint_glass(inside, (248, 220, 158), (206, 158, 96))
    bar = max(1, round(0.7 * unit))
    if inside.shape[1] >= 4 * bar:
        inside[:, (inside.shape[1] - bar) // 2 :][:, :bar] = (64, 58, 60)


def _paint_awning(area: np.ndarray, part: Part, unit: float) -> None:
    stripe = (np.arange(area.shape[1]) // max(2, round(2 * unit)) % 2 == 0)[None, :, None]
    area[:] = np.where(stripe, (204, 62, 58), (246, 238, 226)) * (1.0 - 0.18 * _ramp(len(area)))[..., None]


def _cast_shadow(canvas: np.ndarray, part: Part, unit: float) -> None:
    """Darken a strip of wall under what juts out; parts further in front are painted over it."""
    depth = round({"cornice": 1.5, "awning": 1.2, "balcony": 1.2, "sill": 0.6}.get(part.label, 0) * unit)
    canvas[part.bottom : part.bottom + depth, part.left : part.right] *= 0.78


_PAINT: dict[str, Callable[[np.ndarray, Part, float], None]] = {
    "sky": _paint_sky,
    "street": _paint_street,
    "roof": _paint_roof,
    "chimney": _paint_chimney,
    "dormer": _paint_dormer,
    "cornice": _paint_cornice,
    "window": _paint_window,
    "sill": _paint_sill,
    "shutter": _paint_shutter,
    "balcony": _paint_balcony,
    "door": _paint_door,
    "shop": _paint_shop,
    "awning": _paint_awning,
} | dict.fromkeys(WALLS, _paint_wall)
