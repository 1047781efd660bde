"""TIFF files that Pillow would cut down to 8 bits or refuse: 16 bits and floats, from their own tags.

libtiff, through Pillow, unpacks them as one long grey line a row, whatever they hold; what the numbers mean is put
together here. That way every compression that libtiff knows is read, in any number of channels.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from translate.errors import ImageError
from translate.images import opening, tags
from translate.images.tags import Directory, Head, numbers

_PHOTOMETRIC = {0: "white is zero", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "CIELAB"}
_USUAL_TILE = 1 << 18  # pixels of one tile that is no reason to refuse a small picture
# What says how the pixels lie in the file, and nothing of the picture.
STRUCTURE = frozenset(
    {
        *(*range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294), 297, 301, *range(317, 320)),
        *(*range(320, 333), 338, 339, 340, 341, 347, *range(512, 522), 529, 530, 531, 532, 559),
        *(tags.ORIENTATION, tags.XMP, tags.PHOTOSHOP, tags.PROFILE, tags.LAYERS, 37439),
    }
)


@dataclass(frozen=True)
class Layout:
    """What the tags of the first picture in a file say."""

    start: Head
    found: Directory
    pages: int
    width: int
    height: int
    bits: int
    samples: int
    floats: bool
    photometric: int
    compression: int

    def values(self, number: int, usual: tuple[int, ...] = ()) -> tuple[int, ...]:
        return numbers(self.found.get(number), self.start.order) or usual

    @property
    def orientation(self) -> int:
        value = self.values(tags.ORIENTATION, (1,))[0]
        return value if 1 <= value <= 8 else 1

    @property
    def wide(self) -> bool:
        """Whether Pillow would not give all of it; CMYK loses more on the way to RGB than its last bits."""
        if self.photometric == 5:
            return False
        return self.floats or self.bits >= 16

    @property
    def channels(self) -> int:
        return 1 if self.photometric in (0, 1) else 3


def layout(data: bytes) -> Layout:
    """Raises ImageError if the file says no size."""
    try:
        start = tags.head(data)
        found = tags.directory(data, start, start.first)
        pages = _pages(data, start)
    except (struct.error, ValueError, OverflowError):
        raise ImageError("not an image of a known format, or damaged.") from None
    order = start.order
    width, height = numbers(found.get(256), order), numbers(found.get(257), order)
    if not width or not height or not width[0] or not height[0]:
        raise ImageError("its tags say no size: damaged.")
    bits = numbers(found.get(258), order) or (1,)
    samples = (numbers(found.get(277), order) or (len(bits),))[0]
    kinds = numbers(found.get(339), order) or (1,)
    photometric = (numbers(found.get(262), order) or (2 if samples >= 3 else 1,))[0]
    compression = (numbers(found.get(259), order) or (1,))[0]
    return Layout(start, found, pages, width[0], height[0], max(bits), samples, 3 in kinds, photometric, compression)


def sides(file: BinaryIO) -> tuple[int, int] | None:
    """(width, height) of the first picture, of which no more than its directory is read; None if that says nothing."""
    file.seek(0)
    try:
        start = tags.head(file.read(16))
        file.seek(start.first)
        values = tags.inline(file.read(tags.LONGEST), start)
    except (struct.error, ValueError, OverflowError, OSError):
        return None
    width, height = values.get(256), values.get(257)
    return (width, height) if width and height else None


def _pages(data: bytes, start: Head) -> int:
    seen, following = {start.first}, tags.following(data, start, start.first)
    while following and following not in seen and len(seen) < 10_000:
        seen.add(following)
        try:
            following = tags.following(data, start, following)
        except struct.error:
            break
    return len(seen)


def decode(data: bytes, file: Layout) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels (H, W, C) and alpha (H, W), as they lie: uint16, or for floats the floats that the file holds."""
    _check(file)
    if file.values(284, (1,))[0] == 2 and file.samples > 1:
        planes = [_samples(data, file, plane)[..., 0] for plane in range(file.samples)]
        values = np.stack(planes, axis=2)
    else:
        values = _samples(data, file, None)
    if file.photometric == 0:
        values = 1 - values if file.floats else 65535 - values
    count = file.channels
    extra = file.values(338, (2,))[0] if file.samples > count else 0
    pixels = np.ascontiguousarray(values[..., :count])
    if extra not in (1, 2):
        return pixels, None
    alpha = np.ascontiguousarray(values[..., count])
    if extra == 1:
        pixels = _straight(pixels, alpha)
    return pixels, alpha


def _straight(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Pixels that were multiplied by alpha, divided again."""
    share = alpha[..., None].astype(np.float64)
    if pixels.dtype == np.uint16:
        return np.rint(np.minimum(pixels * 65535.0 / np.maximum(share, 1), 65535)).astype(np.uint16)
    return np.where(share > 0, pixels / np.where(share > 0, share, 1), pixels).clip(0, 1).astype(pixels.dtype)


def check_tiles(file: Layout, most_pixels: int) -> None:
    """Raises ImageError for tiles that take more than is allowed, however small the picture in them is."""
    tile = file.values(322)[:1] + file.values(323)[:1]
    if len(tile) == 2 and all(tile):
        width, height = -(-file.width // tile[0]) * tile[0], -(-file.height // tile[1]) * tile[1]
        if width * height > max(most_pixels, _USUAL_TILE):
            opening.check_size(width, height, most_pixels)


def _check(file: Layout) -> None:
    bits, kinds = set(file.values(258, (1,))), set(file.values(339, (1,)))
    known = kinds == {3} and bits <= {16, 32, 64} if file.floats else kinds <= {1, 4} and bits == {16}
    if not known or len(bits) != 1:
        kind = "floats" if file.floats else "signed whole numbers" if kinds == {2} else "whole numbers"
        text = "/".join(str(value) for value in sorted(bits))
        raise ImageError(f"{kind} of {text} bits: a TIFF holds whole numbers of 8 or 16 bits, or floats in [0, 1].")
    if file.photometric not in (0, 1, 2):
        name = _PHOTOMETRIC.get(file.photometric, str(file.photometric))
        raise ImageError(f"{name} of {file.bits} bits: grey and RGB are understood.")
    if file.samples < file.channels:
        raise ImageError(f"{file.samples} channels for {_PHOTOMETRIC[file.photometric]}: damaged.")


def _samples(data: bytes, file: Layout, plane: int | None) -> np.ndarray:
    """(H, W, samples) of one plane, or of all samples where they lie side by side (`plane` None)."""
    count = file.samples if plane is None else 1
    words = file.bits // 16  # libtiff is told that all are grey numbers of 16 bits
    tile = file.values(322) + file.values(323)
    if tile and (len(tile) != 2 or 0 in tile or max(tile) > 1 << 20):
        raise ImageError("its tiles have no size: damaged.")
    width = -(-file.width // tile[0]) * tile[0] if tile else file.width
    height = -(-file.height // tile[1]) * tile[1] if tile else file.height
    raw = _unpacked(data, file, plane, (width, height), count * words)
    span = tile[0] if tile else width
    predictor = file.values(317, (1,))[0] if file.compression != 1 else 1
    parts = raw.reshape(height, width // span, span * count * words)
    order = file.start.order
    kind = np.dtype(f"{order}{'f' if file.floats else 'u'}{file.bits // 8}")
    if predictor == 3 and file.floats:
        values = _undo_floats(parts.astype(order + "u2").view(np.uint8), count, file.bits // 8)
    elif predictor == 2:
        whole = parts.astype(order + "u2").view(f"{order}u{file.bits // 8}").reshape(height, -1, span, count)
        values = np.cumsum(whole, axis=2, dtype=f"u{file.bits // 8}").view(kind.newbyteorder("="))
    else:
        values = parts.astype(order + "u2").view(kind)
    shaped = values.reshape(height, width, count)[: file.height, : file.width]
    return np.ascontiguousarray(shaped.astype(kind.newbyteorder("=")))


def _undo_floats(rows: np.ndarray, count: int, size: int) -> np.ndarray:
    """Predictor 3 (Adobe Photoshop TIFF technical note 3): differences of bytes, the first bytes of all first."""
    height, tiles, length = rows.shape
    summed = np.cumsum(rows.reshape(height, tiles, -1, count), axis=2, dtype=np.uint8)
    planes = summed.reshape(height, tiles, size, length // size)
    return np.ascontiguousarray(planes.swapaxes(2, 3)).view(f">f{size}")


def _unpacked(data: bytes, file: Layout, plane: int | None, size: tuple[int, int], words: int) -> np.ndarray:
    """Rows of 16-bit words: the file with a directory at its end that calls it grey."""
    order, found, (width, height) = file.start.order, file.found, size
    places, lengths = (324, 325) if 322 in found else (273, 279)
    segments = [file.values(places), file.values(lengths)]
    if not all(segments) or len(segments[0]) != len(segments[1]):
        raise ImageError("its tags do not say where the pixels lie: damaged.")
    if plane is not None:
        share = len(segments[0]) // file.samples
        segments = [each[plane * share : (plane + 1) * share] for each in segments]
    if max(where + length for where, length in zip(*segments, strict=True)) > len(data):
        raise ImageError("image file is truncated.")
    simple = {256: (4, width * words), 257: (4, height), 258: (3, 16), 259: (3, file.compression), 262: (3, 1)}
    simple |= {277: (3, 1), 284: (3, 1), 266: (3, file.values(266, (1,))[0])}
    if 322 in found:
        simple |= {322: (4, file.values(322)[0] * words), 323: (4, file.values(323)[0])}
    else:
        simple |= {278: (4, min(file.values(278, (height,))[0], height))}
    fresh = {number: tags.make(order, kind, value) for number, (kind, value) in simple.items()}
    fresh |= {places: tags.make(order, 4, *segments[0]), lengths: tags.make(order, 4, *segments[1])}
    body = data + b"\0" * (len(data) % 2)
    if len(body) >= 1 << 32:
        raise ImageError("more than 4 GiB: too large.")
    begin = data[:2] + struct.pack(order + "HI", 42, len(body))
    if file.start.big and min(segments[0]) < 16:
        raise ImageError("its pixels lie in its head: damaged.")
    whole = begin + body[8:] + tags.pack(fresh, order, len(body))
    with opening.opened(io.BytesIO(whole), "TIFF", width * height * words) as image:
        opening.load(image)
        return np.asarray(image).astype(np.uint16)
