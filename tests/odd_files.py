"""Odd files, part one: how they are made, every mode and every depth."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from translate import images
from translate.images import tags

HEIGHT, WIDTH = 24, 37


class Case(NamedTuple):
    """A file by its name and bytes; the `pixels` and `alpha` that it holds, or why it is refused."""

    name: str
    data: bytes
    pixels: np.ndarray | None = None
    alpha: np.ndarray | None = None
    refused: str = ""
    note: str = ""
    lossy: bool = False


def noise(*shape: int, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(dtype=np.uint8) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH] / max(HEIGHT, WIDTH)
    return np.rint(np.stack([x, y, (x + y) / 2], axis=2) * np.iinfo(dtype).max).astype(dtype)


def saved(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def encoded(pixels: np.ndarray, suffix: str, alpha: np.ndarray | None = None) -> bytes:
    return images.encode(images.Picture(pixels, alpha), suffix)


def by_opencv(suffix: str, pixels: np.ndarray, *options: int) -> bytes:
    """OpenCV keeps its channels the other way round."""
    return cv2.imencode(suffix, np.ascontiguousarray(pixels[..., ::-1]), list(options))[1].tobytes()


def npy(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def png_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    new = [struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks]
    return data[:33] + b"".join(new) + data[33:]


def lit(values: np.ndarray, order: str = "<", **over: int | tuple[int, ...]) -> bytes:
    """An uncompressed TIFF, made tag by tag; `over` replaces tags (t258=..., t339=...)."""
    height, width, count = values.shape
    body = values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (values.dtype.itemsize * 8,) * count,
        259: (1,), 262: (1 if count < 3 else 2,),
        273: (8,), 277: (count,), 278: (height,), 279: (len(body),), 284: (1,),
        339: ({"u": 1, "i": 2, "f": 3}[values.dtype.kind],) * count,
    }  # fmt: skip
    for key, value in over.items():
        entries[int(key[1:])] = value if isinstance(value, tuple) else (value,)
    found = {n: tags.make(order, 4 if n in (256, 257, 273, 279) else 3, *value) for n, value in entries.items()}
    body += b"\0" * (len(body) % 2)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(body))
    return head + body + tags.pack(found, order, 8 + len(body))


def modes() -> Iterator[Case]:
    """Every mode and depth."""
    rgb = Image.fromarray(smooth())
    grey, alpha = rgb.convert("L"), Image.fromarray(noise(HEIGHT, WIDTH))
    clear = rgb.copy()
    clear.putalpha(alpha)
    faint = grey.copy()
    faint.putalpha(alpha)
    shown = {
        "1": rgb.convert("1"), "L": grey, "LA": faint, "P": rgb.quantize(64), "RGB": rgb, "RGBA": clear,
    }  # fmt: skip
    able = {
        "PNG": shown, "TIFF": shown, "BMP": ["1", "L", "P", "RGB"], "PPM": ["1", "L", "RGB"], "GIF": ["1", "L", "P"],
    }  # fmt: skip
    for form, kinds in able.items():
        for mode in kinds:
            image = shown[mode]
            flat = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
            values = np.asarray(flat).reshape(HEIGHT, WIDTH, -1)
            has_alpha = mode in ("LA", "RGBA")
            yield Case(
                f"{mode}.{form.lower()}",
                saved(image, form),
                values[..., :-1] if has_alpha else values,
                values[..., -1] if has_alpha else None,
            )
    for mode in ("L", "RGB"):
        for form in ("JPEG", "WEBP", "AVIF"):
            kept = np.asarray(shown[mode]).reshape(HEIGHT, WIDTH, -1)
            kept = np.repeat(kept, 3, axis=2) if mode == "L" and form == "WEBP" else kept
            yield Case(f"{mode}.{form.lower()}", saved(shown[mode], form, quality=95), kept, lossy=True)
    yield Case("lossless RGBA.webp", saved(clear, "WEBP", lossless=True, exact=True), smooth(), np.asarray(alpha))
    yield Case("lossless RGB.webp", saved(rgb, "WEBP", lossless=True), smooth())
    yield Case("RGBA.webp", saved(clear, "WEBP", quality=95), smooth(), np.asarray(alpha), lossy=True)
    yield Case(
        "RGBA.avif",
        saved(clear, "AVIF", quality=95, advanced={"a:lossless": "1"}),
        smooth(),
        np.asarray(alpha),
        lossy=True,
    )
    yield Case("progressive.jpg", saved(rgb, "JPEG", progressive=True, quality=95), smooth(), lossy=True)
    yield Case("interlaced.gif", saved(shown["P"], "GIF", interlace=True), np.asarray(shown["P"].convert("RGB")))
    yield Case("cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", quality=95), smooth(), note="CMYK", lossy=True)
    yield Case("cmyk.tif", saved(rgb.convert("CMYK"), "TIFF"), smooth(), note="CMYK", lossy=True)
    yield Case("ycbcr.tif", saved(rgb.convert("YCbCr"), "TIFF"), smooth(), lossy=True)


def depths() -> Iterator[Case]:
    """16 bits, floats, and depths in between."""
    for count, with_alpha in itertools.product((1, 3), (False, True)):
        pixels = noise(HEIGHT, WIDTH, count, dtype=np.uint16)
        alpha = noise(HEIGHT, WIDTH, dtype=np.uint16, seed=1) if with_alpha else None
        for suffix in (".png", ".tif", *([] if with_alpha else [".ppm"])):
            yield Case(f"16 {count}{' alpha' * with_alpha}{suffix}", encoded(pixels, suffix, alpha), pixels, alpha)
    rgb = noise(HEIGHT, WIDTH, 3, dtype=np.uint16)
    rgba = noise(HEIGHT, WIDTH, 4, dtype=np.uint16)
    yield Case("16 opencv.png", by_opencv(".png", rgb), rgb)
    swapped = np.concatenate([rgba[..., 2::-1], rgba[..., 3:]], axis=2)
    yield Case("16 opencv alpha.png", cv2.imencode(".png", swapped)[1].tobytes(), rgba[..., :3], rgba[..., 3])
    for code, name in ((1, "raw"), (5, "lzw"), (8, "deflate"), (32773, "packbits")):
        data = by_opencv(".tif", rgb, cv2.IMWRITE_TIFF_COMPRESSION, code)
        yield Case(f"16 opencv {name}.tif", data, rgb)
        grey = Image.fromarray(rgb[..., 0])
        form = {1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits"}[code]
        yield Case(f"16 grey pillow {name}.tif", saved(grey, "TIFF", compression=form), rgb[..., :1])
    for order, letter in (("<", "II"), (">", "MM")):
        yield Case(f"16 {letter}.tif", lit(rgb, order), rgb)
        yield Case(f"16 grey {letter}.tif", lit(rgb[..., :1], order), rgb[..., :1])
        yield Case(f"16 rgba {letter}.tif", lit(rgba, order, t338=2), rgba[..., :3], rgba[..., 3])
        yield Case(f"16 la {letter}.tif", lit(rgba[..., :2], order, t338=2), rgba[..., :1], rgba[..., 1])
    yield Case("16 extra.tif", lit(rgba, t338=0), rgba[..., :3])
    yield Case("16 inverted.tif", lit(rgb[..., :1], t262=0), 65535 - rgb[..., :1])
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    places, size = (8, 8 + rgb[..., 0].nbytes, 8 + 2 * rgb[..., 0].nbytes), rgb[..., 0].nbytes
    yield Case("16 planes.tif", lit(planes.reshape(HEIGHT, WIDTH, 3), t284=2, t273=places, t279=(size,) * 3), rgb)
    yield Case("signed.tif", lit(noise(4, 4, 1).astype(np.int16)), refused="signed")
    yield Case("32 bits.tif", lit(noise(4, 4, 1, dtype=np.uint32)), refused="32 bits")
    yield Case("16 lab.tif", lit(rgb, t262=8), refused="CIELAB")


def deep() -> Iterator[Case]:
    """Floats, and depths of formats that are numbers and little else."""
    rgb = noise(HEIGHT, WIDTH, 3, dtype=np.uint16)
    share = (np.random.default_rng(0).integers(0, 2**20, (HEIGHT, WIDTH, 4)) / 2**20).astype(np.float32)
    for order, letter in (("<", "II"), (">", "MM")):
        for kind in ("f2", "f4", "f8"):
            held = share.astype(kind)
            want = held[..., :3].astype(np.float32) * 2 - 1
            yield Case(f"{kind} rgb {letter}.tif", lit(held[..., :3], order), want)
            yield Case(f"{kind} grey {letter}.tif", lit(held[..., :1], order), want[..., :1])
    yield Case("f4 rgba.tif", lit(share, t338=2), share[..., :3] * 2 - 1, share[..., 3].astype(np.float64) * 2 - 1)
    yield Case("f4 opencv.tif", by_opencv(".tiff", share[..., :3]), share[..., :3] * 2 - 1)
    yield Case("f4 pillow.tif", saved(Image.fromarray(share[..., 0]), "TIFF"), share[..., :1] * 2 - 1)
    for name, value in (("large", 255.0), ("negative", -0.5), ("nan", np.nan), ("infinite", np.inf)):
        held = share[..., :3].copy()
        held[1, 2, 1] = value
        yield Case(f"f4 {name}.tif", lit(held), refused=r"\[0, 1\]")
    ten = noise(HEIGHT, WIDTH, 3, dtype=np.uint16) >> 6
    body = b"P6 # ten bits\n%d %d\n1023\n" % (WIDTH, HEIGHT) + ten.astype(">u2").tobytes()
    yield Case("ten bits.ppm", body, np.rint(ten * (65535 / 1023)).astype(np.uint16))
    text = b"P3\n%d %d\n65535\n" % (WIDTH, HEIGHT) + b" ".join(b"%d" % v for v in rgb.ravel()) + b"\n"
    yield Case("plain.ppm", text, rgb)
    yield Case("too bright.ppm", b"P5 2 1 1000\n\x03\xe8\x03\xe9", refused="1000")
    yield Case("zero.ppm", b"P5 2 1 0\n\0\0", refused="0")
    for kind in ("u1", ">u2", "<u2", "f2", "f4", "f8"):
        array = noise(HEIGHT, WIDTH, 3, dtype=np.uint16)
        array = (array / 65535 * 2 - 1).astype(kind) if kind[0] == "f" else array.astype(kind)
        want = array.astype({"u1": np.uint8, "f2": np.float32, "f4": np.float32, "f8": np.float32}.get(kind, np.uint16))
        yield Case(f"{kind[-2:]}{'swapped' * (kind[0] == '>')}.npy", npy(array), want)
    yield Case("columns.npy", npy(np.asfortranarray(rgb)), rgb)
    yield Case("five.npy", npy(noise(4, 5, 5)), noise(4, 5, 5))
    yield Case("pickle.npy", npy(np.array([[None]]), allow_pickle=True), refused="object")
