"""Files and Pillow images to pictures: decode, turn upright, refuse what is damaged."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from translate.errors import ImageError
from translate.images.formats import reason
from translate.images.picture import MOST_CHANNELS, Picture

# Filters of the warnings module belong to the whole process: two threads that set and restore them at once would leave
# the wrong ones behind.
_QUIET = threading.Lock()
# NumPy has Python parse the head of an array; in Python 3.11 two threads that parse at once can fail ("AST constructor
# recursion depth mismatch").
_PARSING = threading.Lock()


def read(path: Path) -> Picture:
    """Decode the file at `path`, upright; raises ImageError, naming it and the reason, if any part cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise ImageError("not a file.")  # a pipe would be waited for, for ever
        data = path.read_bytes()
        if path.suffix.lower() == ".npy":
            return _read_npy(data)
        with _quiet_open(io.BytesIO(data)) as image:
            return _read_image(image, data)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        raise ImageError(f"{path}: {reason(error)}") from error


def from_pil(image: Image.Image) -> Picture:
    """The picture that `read` would give for the file of `image`; 8-bit modes, 16-bit grey and 32-bit float."""
    try:
        return _read_image(image, b"")
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"The image cannot be read: {reason(error)}") from error


def channels(path: Path) -> int:
    """How many channels `read` would give, from the head of the file; alpha is not counted."""
    return _head(path)[2]


def size(path: Path) -> tuple[int, int]:
    """(height, width) that `read` would give, from the head of the file."""
    return _head(path)[:2]


@contextmanager
def _quiet_open(file: io.BytesIO | Path) -> Iterator[Image.Image]:
    """Open with Pillow. What it warns of (large images, odd metadata) is no trouble; what is broken raises."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(file)
        image.getexif()
    with image:
        yield image


def _head(path: Path) -> tuple[int, int, int]:
    """(height, width, channels) after orientation."""
    try:
        if path.suffix.lower() == ".npy":
            with _PARSING:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
            return _checked_array(array, values=False).shape
        with _quiet_open(path) as image:
            # Some versions of Pillow say the size of a TIFF file as it lies, some as it is once upright.
            tags = image.tag_v2 if image.format == "TIFF" else None  # type: ignore[attr-defined]
            width, height = (tags[256], tags[257]) if tags else image.size
            if _orientation(image) >= 5:
                width, height = height, width
            return height, width, 1 if _is_grey(image) else 3
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # as in read
        raise ImageError(f"{path}: {reason(error)}") from error


def _read_image(image: Image.Image, data: bytes) -> Picture:
    pixels, alpha = _wide(image, data) if _is_wide_colour(image, data) else _decode(image)
    # Pillow and OpenCV both turn TIFF files upright themselves.
    orientation = 1 if image.format == "TIFF" else _orientation(image)
    # An RGB profile says nothing about pixels that were converted from CMYK.
    profile = image.info.get("icc_profile") if image.mode not in ("CMYK", "LAB", "YCbCr", "HSV") else None
    return Picture(
        pixels=_upright(pixels, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        profile=profile or None,
        exif=_exif(image, orientation),
        format=image.format or "",
    )


def _decode(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    image.load()
    if image.mode.startswith("I"):
        return _integers(np.asarray(image))[..., None], None
    if image.mode == "F":
        return _checked_array(np.asarray(image)), None
    target = ("L" if _is_grey(image) else "RGB") + ("A" if image.has_transparency_data else "")
    pixels = np.array(image if image.mode == target else image.convert(target))
    if pixels.ndim == 2:
        return pixels[..., None], None
    if target.endswith("A"):
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    return pixels, None


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _integers(pixels: np.ndarray) -> np.ndarray:
    """Grey of 16 bits, which Pillow holds in wider integers for some formats."""
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ImageError(f"whole numbers from {pixels.min()} to {pixels.max()}: only 8 and 16 bits are understood.")
    return pixels.astype(np.uint16)


def _is_wide_colour(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits a channel and Pillow would give only 8."""
    if image.format == "PNG":
        return data[24:25] == b"\x10" and data[25:26] != b"\0"
    if image.format == "TIFF":
        return image.mode != "F" and max(image.tag_v2.get(258, (1,))) == 16 and not image.mode.startswith("I")  # type: ignore[attr-defined]
    return image.format == "PPM" and image.mode == "RGB" and int(data.split(None, 4)[3]) > 255


def _wide(image: Image.Image, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    grey = _is_grey(image) or (image.format == "PNG" and data[25] == 4)
    image.load()  # Pillow refuses a truncated file, where OpenCV fills up
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ImageError("cannot decode its 16 bits.")
    if pixels.ndim == 2:
        return pixels[..., None], None
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return np.ascontiguousarray(pixels[..., :1] if grey else pixels[..., 2::-1]), alpha


def _read_npy(data: bytes) -> Picture:
    with _PARSING:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    return Picture(_checked_array(array), format="NPY")


def _checked_array(array: np.ndarray, values: bool = True) -> np.ndarray:
    """(H, W) or (H, W, C) as (H, W, C); raises ImageError if it is no image. `values` looks at every float."""
    shaped = array[..., None] if array.ndim == 2 else array
    if shaped.ndim != 3 or not 1 <= shaped.shape[2] <= MOST_CHANNELS or 0 in shaped.shape:
        raise ImageError(f"its shape is {array.shape}, not (H, W) or (H, W, C) with C from 1 to {MOST_CHANNELS}.")
    if array.dtype in (np.uint8, np.uint16):
        return shaped
    if array.dtype.kind != "f":
        raise ImageError(f"its type is {array.dtype}, not uint8, uint16 or float in [-1, 1].")
    if values and not (np.abs(shaped) <= 1).all():  # also false for what is not a number
        low, high = float(shaped.min()), float(shaped.max())
        raise ImageError(f"its values go from {low:g} to {high:g}: floats must lie in [-1, 1]. Scale them first.")
    return shaped.astype(np.float32) if values else shaped


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the EXIF orientation: 5 to 8 are transposed, then come the mirrors."""
    if orientation == 1:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _exif(image: Image.Image, orientation: int) -> bytes | None:
    if image.format == "TIFF":  # there the tags also say where the pixels lie in the file
        return None
    if orientation == 1:
        return image.info.get("exif")
    exif = image.getexif()
    if set(exif) <= {ExifTags.Base.Orientation}:
        return None
    blank = Image.Exif()
    blank.load(exif.tobytes())
    blank[ExifTags.Base.Orientation] = 1
    return blank.tobytes()
