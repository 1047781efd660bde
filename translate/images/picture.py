"""What a decoded image is: its pixels, and what came with them in the file."""

from dataclasses import dataclass

import numpy as np

MOST_CHANNELS = 16
MOST_PIXELS = 2**28


@dataclass(frozen=True)
class Picture:
    """One decoded image: pixels (H, W, C) in RGB order, or grey with C = 1; uint8, uint16, or float32 in [-1, 1].

    `alpha` is (H, W) of the same depth (float64 in [-1, 1] beside floats), `profile` the ICC profile, `exif` the EXIF
    block with the orientation already applied and its tag reset, `format` the name Pillow gives the file format ("NPY"
    for arrays). `notes` are things to tell the user. The rest is carried from file to file: `xmp`, `photoshop` (image
    resources, IPTC among them), `dpi`, `comment`, `chunks` (other chunks of a PNG), and how the file was encoded:
    JPEG's quantisation `tables` (of luma, of chroma) and `subsampling` (as Pillow numbers it; 0 is 4:4:4), `lossless`
    of a WebP, the least `quality` that is no coarser than a lossy one, `packed` False for a TIFF without compression,
    `bits` of the file where they are not those of `pixels`, and `stored`, the floats of a TIFF in [0, 1] as they lay
    there: in [-1, 1] small ones lose their last bits. The EXIF block holds no thumbnail of the picture as it was.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    format: str = ""
    notes: tuple[str, ...] = ()
    xmp: bytes | None = None
    photoshop: bytes | None = None
    dpi: tuple[float, float] | None = None
    comment: bytes | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: int = -1
    progressive: bool = False
    lossless: bool = False
    quality: int = 100
    packed: bool = True
    bits: int = 0
    stored: np.ndarray | None = None


def hidden(alpha: np.ndarray) -> np.ndarray:
    """Where nothing can be seen, (H, W) of bool."""
    return alpha == (-1 if alpha.dtype.kind == "f" else 0)
