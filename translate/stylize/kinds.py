"""What goes into a repainting and what is heard of it. Pixels are (H, W, 3), float32 in [-1, 1]."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Style(NamedTuple):
    """A painting: pixels, its weight, the part of it that counts, (H, W) in [0, 1] (None: all of it), its name."""

    pixels: np.ndarray
    weight: float = 1.0
    mask: np.ndarray | None = None
    name: str = ""


class Before(NamedTuple):
    """The frame before, of a film: what was made of it, and what it was."""

    made: np.ndarray
    content: np.ndarray


class Progress(NamedTuple):
    """How a repainting gets on: steps done and in all, share of the work, size just now, weighted losses.

    `image` makes the picture as it is now, of that size.
    """

    done: int
    total: int
    share: float
    height: int
    width: int
    style: float
    content: float
    variation: float
    image: Callable[[], np.ndarray]


Watch = Callable[[Progress], None]
