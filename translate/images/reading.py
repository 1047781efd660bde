"""Files and Pillow images to pictures: decode, turn upright, refuse what is damaged."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from translate.errors import ImageError
from translate.images import colour, metadata, opening, plain, png, tiff
from translate.images.decoding import Decoded, bare_jpeg, is_grey, of_pillow, upright
from translate.images.formats import format_of, lie, reason
from translate.images.metadata import Fields
from translate.images.picture import MOST_PIXELS, Picture

_UNKNOWN = "not an image of a known format, or damaged."
_START = 1 << 16  # bytes in which a head lies
_LARGE = 1 << 22  # bytes of a file whose head is looked at first; smaller ones are read at once, which is faster


def read(path: Path, *, most_pixels: int | None = None) -> Picture:
    """Decode the file at `path` by its content, upright, in its own depth and colour space.

    Raises ImageError, naming it and the reason, if any part cannot be read or its head says more than `most_pixels`
    (default MOST_PIXELS).
    """
    with _naming(path):
        most = MOST_PIXELS if most_pixels is None else most_pixels
        return _picture_of(path, _bytes(path, most), most)


def read_pixels(path: Path) -> np.ndarray:
    """(H, W, C) as training sees the file: see `to_model`, but what was converted is uint16, cut to what sRGB has."""
    with _naming(path):
        data = _bytes(path, MOST_PIXELS)
        bare = bare_jpeg(data, MOST_PIXELS)  # nothing to convert, and most data sets are of these
        if bare is not None:
            return bare
        picture = _picture_of(path, data, MOST_PIXELS)
    pixels = colour.to_model(picture)
    if pixels.dtype == picture.pixels.dtype:
        return pixels
    return np.rint((pixels.clip(-1, 1) + 1) * np.float32(32767.5)).astype(np.uint16)


def from_pil(image: Image.Image) -> Picture:
    """The picture that `read` would give for the file of `image`; 8-bit modes, 16-bit grey and 32-bit float."""
    try:
        with opening.quiet(MOST_PIXELS):
            exif = None if image.format == "TIFF" else image.getexif()
        found = metadata.carried(image, b"")
        if exif and not found["exif"]:  # set by the caller, or by another program in a way that only Pillow knows
            found["exif"] = metadata.prefixed(exif.tobytes())
        return _picture(image, of_pillow(image, b""), found, 1 if image.format == "TIFF" else None)
    except ImageError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"The image cannot be read: {reason(error)}") from error


def channels(path: Path) -> int:
    """How many channels `read` would give, from the head of the file; alpha is not counted."""
    return _head(path)[2]


def size(path: Path) -> tuple[int, int]:
    """(height, width) that `read` would give, from the head of the file."""
    return _head(path)[:2]


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Whatever is raised becomes an ImageError that begins with `path`."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        raise ImageError(f"{path}: {reason(error)}") from error


def _bytes(path: Path, most: int) -> bytes:
    with opening.regular(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGE:
            _look_ahead(file, most)
            file.seek(0)
        return file.read()


def _picture_of(path: Path, data: bytes, most: int) -> Picture:
    picture = _decoded(data, most)
    return _noted(picture, lie(path, picture.format))


def _format(start: bytes) -> str:
    """The format of a file that begins so; raises ImageError if it is none of ours."""
    name = format_of(start[:16])
    if not name:
        raise ImageError(_UNKNOWN if start else "the file is empty.")
    return name


def _look_ahead(file: BinaryIO, most: int) -> None:
    """Raises ImageError for what is no image or says that it is too large, before it fills the memory."""
    start = file.read(_START)
    name = _format(start)
    opening.check_canvas(start[:32], name, most)
    if name == "NPY":
        height, width = plain.npy_shape(file)[0][:2]
        opening.check_size(width, height, most)
    elif name == "PNG":
        opening.check_size(*png.head(start)[:2], most)
    elif name == "PPM":
        head = plain.ppm_head(start)
        opening.check_size(head.width, head.height, most)
    elif name == "TIFF":
        if sides := tiff.sides(file):
            opening.check_size(*sides, most)
    elif name in ("JPEG", "BMP"):  # of the others Pillow would read all
        file.seek(0)
        with opening.opened(file, name, most):
            pass


def _decoded(data: bytes, most: int) -> Picture:
    name = _format(data)
    if name == "NPY":
        return Picture(plain.npy(data, most), format="NPY")
    if name == "TIFF":
        return _tiff(data, most)
    if name == "PPM":
        head = plain.ppm_head(data)
        opening.check_size(head.width, head.height, most)
        if head.most > 255:
            return Picture(plain.ppm_16(data, head), format="PPM")
    opening.check_canvas(data[:32], name, most)
    with opening.opened(io.BytesIO(png.plain(data) if name == "PNG" else data), name, most) as image:
        decoded = of_pillow(image, data)
        return _picture(image, decoded, metadata.carried(image, data), None)


def _tiff(data: bytes, most: int) -> Picture:
    file = tiff.layout(data)
    opening.check_size(file.width, file.height, most)
    tiff.check_tiles(file, most)
    found = metadata.of_tiff(file)
    found["notes"] = (f"the first of {file.pages} pages",) if file.pages > 1 else ()
    if file.wide:
        pixels, alpha = tiff.decode(data, file)
        if file.floats:
            found["bits"] = file.bits
            if file.bits == 64:
                found["notes"] += ("64 bits became 32",)
            found["stored"] = plain.checked_floats(pixels, 0)
            pixels = found["stored"] * 2 - 1
            alpha = None if alpha is None else alpha.astype(np.float64) * 2 - 1
        return _finished((pixels, alpha, []), found, "TIFF", metadata.tiff_orientation(file))
    with opening.opened(io.BytesIO(data), "TIFF", most) as image:
        return _picture(image, of_pillow(image, data, file.bits), found, 1)  # Pillow turns these upright itself


def _picture(image: Image.Image, decoded: Decoded, found: Fields, turned: int | None) -> Picture:
    pixels, alpha, notes = decoded
    if image.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        found = {**found, "profile": None}  # it said what the numbers meant before they became RGB
    name = "JPEG" if image.format == "MPO" else image.format or ""
    notes += _frames(image, name)
    return _finished((pixels, alpha, notes), found, name, metadata.orientation(found) if turned is None else turned)


def _frames(image: Image.Image, name: str) -> list[str]:
    if name == "TIFF":  # its pages have been counted
        return []
    try:
        count = getattr(image, "n_frames", 1) if getattr(image, "is_animated", False) else 1
    except Exception:  # a later frame is damaged; the first was read
        return ["the first of several frames"]
    return [f"the first of {count} {'pictures' if name == 'JPEG' else 'frames'}"] if count > 1 else []


def _finished(decoded: Decoded, found: Fields, name: str, orientation: int) -> Picture:
    pixels, alpha, notes = decoded
    trouble = colour.trouble(found["profile"], pixels.shape[2]) if found.get("profile") else ""
    notes = [*found.get("notes", ()), *notes, *([trouble] if trouble else [])]
    if pixels.dtype != np.uint8 and colour.is_coarse(found.get("profile"), pixels.shape[2]):
        notes.append(f"{found.get('bits') or 8 * pixels.itemsize} bits became 8 for its colour profile")
    if found.get("stored") is not None:
        found = {**found, "stored": upright(found["stored"], orientation)}
    return Picture(
        pixels=upright(pixels, orientation),
        alpha=None if alpha is None else upright(alpha, orientation),
        format=name,
        **{**metadata.upright(found, orientation >= 5), "notes": tuple(notes)},
    )


def _noted(picture: Picture, notes: tuple[str, ...]) -> Picture:
    return replace(picture, notes=notes + picture.notes) if notes else picture


def _head(path: Path) -> tuple[int, int, int]:
    """(height, width, channels) after orientation."""
    with _naming(path), opening.regular(path) as file:
        start = file.read(_START)
        name = _format(start)
        if name == "NPY":
            return plain.npy_shape(file)[0]  # type: ignore[return-value]
        if name == "TIFF":
            layout = tiff.layout(start + file.read())
            turned = metadata.tiff_orientation(layout) >= 5
            height, width = (layout.width, layout.height) if turned else (layout.height, layout.width)
            return height, width, layout.channels
        opening.check_canvas(start[:32], name, 4 * MOST_PIXELS)
        return _pillow_head(file, name)


def _pillow_head(file: BinaryIO, name: str) -> tuple[int, int, int]:
    file.seek(0)
    front = png.without_pixels(file) if name == "PNG" else b""
    with opening.opened(io.BytesIO(png.plain(front)) if front else file, name, 1 << 62) as image:
        width, height = image.size
        if metadata.orientation(metadata.carried(image, front)) >= 5:
            width, height = height, width
        grey = is_grey(image) or (name == "PNG" and png.head(front).kind in (0, 4))
        return height, width, 1 if grey else 3
