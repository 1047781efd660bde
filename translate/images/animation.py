"""Animated WebP, put together from stills as the container's specification says (Google, WebP Container, 2010-2024).

Every frame is a whole picture. Frames that morph differ in all their pixels, so that differences would save nothing;
and what lies in memory are the encoded frames alone, where Pillow's own writer takes all of them decoded.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from translate.errors import ImageError
from translate.images.picture import Picture
from translate.images.writing import encode

SMALL = 128
"""Pixels a side up to which nothing is lost: pixel art of a young generator shows every trace of an encoder."""
FASTEST = 100
"""Pictures a second; viewers slow down what is faster."""

_ANIMATED, _NOT_BLENDED, _FOREVER = 0x02, 0x02, 0
_LARGEST = 2**32 - 10


def encode_animation(frames: Iterable[np.ndarray], fps: float, *, quality: int | None = None) -> bytes:
    """The file of `frames`, at least one (H, W, C) of one size and 1 or 3 channels, shown over and over.

    `quality` (1 to 100) is WebP's; None: without loss up to 128 pixels a side, else 95. Raises ImageError for channels
    or a quality that WebP does not have, and if the file would pass 4 GiB.
    """
    parts: list[bytes] = []
    height = width = length = 0
    for number, frame in enumerate(frames):
        height, width = frame.shape[:2]
        # Rounded ends, not rounded lengths: 24 frames a second shall take a second.
        milliseconds = round((number + 1) * 1000 / fps) - round(number * 1000 / fps)
        still = encode(Picture(frame, lossless=max(height, width) <= SMALL), ".webp", quality=quality)
        place = _small(0) + _small(0) + _small(width - 1) + _small(height - 1) + _small(milliseconds)
        parts.append(_chunk(b"ANMF", place + bytes([_NOT_BLENDED]) + b"".join(_bitstreams(still))))
        length += len(parts[-1])
        if length > _LARGEST:
            raise ImageError(f"{number + 1} frames pass 4 GiB, the most that a WebP holds: fewer frames, or a folder.")
    canvas = bytes([_ANIMATED, 0, 0, 0]) + _small(width - 1) + _small(height - 1)
    head = _chunk(b"VP8X", canvas) + _chunk(b"ANIM", bytes(4) + _FOREVER.to_bytes(2, "little"))
    return _chunk(b"RIFF", b"".join([b"WEBP", head, *parts]))


def _bitstreams(still: bytes) -> Iterator[bytes]:
    """The chunks of a file of one picture that hold its pixels."""
    place = 12
    while place + 8 <= len(still):
        name, length = still[place : place + 4], int.from_bytes(still[place + 4 : place + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            yield _chunk(name, still[place + 8 : place + 8 + length])
        place += 8 + length + length % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _small(number: int) -> bytes:
    """A number of 24 bits."""
    return number.to_bytes(3, "little")
