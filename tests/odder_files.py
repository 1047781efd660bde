"""Odd files, part two: transparency, orientations, names, profiles, damage, animations."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import icc
import numpy as np
from odd_files import HEIGHT, WIDTH, Case, deep, depths, encoded, lit, modes, noise, npy, png_chunks, saved, smooth
from PIL import Image

from translate import images
from translate.images import png, profiles, tags


def keys() -> Iterator[Case]:
    """Transparency that is a colour."""
    rgb = noise(HEIGHT, WIDTH, 3, dtype=np.uint16)
    alpha = np.full((HEIGHT, WIDTH), 65535, np.uint16)
    alpha[3, 4] = 0
    key = b"".join(struct.pack(">H", int(value)) for value in rgb[3, 4])
    yield Case("16 rgb key.png", png_chunks(encoded(rgb, ".png"), (b"tRNS", key)), rgb, alpha)
    grey = rgb[..., :1]
    hidden = np.where(grey[..., 0] == grey[3, 4, 0], 0, 65535).astype(np.uint16)
    yield Case("16 grey key.png", png_chunks(encoded(grey, ".png"), (b"tRNS", key[:2])), grey, hidden)
    eight = noise(HEIGHT, WIDTH, 1)
    hidden = np.where(eight[..., 0] == eight[0, 0, 0], 0, 255).astype(np.uint8)
    key = struct.pack(">H", int(eight[0, 0, 0]))
    yield Case("8 grey key.png", png_chunks(encoded(eight, ".png"), (b"tRNS", key)), eight, hidden)
    two = np.array([[0, 1, 2, 3]], np.uint8)
    body = struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)
    data = png.join(body, [(b"tRNS", b"\0\1"), (b"IDAT", zlib.compress(b"\0\x1b"))])
    yield Case("2 grey key.png", data, two[..., None] * 85, np.array([[255, 0, 255, 255]], np.uint8))
    palette = Image.fromarray(smooth()).quantize(16)
    for form in ("PNG", "GIF"):
        shown = palette.copy()
        shown.info["transparency"] = 3
        values = np.asarray(shown.copy().convert("RGBA"))  # which would change the palette
        yield Case(f"palette key.{form.lower()}", saved(shown, form), values[..., :3], values[..., 3])
    some = palette.copy()
    some.info["transparency"] = bytes(range(0, 256, 16))
    values = np.asarray(some.convert("RGBA"))
    yield Case("palette alpha.png", saved(some, "PNG"), values[..., :3], values[..., 3])
    rgba = noise(HEIGHT, WIDTH, 4)
    for suffix in (".png", ".tif", ".bmp"):
        yield Case(
            f"alpha of all values{suffix}", encoded(rgba[..., :3], suffix, rgba[..., 3]), rgba[..., :3], rgba[..., 3]
        )
        none = np.zeros((HEIGHT, WIDTH), np.uint8)
        yield Case(f"nothing visible{suffix}", encoded(rgba[..., :3], suffix, none), rgba[..., :3], none)


def turned() -> Iterator[Case]:
    """Every orientation in every format that knows one."""
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "a maker"
        stored = smooth()
        want = upright(stored, orientation)
        block = exif.tobytes()
        image = Image.fromarray(stored)
        yield Case(f"turned {orientation}.jpg", saved(image, "JPEG", exif=block, quality=95), want, lossy=True)
        yield Case(f"turned {orientation}.png", saved(image, "PNG", exif=block), want)
        yield Case(f"turned {orientation}.webp", saved(image, "WEBP", exif=block, lossless=True), want)
        yield Case(f"turned {orientation}.tif", saved(image, "TIFF", exif=block), want)
        yield Case(f"turned {orientation}.avif", saved(image, "AVIF", exif=block, quality=95), want, lossy=True)
        wide = smooth(np.uint16)
        want = upright(wide, orientation)
        yield Case(f"turned {orientation} 16.tif", lit(wide, t274=orientation), want)
        with_exif = images.Picture(wide, exif=block)
        yield Case(f"turned {orientation} 16.png", images.encode(with_exif, ".png"), want)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """By the words of the EXIF standard: where row 0 and column 0 of the file lie in the picture."""
    return {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: np.rot90(p, 2),
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
        8: lambda p: np.rot90(p, 1),
    }[orientation](pixels)


def liars() -> Iterator[Case]:
    """Suffixes that lie, names that are hard."""
    rgb = smooth()
    image = Image.fromarray(rgb)
    contents = {
        form: saved(image, form, **({"lossless": True} if form == "WEBP" else {}))
        for form in ("PNG", "TIFF", "BMP", "PPM", "WEBP")
    } | {"NPY": npy(rgb)}
    suffixes = {"PNG": ".jpg", "TIFF": ".png", "BMP": ".tif", "PPM": ".npy", "WEBP": ".GIF", "NPY": ".PNG"}
    for form, suffix in suffixes.items():
        yield Case(f"liar {form}{suffix}", contents[form], rgb, note=f"{form}, though its name says {suffix}")
    for name in (
        "森の木.PNG",
        "Bäume à l'été.png",
        "two\nlines.png",
        " spaces .png",
        "%s {x}.png",
        "-rf.png",
        "a.b.c.PnG",
    ):
        yield Case(name, contents["PNG"], rgb)


def damaged() -> Iterator[Case]:
    """Empty, foreign, and heads that promise too much."""
    for suffix in sorted(images.SUFFIXES):
        yield Case(f"empty{suffix}", b"", refused="empty")
        yield Case(f"random{suffix}", np.random.default_rng(7).bytes(1000), refused="not an image")
    yield Case("text.png", b"<html>404</html>", refused="not an image")
    yield Case("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n", refused="not an image")
    rgb = saved(Image.fromarray(smooth()), "PNG")
    body = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    for depth in (8, 16):
        body = struct.pack(">IIBBBBB", 60000, 60000, depth, 2, 0, 0, 0)
        data = png.join(body, [(b"IDAT", zlib.compress(bytes(1000)))])
        yield Case(f"huge {depth}.png", data, refused="more pixels")
    jpeg = bytearray(saved(Image.fromarray(smooth()), "JPEG"))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = b"\xff\xdc\xff\xdc"
    yield Case("huge.jpg", bytes(jpeg), refused="more pixels")
    yield Case("huge.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + rgb, refused="more pixels")
    yield Case(
        "huge.bmp", patched(saved(Image.fromarray(smooth()), "BMP"), 18, "<ii", 60000, 60000), refused="more pixels"
    )
    yield Case("huge.ppm", b"P6\n60000 60000\n255\n" + bytes(1000), refused="more pixels")
    yield Case("huge 16.ppm", b"P6\n60000 60000\n65535\n" + bytes(1000), refused="more pixels")
    yield Case("huge.tif", lit(smooth(), t256=60000, t257=60000), refused="more pixels")
    yield Case("huge 16.tif", lit(smooth(np.uint16), t256=60000, t257=60000), refused="more pixels")
    head = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\x00" * 2
    yield Case("huge.webp", b"RIFF" + struct.pack("<I", 22) + b"WEBP" + head + bytes(30), refused="more pixels")
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": (60000, 60000, 3)})
    yield Case("huge.npy", array.getvalue(), refused="more pixels")
    yield Case("no size.tif", lit(smooth(), t256=0), refused="size")
    yield Case("no size.npy", npy(np.zeros((0, 3), np.uint8)), refused="shape")


def patched(data: bytes, place: int, form: str, *values: int) -> bytes:
    new = struct.pack(form, *values)
    return data[:place] + new + data[place + len(new) :]


def moving() -> Iterator[Case]:
    """More than one picture: the first, and it is said."""
    first, second = Image.fromarray(smooth()), Image.fromarray(255 - smooth())
    few = first.quantize(32)
    gif = saved(few, "GIF", save_all=True, append_images=[second.quantize(32), few, second.quantize(31)])
    yield Case("moving.gif", gif, np.asarray(few.convert("RGB")), note="the first of 4 frames")
    png = saved(first, "PNG", save_all=True, append_images=[second])
    yield Case("moving.png", png, smooth(), note="the first of 2 frames")
    webp = saved(first, "WEBP", save_all=True, append_images=[second], lossless=True)
    yield Case("moving.webp", webp, smooth(), note="the first of 2 frames")
    avif = saved(first, "AVIF", save_all=True, append_images=[second], quality=95)
    yield Case("moving.avif", avif, smooth(), note="the first of 2 frames", lossy=True)
    yield Case(
        "pages.tif", saved(first, "TIFF", save_all=True, append_images=[second]), smooth(), note="first of 2 pages"
    )


def profiled() -> Iterator[Case]:
    """Every wide space in every format and depth that holds a profile; damaged ones of CMYK."""
    grey = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH, 1)
    for name, data in icc.WIDE.items():
        for suffix in (".png", ".tif"):
            for dtype in (np.uint8, np.uint16, np.float32):
                if suffix == ".tif" or dtype is not np.float32:
                    pixels = images.to_depth(noise(HEIGHT, WIDTH, 3, dtype=np.uint16), dtype)
                    pixels = np.rint(pixels * 1024) / np.float32(1024) if dtype is np.float32 else pixels
                    whole = images.encode(images.Picture(pixels, profile=data), suffix)
                    yield Case(f"{name} {np.dtype(dtype)}{suffix}", whole, pixels)
        image = Image.fromarray(smooth())
        yield Case(f"{name}.webp", saved(image, "WEBP", lossless=True, icc_profile=data), smooth())
        for form in ("JPEG", "AVIF"):
            whole = saved(image, form, quality=95, icc_profile=data)
            yield Case(f"{name}.{form.lower()}", whole, smooth(), lossy=True)
    for suffix in (".png", ".tif"):
        whole = images.encode(images.Picture(grey, profile=icc.profile("grey", 1.8)), suffix)
        yield Case(f"grey{suffix}", whole, grey)
        whole = images.encode(images.Picture(smooth(), profile=b"no profile"), suffix)
        yield Case(f"broken{suffix}", whole, smooth(), note="broken")
    ink = Image.fromarray(smooth()).convert("CMYK")
    note = "CMYK became RGB without its colour profile, which is broken"
    ink_profile = icc.table(b"CMYK", icc.ink)
    light = ((smooth().mean(axis=2, keepdims=True) / 255 * 100 + 16) / 116) ** 3
    want = np.rint(profiles.srgb_values(np.maximum(light, 0.001)) * 255).astype(np.uint8).repeat(3, axis=2)
    yield Case("profile cmyk.tif", saved(ink, "TIFF", icc_profile=ink_profile), want, note="through", lossy=True)
    for name, data in (("random", b"x" * 300), ("of another space", icc.WIDE["p3"])):
        yield Case(f"{name} cmyk.tif", saved(ink, "TIFF", icc_profile=data), smooth(), note=note, lossy=True)


def wholes() -> Iterator[tuple[str, bytes]]:
    """Sound files to cut."""
    rgb = Image.fromarray(noise(40, 50, 3))
    for form, suffix in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("BMP", "bmp"),
        ("GIF", "gif"),
        ("AVIF", "avif"),
    ):
        yield f"{form}.{suffix}", saved(rgb, form)
    yield "progressive.jpg", saved(rgb, "JPEG", progressive=True)
    yield "lossless.webp", saved(rgb, "WEBP", lossless=True)
    yield "plain.ppm", saved(rgb, "PPM")
    yield "16.ppm", encoded(noise(40, 50, 3, dtype=np.uint16), ".ppm")
    yield "16.png", encoded(noise(40, 50, 3, dtype=np.uint16), ".png")
    yield "16.tif", encoded(noise(40, 50, 3, dtype=np.uint16), ".tif")
    yield "8.tif", encoded(noise(40, 50, 3), ".tif")
    for form in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"{form}.tif", saved(rgb, "TIFF", compression=form)
    yield "16 front.tif", directory_first(noise(40, 50, 3, dtype=np.uint16))
    yield "array.npy", npy(noise(40, 50, 3))


def directory_first(pixels: np.ndarray) -> bytes:
    """A TIFF whose tags lie before its pixels, so that a cut leaves them whole."""
    data = lit(pixels)
    length = len(data) - 8 - pixels.nbytes
    moved = lit(pixels, t273=8 + length)
    found = tags.directory(moved, tags.head(moved), 8 + pixels.nbytes)
    plain = {number: tag._replace(place=0) for number, tag in found.items()}
    return b"II" + struct.pack("<HI", 42, 8) + tags.pack(plain, "<", 8).ljust(length, b"\0") + pixels.tobytes()


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "modes": modes,
    "depths": depths,
    "floats": deep,
    "keys": keys,
    "orientations": turned,
    "names": liars,
    "profiles": profiled,
    "damage": damaged,
    "animations": moving,
}
CASES = [(family, case) for family, make in FAMILIES.items() for case in make()]
