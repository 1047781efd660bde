"""A frame of a film from the one before: what was painted, moved along with what moved.

Ruder, Dosovitskiy, Brox, "Artistic style transfer for videos", GCPR 2016: the picture before, warped along the optical
flow, is where the next one begins, and what it should stay near wherever flow there and back agree. The flow is DIS
(Kroeger et al., ECCV 2016), as OpenCV computes it.
"""

from typing import NamedTuple

import cv2
import numpy as np

from translate import images
from translate.stylize.kinds import Before

_SMALLEST = 32
"""Pixels a side below which DIS finds nothing to follow."""
_CHANGED = 0.1
"""In [-1, 1]: a pixel that differs by so much from where it is said to come from did not come from there."""


class Followed(NamedTuple):
    """The picture before, moved along, (H, W, 3), and where that can be trusted, (H, W) of 0 and 1."""

    image: np.ndarray
    trust: np.ndarray


def follow(before: Before, content: np.ndarray) -> Followed:
    """What was made of the frame before as it would look now; where nothing can be trusted it is `content`.

    Arrays are (H, W, 3), float32 in [-1, 1], all of one size.
    """
    now, then = _grey(content), _grey(before.content)
    if min(now.shape) < _SMALLEST:
        back, there = np.zeros((*now.shape, 2), np.float32), np.zeros((*now.shape, 2), np.float32)
    else:
        finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        begin = np.zeros((*now.shape, 2), np.float32)
        back, there = finder.calc(now, then, begin.copy()), finder.calc(then, now, begin)
    moved, came = _warped(before.made, back), _warped(before.content, back)
    returned = back + _warped(there, back)
    # Eq. (7) of the paper: there and back does not lead where it began.
    bound = 0.01 * ((back**2).sum(axis=2) + (_warped(there, back) ** 2).sum(axis=2)) + 0.5
    lost = (returned**2).sum(axis=2) > bound
    lost |= np.abs(came - content).mean(axis=2) > _CHANGED
    lost |= _outside(back)
    trust = (~lost).astype(np.float32)
    return Followed(np.where(trust[..., None] > 0, moved, content).astype(np.float32), trust)


def _grey(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(images.to_depth(pixels, np.uint8), cv2.COLOR_RGB2GRAY)


def _places(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return columns + flow[..., 0], rows + flow[..., 1]


def _warped(values: np.ndarray, flow: np.ndarray) -> np.ndarray:
    columns, rows = _places(flow)
    return cv2.remap(values.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _outside(flow: np.ndarray) -> np.ndarray:
    columns, rows = _places(flow)
    height, width = flow.shape[:2]
    return (columns < 0) | (columns > width - 1) | (rows < 0) | (rows > height - 1)
