"""Open files without hanging, without warnings, and without room for more pixels than are allowed."""

import errno
import os
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from translate.errors import ImageError
from translate.images.formats import too_many

# Filters of the warnings module and Pillow's limit belong to the whole process: two threads that set and restore them
# at once would leave the wrong ones behind. Only heads are read under this lock; pixels are decoded outside.
_QUIET = threading.Lock()
_PILLOWS_LIMIT = Image.MAX_IMAGE_PIXELS or 0


@contextmanager
def regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; raises ImageError if it is a folder, a pipe, a socket or a device."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would be waited for
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP):  # a socket, or a device without a driver
            raise ImageError("not a file.") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ImageError("not a file.")
        yield file


@contextmanager
def quiet(most_pixels: int) -> Iterator[None]:
    """Nothing that Pillow warns of (large images, odd metadata) is trouble, and its limit is ours."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = most_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def opened(file: BinaryIO, name: str, most_pixels: int) -> Iterator[Image.Image]:
    """The Pillow image of a file in the format `name`, not yet decoded."""
    with quiet(most_pixels):
        try:
            image = Image.open(file, formats=[name])  # JPEG has MPO with it
        except UnidentifiedImageError:
            bits = _jpeg_bits(file) if name == "JPEG" else 8
            if bits == 8:
                raise
            raise ImageError(
                f"a JPEG of {bits} bits a channel; of JPEG only 8 are read: save it as PNG or TIFF of 16 bits."
            ) from None
    with image:
        check_size(*image.size, most_pixels)
        yield image


def _jpeg_bits(file: BinaryIO) -> int:
    """Bits a channel that the frame of a JPEG says; 8 where it has none."""
    file.seek(2)
    while len(head := file.read(5)) == 5 and head[0] == 0xFF:
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):  # tables, reserved, conditioning
            return head[4]
        file.seek(int.from_bytes(head[2:4], "big") - 3, os.SEEK_CUR)
    return 8


def load(image: Image.Image) -> None:
    """Decode. Pillow looks at its limit once more for TIFF files."""
    width, height = image.size
    if image.format == "TIFF" and width * height > _PILLOWS_LIMIT:
        with quiet(width * height):
            image.load()
    else:
        image.load()


def check_size(width: int, height: int, most_pixels: int) -> None:
    """Raises ImageError for a picture without pixels, or of more than are allowed."""
    if width < 1 or height < 1:
        raise ImageError(f"its head says {width} x {height} pixels: damaged.")
    if width * height > most_pixels:
        raise ImageError(f"its head says {width} x {height}: {too_many(width * height, most_pixels)}")


def check_canvas(head: bytes, name: str, most_pixels: int) -> None:
    """Check the size that a GIF or WebP declares (32 bytes do), for which Pillow makes room when it opens the file."""
    if name == "GIF" and len(head) >= 10:
        width, height = struct.unpack_from("<HH", head, 6)
        check_size(width, height, most_pixels)
    if name == "WEBP" and head[12:16] == b"VP8X" and len(head) >= 30:
        width, height = (int.from_bytes(head[place : place + 3], "little") + 1 for place in (24, 27))
        check_size(width, height, most_pixels)
    if name == "WEBP" and head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01*" and len(head) >= 30:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
        check_size(width, height, most_pixels)
    if name == "WEBP" and head[12:16] == b"VP8L" and len(head) >= 25:
        sides = int.from_bytes(head[21:25], "little")
        check_size((sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1, most_pixels)
