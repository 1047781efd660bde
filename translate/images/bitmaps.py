"""Formats that are written here: BMP with alpha, GIF with its own colours, PPM of 16 bits."""

import io
import struct

import numpy as np
from PIL import Image

from translate.images.colour import covered


def bmp(pixels: np.ndarray, alpha: np.ndarray | None, dpi: tuple[float, float] | None) -> bytes:
    """A BMP file; Pillow writes none whose alpha is read back."""
    if alpha is None:
        buffer = io.BytesIO()
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        image.save(buffer, "BMP", **({"dpi": dpi} if dpi else {}))
        return buffer.getvalue()
    height, width = alpha.shape
    colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    rows = np.ascontiguousarray(np.concatenate([colour[..., ::-1], alpha[..., None]], axis=2)[::-1]).tobytes()
    metres = [round(value / 0.0254) for value in dpi or (96, 96)]
    start = 14 + 108
    head = struct.pack("<2sIII", b"BM", start + len(rows), 0, start)
    info = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(rows), *metres, 0, 0)
    masks = struct.pack("<IIII4s", 0x00FF0000, 0x0000FF00, 0x000000FF, 0xFF000000, b"BGRs")
    return head + (info + masks).ljust(108, b"\0") + rows


def gif(pixels: np.ndarray, alpha: np.ndarray | None, comment: bytes | None) -> bytes:
    """A GIF file: exact if the picture has at most 256 colours, the transparent one among them; else dithered."""
    clear = None if alpha is None or not (alpha < 128).any() else alpha < 128
    options: dict[str, object] = {"optimize": False}
    if comment:
        options["comment"] = comment
    if pixels.shape[2] == 1 and clear is None:
        image = Image.fromarray(pixels[..., 0])
    else:
        colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        image, transparent = _with_palette(colour, clear)
        if transparent is not None:
            options["transparency"] = transparent
    buffer = io.BytesIO()
    image.save(buffer, "GIF", **options)
    return buffer.getvalue()


def _with_palette(colour: np.ndarray, clear: np.ndarray | None) -> tuple[Image.Image, int | None]:
    codes = colour.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    seen = np.unique(codes if clear is None else codes[~clear])
    room = 256 if clear is None else 255
    if len(seen) <= room:
        indices = np.searchsorted(seen, codes).clip(0, max(0, len(seen) - 1)).astype(np.uint8)
        palette = np.stack([seen >> 16, seen >> 8 & 255, seen & 255], axis=1).astype(np.uint8)
    else:
        # Dithering would carry the colours that alpha hides into those that are seen.
        picture = Image.fromarray(colour if clear is None else covered(colour, clear))
        chosen = picture.quantize(room, Image.Quantize.MEDIANCUT)
        dithered = picture.quantize(palette=chosen, dither=Image.Dither.FLOYDSTEINBERG)
        indices = np.array(dithered)
        palette = np.array(chosen.getpalette() or [], np.uint8).reshape(-1, 3)[:room]
    transparent = None
    if clear is not None:
        transparent = len(palette)
        hidden = colour[clear]
        if (hidden != hidden[0]).any():  # one of many would be as good as another, and none is to be seen
            hidden = np.zeros_like(hidden[:1])
        indices = np.where(clear, np.uint8(transparent), indices)
        palette = np.concatenate([palette, hidden[:1]])
    image = Image.fromarray(np.ascontiguousarray(indices)).convert("P")
    image.putpalette(palette.tobytes())
    return image, transparent


def ppm_16(pixels: np.ndarray) -> bytes:
    """A PPM file of 16 bits, a PGM if `pixels` (H, W, C) are grey."""
    height, width, count = pixels.shape
    return b"P%d\n%d %d\n65535\n" % (5 if count == 1 else 6, width, height) + pixels.astype(">u2").tobytes()
