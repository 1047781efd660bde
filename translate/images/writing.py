"""Pictures to files and Pillow images, in the depth and with the extras that the format can hold."""

import io
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from translate import files
from translate.errors import ImageError
from translate.images import colour, png, tags, tiff_writing
from translate.images.arrays import to_depth
from translate.images.bitmaps import bmp, gif, ppm_16
from translate.images.formats import FORMATS, SUFFIXES, reason
from translate.images.picture import Picture

# What is written where nothing is said: at this quality a copy of a copy can hardly be told from the first.
_QUALITY = 95
_LONGEST_SEGMENT = 65533  # bytes that one segment of a JPEG holds
_WITHOUT_PROFILE = ("GIF", "BMP", "PPM", "NPY")
_WITHOUT_ALPHA = ("JPEG", "PPM")

_EIGHT_BITS = ("JPEG", "WEBP", "AVIF", "GIF", "BMP")
_METADATA: tuple[tuple[str, Callable[[Picture], bool], tuple[str, ...]], ...] = (
    ("EXIF", lambda picture: bool(picture.exif), ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")),
    ("XMP", lambda picture: bool(picture.xmp), ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")),
    ("IPTC", lambda picture: bool(picture.photoshop), ("JPEG", "TIFF")),
    ("comment", lambda picture: bool(picture.comment), ("JPEG", "PNG", "GIF")),
    ("text", lambda picture: any(name in (b"tEXt", b"zTXt", b"iTXt") for name, _ in picture.chunks), ("PNG",)),
)
_HELD_ELSEWHERE = ("PNG", "WEBP", "AVIF", "TIFF")  # the format could hold it, in a way that is not written here


def write(path: Path, picture: Picture, *, quality: int | None = None, metadata: bool = True) -> None:
    """Write `picture` in the format of the suffix of `path`, whole or not at all; otherwise as `encode`.

    Raises ImageError as `encode` does, TranslateError if the disk does not take it.
    """
    try:
        data = encode(picture, path.suffix, quality=quality, metadata=metadata)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    files.write_bytes(path, data)


def encode(picture: Picture, suffix: str, *, quality: int | None = None, metadata: bool = True) -> bytes:
    """The file of `picture` in the format of `suffix`.

    Alpha, depth, profile and metadata are kept where the format holds them (`lost` says what it does not): a depth that
    it cannot hold becomes 8 bits, colours for which it has no profile become sRGB, and without alpha what it hid shows
    its nearest visible neighbour. `quality` (1 to 100) is that of JPEG, WebP and AVIF, 95 if None; then a JPEG keeps
    its own tables where they are finer, a lossless WebP stays so, a lossy one gets up to 100 if it was finer, and an
    AVIF that stays one gets 100, for it is not known how fine it was. Without `metadata` only the profile stays: it
    says what the numbers mean. Raises ImageError if the format is unknown or cannot hold the picture.
    """
    suffix = suffix.lower()
    if suffix not in SUFFIXES:
        raise ImageError(f"cannot write {suffix or 'a file without suffix'}. Known: {' '.join(sorted(SUFFIXES))}.")
    if quality is not None and not 1 <= quality <= 100:
        raise ImageError(f"a quality of {quality} will not do: 1 to 100.")
    try:
        return _encoded(picture, suffix, quality, metadata)
    except (OSError, ValueError, MemoryError, OverflowError, RuntimeError, struct.error) as error:
        raise ImageError(f"cannot be written as {suffix}: {reason(error)}") from error


def lost(picture: Picture, suffix: str) -> tuple[str, ...]:
    """What `encode` leaves out of `picture` because a file of `suffix` does not hold it, each in a phrase."""
    suffix = suffix.lower()
    name = "NPY" if suffix == ".npy" else FORMATS.get(suffix, "")
    told = []
    if picture.alpha is not None and name in (*_WITHOUT_ALPHA, "NPY"):
        told.append(f"transparency left out: {suffix} holds none")
    elif picture.alpha is not None and name == "GIF" and np.isin(to_depth(picture.alpha, np.uint8), (0, 255)).all() < 1:
        told.append(f"half transparency left out: {suffix} holds none")
    if picture.pixels.dtype.kind == "f" and name not in ("TIFF", "NPY"):
        told.append(f"{16 if name in ('PNG', 'PPM') else 8} bits: {suffix} holds no more")
    elif picture.pixels.dtype == np.uint16 and name in _EIGHT_BITS:
        told.append(f"8 bits: {suffix} holds no more")
    if _becomes_srgb(picture, name):
        told.append(f"colours became sRGB: {suffix} holds no such profile")
    for kind, has, formats in _METADATA:
        if has(picture) and name not in formats:
            told.append(f"{kind} left out: {suffix} holds none{' here' if name in _HELD_ELSEWHERE else ''}")
    return tuple(told)


def to_pil(pixels: np.ndarray, alpha: np.ndarray | None = None) -> Image.Image:
    """(H, W, C) of 1 or 3 channels as a Pillow image, with `alpha` (H, W) if given; in 8 bits, or 16 if grey."""
    count = _drawable(pixels)
    if pixels.dtype == np.uint16 and count == 1 and alpha is None:
        return Image.fromarray(pixels[..., 0])
    shown = to_depth(pixels, np.uint8)
    if alpha is not None:
        shown = np.concatenate([shown, to_depth(alpha, np.uint8)[..., None]], axis=2)
    return Image.fromarray(np.ascontiguousarray(shown[..., 0] if shown.shape[2] == 1 else shown))


def _drawable(pixels: np.ndarray) -> int:
    count = int(pixels.shape[2])
    if count not in (1, 3):
        raise ImageError(f"an image file holds 1 or 3 channels, not {count}: write .npy instead.")
    return count


def _becomes_srgb(picture: Picture, name: str) -> bool:
    """Files of WebP and AVIF are RGB here or may be, and a profile of grey says nothing of that."""
    profile = picture.profile or b""
    return bool(profile) and (name in _WITHOUT_PROFILE or (name in ("WEBP", "AVIF") and profile[16:20] == b"GRAY"))


def _encoded(picture: Picture, suffix: str, quality: int | None, metadata: bool) -> bytes:
    if suffix == ".npy" or FORMATS[suffix] in _WITHOUT_ALPHA:
        picture = colour.without_alpha(picture)
    if suffix == ".npy":
        picture = colour.as_srgb(picture)
        buffer = io.BytesIO()
        np.save(buffer, picture.pixels)
        return buffer.getvalue()
    count, name = _drawable(picture.pixels), FORMATS[suffix]
    if suffix == ".pgm" and count == 3:
        raise ImageError("a .pgm file is grey; this picture has 3 channels. Write .ppm instead.")
    if _becomes_srgb(picture, name):
        picture = colour.as_srgb(picture)
    if name == "TIFF":
        return tiff_writing.encode(picture, metadata)
    wide = picture.pixels.dtype != np.uint8
    if name == "PPM" and wide:
        return ppm_16(to_depth(picture.pixels, np.uint16))
    depth = np.uint16 if name == "PNG" and wide else np.uint8
    pixels = to_depth(picture.pixels, depth)
    alpha = None if picture.alpha is None else to_depth(picture.alpha, depth)
    if name == "PNG":
        return png.with_extras(png.encode(pixels, alpha), picture, metadata)
    comment = picture.comment if metadata else None
    if name == "GIF":
        return gif(pixels, alpha, comment)
    if name == "BMP":
        return bmp(pixels, alpha, picture.dpi if metadata else None)
    image = to_pil(pixels, alpha if name in ("WEBP", "AVIF") else None)
    options = _options(picture, name, quality, metadata)
    try:
        return _saved(image, name, options)
    except ValueError:
        if "advanced" not in options:
            raise
    del options["advanced"]  # an encoder other than libaom: alpha comes close
    return _saved(image, name, options)


def _saved(image: Image.Image, name: str, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def _options(picture: Picture, name: str, quality: int | None, metadata: bool) -> dict[str, object]:
    """What Pillow's encoders of JPEG, WebP and AVIF are told."""
    options: dict[str, object] = {"quality": _usual(picture, name) if quality is None else quality}
    if name == "JPEG":
        options |= _jpeg_options(picture, quality, metadata)
    if name == "WEBP":
        options["exact"] = True  # what alpha hides stays
        options["lossless"] = picture.lossless and quality is None
    if name == "AVIF" and picture.format == "AVIF" and picture.subsampling in (0, 1) and picture.pixels.shape[2] == 3:
        options["subsampling"] = ("4:4:4", "4:2:2")[picture.subsampling]
    if name == "AVIF" and picture.alpha is not None:
        options["advanced"] = {"a:lossless": "1"}
    if name == "PPM":
        return {}
    if picture.profile:
        options["icc_profile"] = picture.profile
    if metadata and picture.exif:
        # Pillow would pack the block anew, which breaks maker notes, if it found an orientation to put elsewhere.
        options["exif"] = tags.bare(picture.exif) if name == "AVIF" else picture.exif
    if metadata and picture.xmp:
        options["xmp"] = picture.xmp
    return options


def _usual(picture: Picture, name: str) -> int:
    """A file that stays what it was must not become coarser; how fine a lossy AVIF was is not known here."""
    if name not in ("WEBP", "AVIF") or picture.format != name or picture.lossless:
        return _QUALITY
    return max(_QUALITY, picture.quality) if name == "WEBP" else 100


def _jpeg_options(picture: Picture, quality: int | None, metadata: bool) -> dict[str, object]:
    options: dict[str, object] = {}
    if picture.tables and quality is None:
        usual = _usual_tables()
        own = [picture.tables[0], picture.tables[-1]]
        if any(mine < theirs for pair in zip(own, usual, strict=True) for mine, theirs in zip(*pair, strict=True)):
            finest = [[min(values) for values in zip(*pair, strict=True)] for pair in zip(own, usual, strict=True)]
            options["qtables"] = finest[: picture.pixels.shape[2]]
            options["quality"] = -1  # Pillow would scale them by any other
    if picture.format == "JPEG" and picture.subsampling in (0, 1):
        options["subsampling"] = picture.subsampling
    if picture.progressive:
        options["progressive"] = True
    if not metadata:
        return options
    if picture.exif and len(picture.exif) > _LONGEST_SEGMENT:
        raise ImageError(f"EXIF of {len(picture.exif)} bytes is too long for a JPEG: write without metadata, or a PNG.")
    if picture.dpi:
        options["dpi"] = picture.dpi
    if picture.comment:
        options["comment"] = picture.comment
    extra = b"".join(_segment(0xE1, body) for name, body in picture.chunks if name == b"APP1")
    step = _LONGEST_SEGMENT - 14
    for start in range(0, len(picture.photoshop or b""), step):
        extra += _segment(0xED, b"Photoshop 3.0\0" + (picture.photoshop or b"")[start : start + step])
    if extra:
        options["extra"] = extra
    return options


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


@lru_cache(1)
def _usual_tables() -> list[tuple[int, ...]]:
    """The tables of luma and of chroma that the usual quality means."""
    data = _saved(Image.new("RGB", (8, 8)), "JPEG", {"quality": _QUALITY})
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return [tuple(image.quantization[number]) for number in (0, 1)]  # type: ignore[attr-defined]
