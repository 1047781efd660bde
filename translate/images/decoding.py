"""Opened files of Pillow's to arrays, in the depth that their heads say."""

import struct

import cv2
import numpy as np
from PIL import Image

from translate.errors import ImageError
from translate.images import colour, metadata, opening, plain, png

# Markers of a JPEG: where its coded pixels begin, what says their size, what may stand before them in a bare one (JFIF,
# tables, restarts, a comment).
_SCAN, _FRAMES, _CODING = 0xDA, (0xC0, 0xC1, 0xC2), (0xE0, 0xDB, 0xC4, 0xDD, 0xFE)
_RGB = getattr(cv2, "IMREAD_COLOR_RGB", None)  # not there before OpenCV 4.11

Decoded = tuple[np.ndarray, np.ndarray | None, list[str]]


def of_pillow(image: Image.Image, data: bytes, bits: int = 0) -> Decoded:
    """Pixels, alpha and notes of an opened image."""
    if image.format == "PNG" and data:
        head = png.head(data)
        if head.bits == 16:
            return _png_16(data, head)
        if head.kind == 0 and "transparency" in image.info:
            return _png_key(image, data, head)
    if image.format in ("JPEG", "MPO") and data and (pixels := _jpeg(image, data)) is not None:
        return pixels, None, []
    opening.load(image)
    if image.mode.startswith("I"):
        return _integers(np.asarray(image), bits)[..., None], None, []
    if image.mode == "F":
        return plain.checked_floats(np.asarray(image)[..., None], -1), None, []
    notes = []
    if image.format == "AVIF" and (deep := metadata.avif_bits(data)) > 8:
        notes.append(f"{deep} bits became 8")
    if image.mode == "CMYK":
        image, note = colour.cmyk_to_srgb(image, image.info.get("icc_profile"))
        notes.append(note)
        if bits == 16:
            notes.append("16 bits became 8")
    elif image.mode == "LAB":
        image = colour.lab_to_srgb(image)
        notes.append("CIELAB became RGB")
    return *_split(image), notes


def bare_jpeg(data: bytes, most_pixels: int) -> np.ndarray | None:
    """Pixels of a JPEG whose head says nothing but how they are coded; None for any other file.

    What has EXIF, a profile or four components, is larger than `most_pixels` or damaged needs a longer look.
    """
    if data[:2] != b"\xff\xd8":
        return None
    place, flag = 2, None
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind = data[place + 1]
        if kind == _SCAN:
            return None if flag is None else _imdecoded(data, flag)
        if kind in _FRAMES:
            if len(data) < place + 10 or data[place + 4] != 8:
                return None
            height, width, components = struct.unpack_from(">HHB", data, place + 5)
            flag = {1: cv2.IMREAD_GRAYSCALE, 3: _RGB}.get(components)
            if not 0 < height * width <= most_pixels:
                return None
        elif kind not in _CODING:
            return None
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


def _jpeg(image: Image.Image, data: bytes) -> np.ndarray | None:
    """The pixels that Pillow would give; None if it has to say what they are."""
    flag = {"L": cv2.IMREAD_GRAYSCALE, "RGB": _RGB}.get(image.mode)
    pixels = None if flag is None else _imdecoded(data, flag)
    return None if pixels is None or pixels.shape[1::-1] != image.size else pixels


def _imdecoded(data: bytes, flag: int) -> np.ndarray | None:
    """In two thirds of the time that Pillow takes, which keeps four bytes a pixel and copies them twice.

    Both decode with libjpeg-turbo. OpenCV gives nothing for a file that is cut off: then Pillow has the words for it.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return pixels if pixels is None or pixels.ndim == 3 else pixels[..., None]


def _split(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    target = ("L" if is_grey(image) else "RGB") + ("A" if image.has_transparency_data else "")
    pixels = np.array(image if image.mode == target else image.convert(target))
    if pixels.ndim == 2:
        return pixels[..., None], None
    if target.endswith("A"):
        return np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1])
    return pixels, None


def is_grey(image: Image.Image) -> bool:
    if image.format == "GIF" and image.mode == "P" and image.palette:  # the format has no other grey
        colours = np.frombuffer(bytes(image.palette.palette), np.uint8)
        colours = colours[: len(colours) // 3 * 3].reshape(-1, 3)
        return image.palette.mode == "RGB" and len(colours) > 0 and bool((colours == colours[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _integers(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Grey of 16 bits, which Pillow holds in wider integers for some formats, or of 12, which it does not stretch."""
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ImageError(f"whole numbers from {pixels.min()} to {pixels.max()}: only 8 and 16 bits are understood.")
    if 8 < bits < 16:
        return np.rint(pixels * (65535 / (2**bits - 1))).astype(np.uint16)
    return pixels.astype(np.uint16)


def _png_16(data: bytes, head: png.Head) -> Decoded:
    pixels, alpha = png.decode_16(data)
    key = png.carried(data)[0].get(b"tRNS")
    return pixels, png.key_alpha(pixels, key, 16) if key and head.kind in (0, 2) else alpha, []


def _png_key(image: Image.Image, data: bytes, head: png.Head) -> Decoded:
    """Grey of at most 8 bits with a colour that is transparent: Pillow stretches the pixels and forgets the colour."""
    opening.load(image)
    pixels = np.array(image if image.mode == "L" else image.convert("L"))[..., None]
    key = png.carried(data)[0].get(b"tRNS")
    return pixels, png.key_alpha(pixels, key, head.bits) if key else None, []


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
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
