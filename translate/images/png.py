"""The chunks of PNG files: what they carry, 16 bits decoded, chunks put back."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from translate.errors import ImageError
from translate.images.picture import Picture

Chunk = tuple[bytes, bytes]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Whatever else a PNG may hold says something about its old bits, not about the picture.
_COLOUR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"pHYs", b"tIME")
_PILLOWS = (b"tRNS", b"pHYs", b"acTL", b"fcTL", b"fdAT")  # what Pillow is to know of a file beside its pixels
_LARGEST_PROFILE = 16 << 20
_XMP = b"XML:com.adobe.xmp"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class Head(NamedTuple):
    """The fields of IHDR."""

    width: int
    height: int
    bits: int
    kind: int
    interlaced: bool


def head(data: bytes) -> Head:
    """The head of the file that begins with `data`; raises ImageError if it is cut off."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ImageError("not an image of a known format, or damaged.")
    width, height, bits, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    return Head(width, height, bits, kind, bool(interlaced))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of every whole chunk."""
    place = 8
    while place + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            return
        yield name, place + 8, length
        place += 12 + length


def without_pixels(file: BinaryIO) -> bytes:
    """The file as `carried` needs it, without reading its pixels."""
    parts, start = [_SIGNATURE], 8
    file.seek(start)
    while len(front := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", front)
        if name != b"IDAT":
            parts.append(front + file.read(length + 4))
        start += 12 + length
        file.seek(start)
    return b"".join(parts)


def plain(data: bytes) -> bytes:
    """The file as Pillow is to have it: it would refuse one for the size of a text or a profile."""
    parts, place = [data[:8]], 8
    for name, start, length in chunks(data):
        if name[:1].isupper() or name in _PILLOWS:
            parts.append(data[start - 8 : start + length + 4])
        place = start + length + 4
    return b"".join([*parts, data[place:]])  # a rest means that the file is cut off


def profile(data: bytes) -> tuple[bytes | None, str]:
    """The colour profile of the file `data`, or why it has none."""
    for name, start, length in chunks(data):
        if name != b"iCCP":
            continue
        packed = data[start : start + length].partition(b"\0")[2][1:]
        unpacker = zlib.decompressobj()
        try:
            found = unpacker.decompress(packed, _LARGEST_PROFILE)
        except zlib.error:
            return None, "its colour profile is broken and was taken for sRGB"
        if unpacker.unconsumed_tail:
            most = _LARGEST_PROFILE >> 20
            return None, f"its colour profile is larger than {most} MB and was taken for sRGB"
        return found or None, ""
    return None, ""


def carried(data: bytes) -> tuple[dict[bytes, bytes], tuple[Chunk, ...]]:
    """Of the file `data`: exif, xmp and tRNS by their chunk's name (iTXt for XMP), and all else worth keeping."""
    single: dict[bytes, bytes] = {}
    kept: list[Chunk] = []
    for name, start, length in chunks(data):
        if name not in (*_COLOUR, *_METADATA, b"eXIf", b"tRNS"):
            continue
        body = data[start : start + length]
        if zlib.crc32(name + body) != struct.unpack_from(">I", data, start + length)[0]:
            continue
        if name in (b"eXIf", b"tRNS"):
            single[name] = body
        elif name == b"iTXt" and body.startswith(_XMP + b"\0"):
            single[name] = _text(body)
        elif body.startswith(b"Raw profile type exif\0") and name in (b"tEXt", b"zTXt"):
            with contextlib.suppress(ValueError, zlib.error):
                single.setdefault(b"eXIf", _raw_exif(name, body))
        else:
            kept.append((name, body))
    return single, tuple(kept)


def _text(body: bytes) -> bytes:
    packed = body[len(_XMP) + 1 : len(_XMP) + 2] == b"\1"
    text = body[len(_XMP) + 3 :].split(b"\0", 2)[-1]
    if not packed:
        return text
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj().decompress(text, 1 << 26)
    return b""


def _raw_exif(name: bytes, body: bytes) -> bytes:
    """The block that ImageMagick wrote as hexadecimal text before PNG had a chunk for it."""
    text = body.split(b"\0", 1)[1]
    if name == b"zTXt":
        text = zlib.decompressobj().decompress(text[1:], 1 << 26)
    return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:])).removeprefix(b"Exif\0\0")


def key_alpha(pixels: np.ndarray, key: bytes, bits: int) -> np.ndarray:
    """Alpha (H, W) that hides one colour, as tRNS of a picture without palette says, in the depth of `pixels`."""
    most = np.iinfo(pixels.dtype).max
    count = pixels.shape[2]
    if len(key) < 2 * count:
        return np.full(pixels.shape[:2], most, pixels.dtype)
    colour = np.frombuffer(key, ">u2", count).astype(np.int64) * (most // (2**bits - 1))
    return np.where((pixels == colour).all(axis=2), 0, most).astype(pixels.dtype)


def decode_16(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels (H, W, C) and alpha (H, W) of a file of 16 bits."""
    found = head(data)
    packed = b"".join(data[start : start + length] for name, start, length in chunks(data) if name == b"IDAT")
    # OpenCV would fill up what is missing.
    unpacker = zlib.decompressobj()
    samples, size = _SAMPLES[found.kind], 0
    piece = unpacker.decompress(packed, 1 << 24)
    while piece:
        size += len(piece)
        piece = unpacker.decompress(unpacker.unconsumed_tail, 1 << 24)
    if size < found.height * (1 + 2 * samples * found.width):
        raise ImageError("image file is truncated.")
    # Only what says how the pixels look: other chunks could have OpenCV turn or convert them.
    plain = join(data[16:29], [(b"IDAT", packed)])
    pixels = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError("cannot decode its 16 bits.")
    if pixels.ndim == 2:
        return pixels[..., None], None
    alpha = np.ascontiguousarray(pixels[..., 3]) if found.kind in (4, 6) else None
    return np.ascontiguousarray(pixels[..., :1] if found.kind in (0, 4) else pixels[..., 2::-1]), alpha


def encode(pixels: np.ndarray, alpha: np.ndarray | None) -> bytes:
    """A file of 8 or 16 bits, without extras: Pillow writes no colour of 16 bits, and takes twice the time for 8."""
    height, width, count = pixels.shape
    values = pixels if alpha is None else np.concatenate([pixels, alpha[..., None]], axis=2)
    kind, bits = {1: 0, 3: 2}[count] | (0 if alpha is None else 4), 8 * pixels.itemsize
    lines = np.ascontiguousarray(values, f">u{pixels.itemsize}").reshape(height, -1).view(np.uint8)
    # Filter 2: each line less the one above, modulo 256; smooth pictures become much smaller.
    filtered = np.full((height, 1 + lines.shape[1]), 2, np.uint8)
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    return join(
        struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0), [(b"IDAT", zlib.compress(filtered.tobytes(), 1))]
    )


def join(ihdr: bytes, others: list[Chunk]) -> bytes:
    """A PNG file of these chunks."""
    return _SIGNATURE + b"".join(_whole(*chunk) for chunk in [(b"IHDR", ihdr), *others, (b"IEND", b"")])


def with_extras(data: bytes, picture: Picture, metadata: bool) -> bytes:
    """The PNG file `data` with what `picture` carries; without `metadata`, only what says what the colours mean."""
    extras: list[Chunk] = [chunk for chunk in picture.chunks if chunk[0] in _COLOUR]
    if picture.profile:
        extras.append((b"iCCP", b"ICC\0\0" + zlib.compress(picture.profile)))
    if metadata:
        others = [chunk for chunk in picture.chunks if chunk[0] in _METADATA]
        if picture.dpi and not any(name == b"pHYs" for name, _ in others):
            others.append((b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in picture.dpi), 1)))
        if picture.comment and not picture.chunks:
            others.append((b"tEXt", b"Comment\0" + picture.comment.replace(b"\0", b"")))
        if picture.xmp:
            others.append((b"iTXt", _XMP + b"\0\0\0\0\0" + picture.xmp))
        if picture.exif:
            others.append((b"eXIf", picture.exif.removeprefix(b"Exif\0\0")))
        extras += others
    return data[:33] + b"".join(_whole(*chunk) for chunk in extras) + data[33:]


def _whole(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
