"""What a decoded image is: its pixels, and what came with them in the file."""

from dataclasses import dataclass

import numpy as np

MOST_CHANNELS = 16


@dataclass(frozen=True)
class Picture:
    """One decoded image: pixels (H, W, C) in RGB order, or grey with C = 1; uint8, uint16, or float32 in [-1, 1].

    `alpha` is (H, W) of the same depth, `profile` the ICC profile, `exif` the EXIF block with the orientation already
    applied and its tag reset, `format` the name Pillow gives the file format ("NPY" for arrays).
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    format: str = ""
