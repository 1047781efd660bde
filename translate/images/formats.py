"""Which files are images, and in a few words why one could not be read or written."""

import os
from pathlib import Path

from PIL import Image, UnidentifiedImageError, features

from translate.errors import ImageError

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
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


def list_images(folder: Path) -> list[Path]:
    """Every image below `folder`, sorted by its relative path; hidden files and folders are left out.

    Raises ImageError for a folder that cannot be looked into.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here, name) for name in names if _is_image(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _refuse(error: OSError) -> None:
    raise ImageError(f"{error.filename}: cannot be looked into: {error.strerror}.") from error


def reason(error: BaseException) -> str:
    """One line for the user, with its full stop, in place of what a decoder or the disk said."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format, or damaged."
    if isinstance(error, Image.DecompressionBombError):
        return "more pixels than a file may have here (it could exhaust the memory)."
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, MemoryError):
        return "too large for the memory."
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error).splitlines()
    return f"{text[0] if text else type(error).__name__}."


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
