"""Which file formats there are, how to tell them by their first bytes, and why one could not be read or written."""

import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from translate.images.picture import Picture

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".gif": "GIF",
    ".avif": "AVIF",
}
if not features.check("avif"):
    del FORMATS[".avif"]
SUFFIXES: frozenset[str] = frozenset([*FORMATS, ".npy"])

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"\x93NUMPY": "NPY",
}


def format_of(head: bytes) -> str:
    """The format of a file that begins with `head` (16 bytes do), "" if it is none of ours."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if head[:1] == b"P" and head[1:2] in tuple(b"%d" % kind for kind in range(1, 7)):
        return "PPM"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    return "AVIF" if brand in (b"avif", b"avis", b"mif1", b"msf1") and ".avif" in FORMATS else ""


def suffix_of(picture: Picture) -> str:
    """The usual suffix of the format that `picture` was read from; .png if it came from no file, .npy for arrays."""
    count = picture.pixels.shape[2]
    if count not in (1, 3):
        return ".npy"
    if picture.format == "PPM":
        return ".pgm" if count == 1 else ".ppm"
    if picture.format == "NPY":
        return ".npy"
    return next((suffix for suffix, name in FORMATS.items() if name == picture.format), ".png")


def lie(path: Path, found: str) -> tuple[str, ...]:
    """A note if the suffix of `path` says another format than `found`."""
    suffix = path.suffix.lower()
    said = "NPY" if suffix == ".npy" else FORMATS.get(suffix, found)
    return () if said == found else (f"{found}, though its name says {path.suffix}",)


def too_many(found: int, most: int) -> str:
    """The reason for refusing a picture of `found` pixels."""
    return (
        f"{found} pixels, more pixels than the {most} that are allowed here: it could exhaust the memory. If it is "
        f"sound, allow more: --max-pixels {found}."
    )


def reason(error: BaseException) -> str:
    """One line for the user, with its full stop, in place of what a decoder or the disk said."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format, or damaged."
    if isinstance(error, Image.DecompressionBombError):
        found, twice = map(int, re.findall(r"\d+", str(error))[:2])  # Pillow forgives up to twice its limit
        return too_many(found, twice // 2)
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, MemoryError):
        return "too large for the memory."
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error).splitlines()
    return f"{(text[0] if text else type(error).__name__).rstrip('.')}."
