"""TIFF files of 8 and 16 bits and of floats, with everything that a picture carries.

Pillow writes no colour of 16 bits, OpenCV no profile and no EXIF.
"""

import struct
import zlib
from fractions import Fraction

import numpy as np

from translate.errors import ImageError
from translate.images import tags
from translate.images.picture import Picture
from translate.images.tags import Directory, Tag, make
from translate.images.tiff import STRUCTURE

_STRIP = 1 << 18  # bytes, before they are packed


def encode(picture: Picture, metadata: bool = True) -> bytes:
    """The whole file. Floats in [-1, 1] are written in [0, 1], as floats of 16 bits if they were that in their file."""
    found, order = _carried(picture) if metadata else ({}, "<")
    values = _values(picture, order)
    height, width, samples = values.shape
    packed = picture.packed or picture.format != "TIFF"
    predictor = (3 if values.dtype.kind == "f" else 2) if packed else 1
    rows = max(1, min(height, _STRIP // max(1, values[0].nbytes)))
    strips = [_strip(values[first : first + rows], predictor, order) for first in range(0, height, rows)]
    lengths = [len(strip) for strip in strips]
    places = [int(place) for place in 8 + np.cumsum([0, *(length + length % 2 for length in lengths[:-1])])]
    bits = values.dtype.itemsize * 8
    found |= {
        256: make(order, 4, width),
        257: make(order, 4, height),
        258: make(order, 3, *[bits] * samples),
        259: make(order, 3, 8 if packed else 1),
        262: make(order, 3, 1 if picture.pixels.shape[2] == 1 else 2),
        273: make(order, 4, *places),
        277: make(order, 3, samples),
        278: make(order, 4, rows),
        279: make(order, 4, *lengths),
        284: make(order, 3, 1),
        339: make(order, 3, *[3 if values.dtype.kind == "f" else 1] * samples),
    }
    if predictor > 1:
        found[317] = make(order, 3, predictor)
    if picture.alpha is not None:
        found[338] = make(order, 3, 2)
    if picture.profile:
        found[tags.PROFILE] = Tag(7, picture.profile)
    end = places[-1] + lengths[-1] + lengths[-1] % 2
    if end + sum(len(tag.data) for tag in found.values()) > (1 << 32) - (1 << 20):
        raise ImageError("more than 4 GiB: too large for a TIFF file.")
    begin = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, end)
    body = b"".join(strip + b"\0" * (len(strip) % 2) for strip in strips)
    return begin + body + tags.pack(found, order, end)


def _carried(picture: Picture) -> tuple[Directory, str]:
    """The tags that say something about the picture, and the order of bytes that they are in."""
    block = tags.unblock(picture.exif)
    order = block[1].order if block else "<"
    found = {number: tag for number, tag in block[0].items() if number not in STRUCTURE} if block else {}
    if picture.xmp:
        found[tags.XMP] = Tag(1, picture.xmp)
    if picture.photoshop:
        found[tags.PHOTOSHOP] = Tag(7, picture.photoshop)
    if picture.dpi and 282 not in found:
        for number, value in zip((282, 283), picture.dpi, strict=True):
            part = Fraction(value).limit_denominator(10_000)
            found[number] = Tag(5, struct.pack(order + "II", part.numerator, part.denominator))
        found[296] = make(order, 3, 2)
    return found, order


def _values(picture: Picture, order: str) -> np.ndarray:
    """(H, W, samples) as the file is to hold them, in its order of bytes."""
    planes = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha[..., None]]
    if picture.pixels.dtype.kind == "f":
        kind = f"{order}f2" if picture.bits == 16 else f"{order}f4"
        stored = picture.stored
        if stored is not None and stored.shape == picture.pixels.shape:
            same = stored * 2 - 1 == picture.pixels
            whole = np.where(same, stored, (picture.pixels.astype(np.float64) + 1) / 2)
            rest = [(plane.astype(np.float64) + 1) / 2 for plane in planes[1:]]
            return np.concatenate([whole.astype(kind), *(plane.astype(kind) for plane in rest)], axis=2)
        return np.concatenate([((plane.astype(np.float64) + 1) / 2).astype(kind) for plane in planes], axis=2)
    return np.concatenate(planes, axis=2).astype(f"{order}u{picture.pixels.dtype.itemsize}")


def _strip(values: np.ndarray, predictor: int, order: str) -> bytes:
    if predictor == 2:
        native = values.astype(values.dtype.newbyteorder("="))
        native[:, 1:] -= native[:, :-1].copy()
        return zlib.compress(native.astype(values.dtype).tobytes(), 4)
    if predictor == 3:
        height, _, samples = values.shape
        size = values.dtype.itemsize
        numbers = np.ascontiguousarray(values.astype(f">f{size}").reshape(height, -1, 1)).view(np.uint8)
        planes = np.ascontiguousarray(numbers.swapaxes(1, 2)).reshape(height, -1, samples)
        planes[:, 1:] -= planes[:, :-1].copy()
        return zlib.compress(planes.tobytes(), 4)
    return values.tobytes()
