"""Files to arrays to tensors and back: the only place that knows depths, EXIF, colour profiles, alpha, colour order.

Everywhere else an image is float (C, H, W) in [-1, 1]. A file of 16 bits stays 16 bits; a truncated file is an error,
never an image with a grey foot. Pillow decodes what has 8 bits, because it is strict and knows orientation, palettes
and profiles; OpenCV decodes colour of 16 bits, which Pillow would cut down to 8.
"""

import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import DTypeLike
from PIL import ExifTags, Image, UnidentifiedImageError, features
from torch import Tensor

from translate import files
from translate.errors import ImageError

MOST_CHANNELS = 16

_FORMATS = {
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
    del _FORMATS[".avif"]
SUFFIXES: frozenset[str] = frozenset([*_FORMATS, ".npy"])

# Filters of the warnings module belong to the whole process: two threads that set and restore them at once would leave
# the wrong ones behind.
_QUIET = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """One decoded image: pixels (H, W, C) in RGB order, or grey with C = 1; uint8, uint16, or float32 in [-1, 1].

    `alpha` is (H, W) of the same depth, `profile` the ICC profile, `exif` the EXIF block with the orientation already
    applied and its tag reset, `format` the name Pillow gives the file format ("NPY" for arrays).
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    format: str = ""


def list_images(folder: Path) -> list[Path]:
    """Every image below `folder`, sorted by its relative path; hidden files and folders are left out."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here, name) for name in names if _is_image(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def read(path: Path) -> Picture:
    """Decode the file at `path`, upright; raises ImageError, naming it and the reason, if any part cannot be read."""
    try:
        data = path.read_bytes()
        if path.suffix.lower() == ".npy":
            return _read_npy(data)
        with _quiet_open(io.BytesIO(data)) as image:
            return _read_image(image, data)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        raise ImageError(f"{path}: {_reason(error)}") from error


def from_pil(image: Image.Image) -> Picture:
    """The picture that `read` would give for the file of `image`; 8-bit modes, 16-bit grey and 32-bit float."""
    try:
        return _read_image(image, b"")
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"The image cannot be read: {_reason(error)}") from error


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
        raise ImageError(f"{path} cannot be written: {_reason(error)}") from error
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


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(H, W, C) of uint8, uint16, or float in [-1, 1] as a new float32 (C, H, W) in [-1, 1]."""
    tensor = torch.empty(pixels.shape[2], *pixels.shape[:2])
    fill(tensor, pixels)
    return tensor


def fill(tensor: Tensor, pixels: np.ndarray) -> None:
    """Write `pixels` (H, W, C), as `to_tensor` converts them, into `tensor`, float32 (C, H, W)."""
    half = _half(pixels.dtype)
    if pixels.dtype == np.uint16:  # torch knows the type but not how to compute with it
        pixels = pixels.astype(np.float32)
    # Plane by plane takes half the time of a strided copy.
    for plane, values in zip(tensor, cv2.split(pixels), strict=True):
        plane.copy_(torch.from_numpy(values))
    if half:
        tensor.div_(half).sub_(1)


def to_array(tensor: Tensor, dtype: DTypeLike) -> np.ndarray:
    """(C, H, W), clamped to [-1, 1], as (H, W, C) of uint8, uint16 or float; integers are rounded to the nearest."""
    values = tensor.detach().float().clamp(-1, 1).permute(1, 2, 0).numpy()
    half = _half(np.dtype(dtype))
    return np.ascontiguousarray(np.rint((values + 1) * np.float32(half)) if half else values).astype(dtype)


def to_depth(pixels: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """The same picture in another depth: uint8, uint16 or float32 in [-1, 1]."""
    if pixels.dtype == dtype:
        return pixels
    half, wanted = _half(pixels.dtype), _half(np.dtype(dtype))
    values = pixels.astype(np.float64) / half - 1 if half else pixels.astype(np.float64)
    return np.rint((values.clip(-1, 1) + 1) * wanted).astype(dtype) if wanted else values.astype(dtype)


def channels(path: Path) -> int:
    """How many channels `read` would give, from the head of the file; alpha is not counted."""
    return _head(path)[2]


def size(path: Path) -> tuple[int, int]:
    """(height, width) that `read` would give, from the head of the file."""
    return _head(path)[:2]


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W, C): by area the side that shrinks, bicubic the side that grows; values stay in their range."""
    old_height, old_width, count = pixels.shape
    if (old_height, old_width) == (height, width):
        return pixels
    shrunk = (min(height, old_height), min(width, old_width))
    parts = []
    for first in range(0, count, 4):  # OpenCV resizes at most four channels in every mode
        part = np.ascontiguousarray(pixels[..., first : first + 4])
        if shrunk != (old_height, old_width):
            part = cv2.resize(part, shrunk[::-1], interpolation=cv2.INTER_AREA)
        if shrunk != (height, width):
            part = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
        parts.append(part.reshape(height, width, -1))
    resized = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    return np.clip(resized, -1, 1) if resized.dtype.kind == "f" else resized


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def _known() -> str:
    return " ".join(sorted(SUFFIXES))


def _half(dtype: np.dtype) -> float:
    """Half the range of an integer depth, 0 for floats; raises ImageError for a type that is no depth."""
    if dtype == np.uint8:
        return 127.5
    if dtype == np.uint16:
        return 32767.5
    if dtype.kind == "f":
        return 0.0
    raise ImageError(f"Pixels are uint8, uint16 or float in [-1, 1], not {dtype}.")


def _drawable(pixels: np.ndarray) -> int:
    count = int(pixels.shape[2])
    if count not in (1, 3):
        raise ImageError(f"an image file holds 1 or 3 channels, not {count}: write .npy instead.")
    return count


def _reason(error: BaseException) -> str:
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


# Reading


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
            return _checked_array(np.load(path, mmap_mode="r", allow_pickle=False), values=False).shape
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
        raise ImageError(f"{path}: {_reason(error)}") from error


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


# Writing


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
    name = _FORMATS[suffix]
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
