"""Spread what a network missed at colour hints over the things that the hints lie on, at the network's small size.

Each pixel takes the residual of the hint that is nearest along paths which cross no edge: a geodesic distance, found by
raster scans (Toivanen 1996, "New geodesic distance transforms for gray-scale images"; Criminisi et al. 2010, "Geodesic
image and video editing"). Here slopes up to `_GENTLE` are free, since shading is no edge, and a scan takes all of a row
at once. Where one hint's part ends and another's begins, the recursive filter of the domain transform (Gastal and
Oliveira 2011) over the same costs makes the transition. Its width is not constant, as theirs is, but a share of
the distance to the hint: hints far apart fade into each other slowly, and none loses its own colour.
"""

import cv2
import numpy as np

REACH = 0.25  # as a share of the shorter side; full up to half of it, half of it left there, nothing at one and a half

_EDGE = (
    5.0  # of L*, beyond what is gentle: costs as much as one reach, so that 15 are not crossed, nor 20 that are blurred
)
_GENTLE = 1.5  # of L* a pixel: what shading makes, and what the smoothing leaves of grain
_GRAIN = 7.0  # of L*, for the bilateral filter: above the standard deviation of grain, below an edge
_END = 1.5  # reaches
_ROUNDS = 4  # of scans down and up; a path may turn back so many times
_SETTLED = 0.05  # reaches: a round that shortens no path by more is the last
_SPECK = np.ones((3, 3), np.uint8)  # things so narrow that they fit between its pixels take the colour around them
_UNITS = 2**20  # of a reach: distances are whole numbers, for a hint's number to be carried in what is below one
_UNREACHED = 2**62
_BLEND = 0.5  # the width of transitions, of the distance to the hints: about straight from one hint to the other
_PASSES = 3


def spread(light: np.ndarray, pixels: np.ndarray, residuals: np.ndarray, reach: float = REACH) -> np.ndarray:
    """The field (h, w, 2), float32, of a* and b* to be added to chroma for hints to colour what they lie on.

    `light` (h, w) is L* in [0, 100], `pixels` (n, 2) rows and columns in it, `residuals` (n, 2) what a* and b* lack
    there; `reach`, above 0, is a share of the shorter side. The field is a hint's residual in its pixel (of several,
    their mean), keeps it up to half a reach along paths over gentle light, is half of it at one reach and 0 from one
    and a half; an edge of 15 L* ends it. It is never beyond the range of the residuals and 0.
    """
    height, width = light.shape
    if not len(pixels):
        return np.zeros((height, width, 2), np.float32)
    places, which = np.unique(pixels, axis=0, return_inverse=True)
    sizes = np.bincount(which.ravel(), minlength=len(places))
    means = np.column_stack([np.bincount(which.ravel(), each, len(places)) for each in residuals.T]) / sizes[:, None]
    wanted = means.astype(np.float32)
    guide = cv2.bilateralFilter(np.ascontiguousarray(light, np.float32), 7, _GRAIN, 2.0)
    step = 1 / (reach * min(height, width))
    distance, nearest = _nearest(guide, places, step)
    gain = np.float32(0.5) + np.float32(0.5) * np.cos(np.pi * np.clip(distance - 0.5, 0, 1))
    planes = np.concatenate([wanted[nearest].transpose(0, 2, 1) * gain[:, None], gain[:, None]], axis=1)
    planes = _blended(planes, guide, distance, step)
    field = (planes[:, :2] / np.maximum(planes[:, 2:], np.float32(1e-12)) * gain[:, None]).transpose(0, 2, 1)
    field[tuple(places.T)] = wanted
    return np.clip(field, wanted.min(axis=0, initial=0), wanted.max(axis=0, initial=0))


def _nearest(guide: np.ndarray, places: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """The distance (h, w) to the nearest of `places` (n, 2), in reaches and no more than `_END`, and its index (h, w).

    Both are one whole number while they are sought, distance * n + index, so that a minimum of distances takes the
    index with it.
    """
    count = len(places)

    def costs(one: np.ndarray, other: np.ndarray, apart: float = 1.0) -> np.ndarray:
        return np.rint(_cost(one, other, step, apart) * _UNITS).astype(np.int64) * count

    down = costs(guide[:-1], guide[1:])
    right, left = costs(guide[:-1, :-1], guide[1:, 1:], 2**0.5), costs(guide[:-1, 1:], guide[1:, :-1], 2**0.5)
    along = np.pad(np.cumsum(costs(guide[:, :-1], guide[:, 1:]), axis=1), ((0, 0), (1, 0)))
    keys = np.full(guide.shape, _UNREACHED, np.int64)
    keys[tuple(places.T)] = np.arange(count)
    end = int(_END * _UNITS) * count
    for _ in range(_ROUNDS):
        before = np.minimum(keys, end)
        _scan(keys, along, down, right, left)
        _scan(keys[::-1], along[::-1], down[::-1], left[::-1], right[::-1])
        if (before - np.minimum(keys, end)).max() < _SETTLED * _UNITS * count:
            break
    distance, nearest = np.divmod(keys, count)
    distance = (np.minimum(distance, int(_END * _UNITS)) / _UNITS).astype(np.float32)
    return cv2.morphologyEx(distance, cv2.MORPH_OPEN, _SPECK), nearest


def _scan(keys: np.ndarray, along: np.ndarray, down: np.ndarray, right: np.ndarray, left: np.ndarray) -> None:
    """Shorten the distances in `keys` (h, w) from the first row to the last, by paths along each row and from above.

    `along` (h, w) is what the way from a row's first pixel costs, `down` (h - 1, w) a step to the next row, `right` and
    `left` (h - 1, w - 1) one to its next and its previous column.
    """
    for index, (row, passed) in enumerate(zip(keys, along, strict=True)):
        if index:
            above = keys[index - 1]
            np.minimum(row, above + down[index - 1], out=row)
            np.minimum(row[1:], above[:-1] + right[index - 1], out=row[1:])
            np.minimum(row[:-1], above[1:] + left[index - 1], out=row[:-1])
        row[:] = np.minimum.accumulate(row - passed) + passed
        row[::-1] = np.minimum.accumulate((row + passed)[::-1]) - passed[::-1]


def _cost(one: np.ndarray, other: np.ndarray, step: float, apart: float = 1.0) -> np.ndarray:
    """What a step between pixels of that light costs, in reaches: its length, and what is steep."""
    return step * apart + np.maximum(np.abs(one - other) - _GENTLE * apart, 0) / _EDGE


def _blended(planes: np.ndarray, guide: np.ndarray, distance: np.ndarray, step: float) -> np.ndarray:
    """`planes` (h, c, w) smoothed along rows and columns in turn: `_PASSES` of a recursive filter, ever narrower."""
    flat = np.float32(step * 1e-3)  # between hints side by side
    down = _cost(guide[:-1], guide[1:], step) / np.maximum(distance[:-1] + distance[1:], flat)
    across = _cost(guide[:, :-1], guide[:, 1:], step) / np.maximum(distance[:, :-1] + distance[:, 1:], flat)
    for index in range(_PASSES):
        width = _BLEND / 2 * 3**0.5 * 2 ** (_PASSES - 1 - index) / (4**_PASSES - 1) ** 0.5  # their equation 14
        planes = np.ascontiguousarray(planes.transpose(2, 1, 0))
        _smooth(planes, np.exp(-(2**0.5) / width * across.T))
        planes = np.ascontiguousarray(planes.transpose(2, 1, 0))
        _smooth(planes, np.exp(-(2**0.5) / width * down))
    return planes


def _smooth(planes: np.ndarray, kept: np.ndarray) -> None:
    """From the first of `planes` (h, c, w) to the last and back, keep `kept` (h - 1, w) of the one before."""
    for here, there, share in zip(planes[1:], planes[:-1], kept, strict=True):
        here += share * (there - here)
    for here, there, share in zip(planes[-2::-1], planes[:0:-1], kept[::-1], strict=True):
        here += share * (there - here)
