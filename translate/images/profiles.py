"""ICC profiles made of curves and a matrix, read as the numbers they hold (ICC.1:2022, chapters 9.2, 10.6 and 10.18).

Floats throughout: a colour management module of 8 bits would round, and clip what lies outside of sRGB.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Numbers = np.ndarray
# Columns: red, green and blue of sRGB in XYZ, adapted to D50 (IEC 61966-2-1, as its profiles have them).
SRGB_TO_XYZ = np.array(
    [[0.4360657, 0.3851471, 0.1430664], [0.2224884, 0.7168732, 0.0606079], [0.0139160, 0.0970764, 0.7140961]]
)


@dataclass(frozen=True)
class Curve:
    """A tone curve: `forward` from [0, 1] to light, `inverse` from light back into [0, 1]."""

    forward: Callable[[Numbers], Numbers]
    inverse: Callable[[Numbers], Numbers]


@dataclass(frozen=True)
class Profile:
    """`space` is "RGB", "GRAY" or another; `curves` and `matrix` (to XYZ at D50) are missing if it has tables."""

    space: str
    curves: tuple[Curve, ...] = ()
    matrix: np.ndarray | None = None


def srgb_light(values: Numbers) -> Numbers:
    """Light of values on the curve of sRGB, mirrored below 0 and continued above 1."""
    size = np.abs(values)
    return np.copysign(np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), values)


def srgb_values(light: Numbers) -> Numbers:
    """The inverse of `srgb_light`."""
    size = np.abs(light)
    return np.copysign(np.where(size <= 0.04045 / 12.92, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055), light)


@lru_cache(32)
def parse(data: bytes) -> Profile:
    """Read an ICC profile; raises ValueError if it is broken."""
    if len(data) < 132 or data[36:40] != b"acsp":
        raise ValueError("no ICC profile")
    space, connection = data[16:20].decode("latin-1").strip(), data[20:24]
    count = struct.unpack_from(">I", data, 128)[0]
    if not 0 < count <= 200 or len(data) < 132 + 12 * count:
        raise ValueError("its table of tags is cut off")
    tags: dict[bytes, bytes] = {}
    for index in range(count):
        name, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        if offset + size > len(data):
            raise ValueError(f"its tag {name.decode('latin-1')} is cut off")
        tags[name] = data[offset : offset + size]
    if space == "GRAY" and b"kTRC" in tags:
        return Profile(space, (_curve(tags[b"kTRC"]),))
    if space == "RGB" and {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= set(tags) and connection == b"XYZ ":
        columns = np.array([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
        if abs(np.linalg.det(columns)) < 1e-6:
            raise ValueError("its colours lie in a plane")
        return Profile(space, tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")), columns)
    if not {b"A2B0", b"A2B1", b"A2B2", b"D2B0"} & set(tags):
        raise ValueError("it says neither curves nor tables")
    return Profile(space)


def _xyz(tag: bytes) -> list[float]:
    if tag[:4] != b"XYZ " or len(tag) < 20:
        raise ValueError("a colour is broken")
    return [value / 65536 for value in struct.unpack_from(">3i", tag, 8)]


def _curve(tag: bytes) -> Curve:
    if len(tag) < 12:
        raise ValueError("a curve is cut off")
    if tag[:4] == b"para":
        return _formula(tag)
    count = struct.unpack_from(">I", tag, 8)[0]
    if tag[:4] != b"curv" or len(tag) < 12 + 2 * count:
        raise ValueError("a curve is broken")
    if count == 0:
        return _power(1.0)
    points = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
    if count == 1:
        return _power(points[0] / 256)
    points = points / 65535
    if points[-1] <= points[0]:
        raise ValueError("a curve falls")
    rising, places = np.maximum.accumulate(points), np.linspace(0, 1, count)

    def forward(values: Numbers) -> Numbers:
        return np.interp(values, places, points).astype(values.dtype)

    def inverse(light: Numbers) -> Numbers:
        return np.interp(light, rising, places).astype(light.dtype)

    return Curve(forward, inverse)


def _power(gamma: float) -> Curve:
    return _segments(gamma, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _formula(tag: bytes) -> Curve:
    kind = struct.unpack_from(">H", tag, 8)[0]
    if kind > 4:
        raise ValueError("a curve has an unknown formula")
    count = (1, 3, 4, 5, 7)[kind]
    if len(tag) < 12 + 4 * count:
        raise ValueError("a curve is cut off")
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12))
    if kind == 0:
        return _power(g)
    a, b, *rest = rest
    if a <= 0:
        raise ValueError("a curve falls")
    if kind in (1, 2):
        lift = rest[0] if kind == 2 else 0.0
        return _segments(g, a, b, lift, 0.0, lift, -b / a)
    slope, corner, *lifts = rest
    lift, below = lifts or (0.0, 0.0)
    return _segments(g, a, b, lift, slope, below, corner)


def _segments(g: float, a: float, b: float, lift: float, slope: float, below: float, corner: float) -> Curve:
    """(a x + b)^g + lift from `corner` on, slope x + below before it."""
    if g <= 0:
        raise ValueError(f"a curve has the exponent {g:g}")

    def forward(values: Numbers) -> Numbers:
        upper = np.maximum(a * values + b, 0) ** g + lift
        return np.where(values >= corner, upper, slope * values + below) if corner > 0 else upper

    def inverse(light: Numbers) -> Numbers:
        upper = (np.maximum(light - lift, 0) ** (1 / g) - b) / a
        if corner <= 0:
            return np.clip(upper, 0, 1)
        lower = (light - below) / slope if slope else np.zeros_like(light)
        start = max(a * corner + b, 0) ** g + lift
        return np.clip(np.where(light >= start, upper, np.minimum(lower, corner)), 0, 1)

    return Curve(forward, inverse)
