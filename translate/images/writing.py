"""Pictures to files and Pillow images, in the depth and with the extras that the format can hold."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from translate import files
from translate.errors import ImageError
from translate.images.arrays import to_depth
from translate.images.formats import FORMATS, SUFFIXES, reason
from translate.images.picture import Picture


def write(path: Path, picture: Picture, *, quality: int = 95) -> None:
    """Write `picture` in the format of the suffix of `path`, whole or not at all.

    Profile, EXIF and alpha are kept where the format holds them; a depth that it cannot hold becomes 8 bits. Raises
    ImageError if the format is unknown or cannot hold so many channels, TranslateError if the disk does not take it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ImageError(f"{path}: cannot write {suffix or 'a file without suffix'}. Known: {_known()}.")
    try:
        data = _encode(picture, suffix, quality)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except (OSError, ValueError, cv2.error) as error:
        raise ImageError(f"{path} cannot be written: {reason(error)}") from error
    files.write_bytes(path, data)


def to_pil(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Image.Image:
    """(H, W, C) of 1 or 3 channels as a Pillow image, with `alpha` (H, W) if given; in 8 bits, or 16 if grey."""
    count = _drawable(pixels)
    if pixels.dtype == np.uint16 and count == 1 and alpha is None:
        return Image.fromarray(pixels[..., 0])
    shown = to_depth(pixels, np.uint8)
    if alpha is not None:
        shown = np.concatenate([shown, to_depth(alpha, np.uint8)[..., None]], axis=2)
    return Image.fromarray(np.ascontiguousarray(shown[..., 0] if shown.shape[2] == 1 else shown))


def _known() -> str:
    return " ".join(sorted(SUFFIXES))


def _drawable(pixels: np.ndarray) -> int:
    count = int(pixels.shape[2])
    if count not in (1, 3):
        raise ImageError(f"an image file holds 1 or 3 channels, not {count}: write .npy instead.")
    return count


def _encode(picture: Picture, suffix: str, quality: int) -> bytes:
    if suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, picture.pixels)
        return buffer.getvalue()
    _drawable(picture.pixels)
    if picture.pixels.dtype == np.uint16 and suffix == ".png":
        return _png_16(picture)
    if picture.pixels.dtype == np.uint16 and suffix in (".tif", ".tiff", ".ppm", ".pgm"):
        return _wide_16(picture, suffix)
    name = FORMATS[suffix]
    alpha = picture.alpha if name in ("PNG", "TIFF", "WEBP", "GIF", "AVIF") else None
    pixels = to_depth(picture.pixels, np.uint8)
    image = to_pil(pixels, alpha)
    if suffix == ".pgm" and pixels.shape[2] == 3:
        raise ImageError("a .pgm file is grey; this picture has 3 channels. Write .ppm instead.")
    options: dict[str, object] = {}
    if name in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = quality
    if name == "PNG":
        options["compress_level"] = 1
    if picture.profile and name != "PPM":
        options["icc_profile"] = picture.profile
    if picture.exif and name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        options["exif"] = picture.exif
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _png_16(picture: Picture) -> bytes:
    """A PNG of 16 bits with profile, EXIF and alpha: neither Pillow nor OpenCV writes all of them."""
    height, width, count = picture.pixels.shape
    planes = [picture.pixels] if picture.alpha is None else [picture.pixels, picture.alpha[..., None]]
    kind = {1: 0, 3: 2}[count] | (0 if picture.alpha is None else 4)
    lines = np.concatenate(planes, axis=2).astype(">u2").reshape(height, -1).view(np.uint8)
    # Filter 2: each line less the one above, modulo 256; smooth pictures become much smaller.
    filtered = np.full((height, 1 + lines.shape[1]), 2, np.uint8)
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    if picture.profile:
        chunks.append((b"iCCP", b"ICC\0\0" + zlib.compress(picture.profile)))
    if picture.exif:
        chunks.append((b"eXIf", picture.exif.removeprefix(b"Exif\0\0")))
    chunks += [(b"IDAT", zlib.compress(filtered.tobytes(), 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _wide_16(picture: Picture, suffix: str) -> bytes:
    pixels = picture.pixels[..., ::-1]
    if picture.alpha is not None and suffix.startswith(".tif"):
        colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        pixels = np.concatenate([colour, picture.alpha[..., None]], axis=2)
    _, data = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    return data.tobytes()
