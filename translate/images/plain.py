"""Formats that are read here without a decoder: NumPy arrays, and PPM and PGM of 16 bits."""

import io
import re
import threading
from typing import BinaryIO, NamedTuple

import numpy as np

from translate.errors import ImageError
from translate.images.opening import check_size
from translate.images.picture import MOST_CHANNELS

# NumPy has Python parse the head of an array; in Python 3.11 two threads that parse at once can fail ("AST constructor
# recursion depth mismatch").
_PARSING = threading.Lock()
_TOKEN = re.compile(rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])*([^ \t\r\n\v\f#]+)")


def npy_shape(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type of the array in a .npy file; raises ImageError if it is no image."""
    file.seek(0)
    version = np.lib.format.read_magic(file)
    head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with _PARSING:
        shape, fortran, dtype = head(file)
    shaped = (*shape, 1) if len(shape) == 2 else shape
    if len(shaped) != 3 or not 1 <= shaped[2] <= MOST_CHANNELS or 0 in shaped:
        raise ImageError(f"its shape is {shape}, not (H, W) or (H, W, C) with C from 1 to {MOST_CHANNELS}.")
    if dtype.kind != "f" and dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ImageError(f"its type is {dtype}, not uint8, uint16 or float in [-1, 1].")
    return shaped, fortran, dtype


def npy(data: bytes, most_pixels: int) -> np.ndarray:
    """(H, W, C) of uint8, uint16 or float32 in [-1, 1]."""
    file = io.BytesIO(data)
    shape, fortran, dtype = npy_shape(file)
    check_size(shape[1], shape[0], most_pixels)
    count, start = shape[0] * shape[1] * shape[2], file.tell()
    if len(data) - start < count * dtype.itemsize:
        raise ImageError("image file is truncated.")
    array = np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if fortran else "C")
    if dtype.kind != "f":
        return np.array(array, dtype.newbyteorder("="), order="C")
    return checked_floats(array, -1)


def checked_floats(array: np.ndarray, low: int) -> np.ndarray:
    """A new float32 array, C order; raises ImageError if a value is not in [`low`, 1]."""
    if not ((array >= low) & (array <= 1)).all():  # also false for what is not a number
        least, most = float(np.nanmin(array, initial=np.inf)), float(np.nanmax(array, initial=-np.inf))
        extra = ", and some are not numbers" if np.isnan(array).any() else ""
        raise ImageError(
            f"its values go from {least:g} to {most:g}{extra}: floats must lie in [{low}, 1]. Scale them first."
        )
    return np.array(array, np.float32, order="C")


class PpmHead(NamedTuple):
    """The head of a PPM file: its kind (1 to 6), its size, its largest value, and where its pixels begin."""

    kind: int
    width: int
    height: int
    most: int
    start: int


def ppm_head(data: bytes) -> PpmHead:
    """Raises ImageError if the head is cut off or no head."""
    kind, place = int(data[1:2]), 2
    values = []
    for _ in range(2 if kind in (1, 4) else 3):
        match = _TOKEN.match(data, place)
        if match is None or not match[1].isdigit() or len(match[1]) > 10:
            raise ImageError("its head is damaged.")
        values.append(int(match[1]))
        place = match.end()
    most = values[2] if len(values) == 3 else 1
    if not 0 < most < 65536:
        raise ImageError(f"its largest value is {most}: 1 to 65535 are possible.")
    return PpmHead(kind, values[0], values[1], most, place + 1)


def ppm_16(data: bytes, head: PpmHead) -> np.ndarray:
    """(H, W, C) of uint16, its largest value stretched to 65535."""
    count = 3 if head.kind in (3, 6) else 1
    total = head.width * head.height * count
    if head.kind in (5, 6):
        if len(data) - head.start < 2 * total:
            raise ImageError("image file is truncated.")
        values = np.frombuffer(data, ">u2", total, head.start)
    else:
        text = re.sub(rb"#[^\r\n]*", b" ", data[head.start - 1 :]).split()[:total]
        if len(text) < total or (not data[-1:].isspace() and len(text) == total and head.kind in (2, 3)):
            raise ImageError("image file is truncated.")
        values = np.array(text, dtype=np.int64)
    if values.max() > head.most or values.min() < 0:
        raise ImageError(f"a value is larger than {head.most}, which its head calls the largest.")
    shaped = values.reshape(head.height, head.width, count)
    return np.rint(shaped * (65535.0 / head.most)).astype(np.uint16)
