"""What a file must not give away, what it must not lose in silence, and what must not fill the memory."""

import io
import struct
import zlib
from pathlib import Path

import icc
import numpy as np
import pytest
from odd_files import lit, saved
from PIL import Image, JpegImagePlugin, PngImagePlugin

from translate import images
from translate.errors import ImageError
from translate.images import Picture, tags, webp

_MAGENTA = (255, 0, 255)


def smooth(height: int = 64, width: int = 96) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(height, width)
    rough = np.random.default_rng(0).integers(-8, 8, (height, width, 3))
    return (np.stack([x, y, (x + y) / 2], axis=2) * 255 + rough).clip(0, 255).astype(np.uint8)


def taken(folder: Path, data: bytes, suffix: str) -> Picture:
    (folder / f"x{suffix}").write_bytes(data)
    return images.read(folder / f"x{suffix}")


def unchanged(picture: Picture, suffix: str) -> bytes:
    return images.encode(images.from_model(images.to_model(picture), picture), suffix)


@pytest.mark.parametrize("suffix", [".jpg", ".ppm", ".npy"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_format_without_alpha_does_not_show_what_alpha_hides(tmp_path: Path, suffix: str, dtype):
    pixels, alpha = np.full((32, 32, 3), 255, np.uint8), np.full((32, 32), 255, np.uint8)
    pixels[:, 16:], alpha[:, 16:] = _MAGENTA, 0
    picture = Picture(images.to_depth(pixels, dtype), images.to_depth(alpha, dtype))
    seen = taken(tmp_path, unchanged(picture, suffix), suffix)
    assert (images.to_depth(seen.pixels, np.uint8) > 250).all()


def test_a_gif_has_no_colours_of_what_alpha_hides():
    pixels, alpha = smooth(), np.full((64, 96), 255, np.uint8)
    pixels[:, 48:], alpha[:, 48:] = _MAGENTA, 0
    pixels[0, 50] = 0, 255, 0
    with Image.open(io.BytesIO(unchanged(Picture(pixels, alpha), ".gif"))) as image:
        colours = np.array(image.getpalette(), int).reshape(-1, 3)
        assert (
            np.abs(colours - _MAGENTA).sum(axis=1).min() > 60 and np.abs(colours - [0, 255, 0]).sum(axis=1).min() > 60
        )


def with_thumbnail(small: bytes, order: str = "<") -> bytes:
    """EXIF that says to turn by a quarter, the sides as they lie, a maker note and a thumbnail."""
    below = {0xA002: tags.make(order, 3, 96), 0xA003: tags.make(order, 4, 64), 37500: tags.Tag(7, bytes(range(256)))}
    found = {271: tags.Tag(2, b"maker\0"), 274: tags.make(order, 3, 6), 34665: tags.Tag(4, bytes(4), 0, below)}
    block = bytearray(tags.block(found, order)[6:])
    second = len(block)
    struct.pack_into(order + "I", block, 8 + 2 + 12 * len(found), second)
    entries = {259: (3, 6), 513: (4, second + 2 + 12 * 3 + 4), 514: (4, len(small))}
    block += struct.pack(order + "H", 3)
    for number, (kind, value) in entries.items():
        block += struct.pack(order + "HHI", number, kind, 1) + tags.make(order, kind, value).data.ljust(4, b"\0")
    return b"Exif\0\0" + bytes(block) + bytes(4) + small


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_thumbnail_of_the_untranslated_picture_goes_and_the_sides_are_turned(tmp_path: Path, order: str):
    image = Image.fromarray(smooth())
    small = saved(image.resize((48, 32)), "JPEG")
    exif = with_thumbnail(small, order)
    data = unchanged(taken(tmp_path, saved(image, "JPEG", exif=exif), ".jpg"), ".jpg")
    assert small not in data and small[100:200] not in data and small[-100:] not in data
    again = taken(tmp_path, data, ".jpg").exif
    assert again is not None and len(again) == len(exif)
    with Image.open(tmp_path / "x.jpg") as opened:
        found = opened.getexif()
        below = found.get_ifd(34665)
        assert opened.size == (64, 96) == (below[0xA002], below[0xA003])
        assert found[271] == "maker" and below[37500] == bytes(range(256)) and not found.get_ifd(1).get(513)


def test_a_thumbnail_that_lies_over_other_tags_takes_nothing_with_it():
    exif = with_thumbnail(b"x" * 40)
    place = exif.index(struct.pack("<HHI", 513, 4, 1)) + 8
    lying = exif[:place] + struct.pack("<I", 0) + exif[place + 4 :]
    found = tags.unblock(tags.without_thumbnail(lying))
    assert found is not None and found[0][271].data == b"maker\0" and found[0][34665].below[37500].data[1:3] == b"\1\2"


def coding(data: bytes) -> tuple[list[list[int]], int]:
    with Image.open(io.BytesIO(data)) as image:
        return [list(table) for table in image.quantization.values()], JpegImagePlugin.get_sampling(image)


@pytest.mark.parametrize("quality", [96, 97, 98, 99, 100])
def test_finer_tables_of_a_jpeg_are_written_as_they_were(tmp_path: Path, quality: int):
    data = saved(Image.fromarray(smooth()), "JPEG", quality=quality)
    assert coding(unchanged(taken(tmp_path, data, ".jpg"), ".jpg"))[0] == coding(data)[0]


def test_a_jpeg_that_is_turned_has_its_tables_turned_and_keeps_its_colours(tmp_path: Path):
    exif = Image.Exif()
    exif[274] = 6
    stripes = np.full((64, 64, 3), (255, 40, 40), np.uint8)
    stripes[1::2] = 40, 40, 255
    data = saved(Image.fromarray(stripes), "JPEG", quality=97, subsampling=1, exif=exif.tobytes())
    picture = taken(tmp_path, data, ".jpg")
    again = unchanged(picture, ".jpg")
    was, now = coding(data), coding(again)
    assert now == ([np.reshape(table, (8, 8)).T.ravel().tolist() for table in was[0]], 0)
    assert was[0] != now[0]
    assert np.abs(taken(tmp_path, again, ".jpg").pixels.astype(int) - picture.pixels).mean() < 4


@pytest.mark.parametrize("factors", [0x12, 0x41])
def test_a_jpeg_of_rare_sampling_loses_no_colour(tmp_path: Path, factors: int):
    data = bytearray(saved(Image.fromarray(smooth(64, 64)), "JPEG", subsampling=1 if factors == 0x12 else 2))
    place = data.index(b"\xff\xc0") + 11
    data[place] = factors
    assert coding(bytes(data))[1] == -1
    assert coding(unchanged(taken(tmp_path, bytes(data), ".jpg"), ".jpg"))[1] == 0


@pytest.mark.parametrize(("suffix", "form"), [(".webp", "WEBP"), (".avif", "AVIF")])
def test_a_fine_lossy_file_does_not_become_coarser(tmp_path: Path, suffix: str, form: str):
    options = {"subsampling": "4:4:4"} if form == "AVIF" else {}
    data = saved(Image.fromarray(smooth()), form, quality=100, **options)
    picture = taken(tmp_path, data, suffix)
    assert images.encode(picture, suffix) == images.encode(picture, suffix, quality=100)
    assert images.encode(picture, suffix, quality=60) != images.encode(picture, suffix)
    assert len(images.encode(picture, suffix)) > 0.8 * len(data)


@pytest.mark.parametrize("asked", [1, 10, 50, 75, 90, 95, 98, 100])
@pytest.mark.parametrize("side", [16, 300])
def test_the_quality_of_a_webp_is_found(tmp_path: Path, asked: int, side: int):
    data = saved(Image.fromarray(smooth(side, side)), "WEBP", quality=asked)
    found = webp.quality(data)
    assert asked <= found and (asked < 90 or found <= asked + 4)
    picture = taken(tmp_path, data, ".webp")
    assert images.encode(picture, ".webp") == images.encode(picture, ".webp", quality=max(95, found))


def test_a_broken_webp_counts_as_the_finest():
    data = saved(Image.fromarray(smooth()), "WEBP", quality=50)
    assert webp.quality(data[:40]) >= 1 and webp.quality(b"") == webp.quality(data[:12]) == 100
    assert webp.quality(saved(Image.fromarray(smooth()), "WEBP", lossless=True)) == 100


def test_tags_that_lie_over_each_other_are_refused(tmp_path: Path):
    large = 1_000_000
    body = bytes(256) + bytes(large)
    plain = {256: (4, 16), 257: (4, 16), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (4, 8), 277: (3, 1), 279: (4, 256)}
    entries = [struct.pack("<HHII", number, kind, 1, value) for number, (kind, value) in plain.items()]
    entries += [struct.pack("<HHII", 50000 + index, 7, large, 264) for index in range(400)]
    head = b"II*\0" + struct.pack("<I", 8 + len(body))
    data = head + body + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    with pytest.raises(ImageError, match="damaged"):
        taken(tmp_path, data, ".tif")
    assert tags.unblock(b"Exif\0\0" + data) is None


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tile_larger_than_allowed_is_refused(tmp_path: Path, bits: int):
    side = 4096
    packed = zlib.compress(bytes(side * side * bits // 8))
    plain = {256: 16, 257: 16, 258: bits, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(packed)}
    packed += bytes(len(packed) % 2)
    entries = [struct.pack("<HHII", number, 4 if number > 300 else 3, 1, value) for number, value in plain.items()]
    head = b"II*\0" + struct.pack("<I", 8 + len(packed))
    data = head + packed + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(ImageError, match="more pixels"):
        images.read(tmp_path / "x.tif", most_pixels=1_000_000)
    assert images.read(tmp_path / "x.tif").pixels.shape == (16, 16, 1)


def test_large_profiles_and_texts_of_a_png_are_read(tmp_path: Path):
    profile = icc.WIDE["p3"] + np.random.default_rng(0).bytes(3_000_000)
    picture = taken(tmp_path, images.encode(Picture(smooth(), profile=profile), ".png"), ".png")
    assert picture.profile == profile and not picture.notes
    assert images.size(tmp_path / "x.png") == (64, 96)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Raw profile type xmp", "x" * 3_000_000, zip=True)
    picture = taken(tmp_path, saved(Image.fromarray(smooth()), "PNG", pnginfo=texts), ".png")
    assert [name for name, _ in picture.chunks] == [b"zTXt"] and np.array_equal(picture.pixels, smooth())
    data = images.encode(Picture(smooth(), profile=bytes((16 << 20) + 1)), ".png")
    picture = taken(tmp_path, data, ".png")
    assert picture.profile is None and "larger than 16 MB" in picture.notes[0]


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_a_profile_of_grey_does_not_go_into_a_file_of_rgb(tmp_path: Path, suffix: str):
    grey = np.repeat(np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 16, 0), 2, 1)[..., None]
    picture = Picture(grey, profile=icc.profile("grey", 1.0), format="JPEG")
    again = taken(tmp_path, images.encode(picture, suffix), suffix)
    assert again.profile is None and not again.notes
    shown = images.to_depth(images.to_model(picture).clip(-1, 1), np.uint8)
    assert np.abs(shown.astype(int) - again.pixels).max() <= 12


@pytest.mark.parametrize("orientation", [1, 6])
def test_floats_of_a_tiff_come_back_bit_for_bit(tmp_path: Path, orientation: int):
    values = np.array([[0, 1e-9, 3e-8, 1e-5, 0.5], [1, 0.1, 1e-30, 2e-4, 1 / 3]], np.float32)[..., None]
    picture = taken(tmp_path, lit(values, t274=orientation), ".tif")
    again = taken(tmp_path, unchanged(picture, ".tif"), ".tif")
    assert again.stored is not None
    assert np.array_equal(again.stored, values if orientation == 1 else np.rot90(values, -1))
    darker = images.from_model(picture.pixels * 0.5 - 0.5, picture)
    changed = taken(tmp_path, images.encode(darker, ".tif"), ".tif")
    assert np.allclose(changed.stored, again.stored / 2, atol=1e-6)


def test_a_profile_of_tables_that_takes_bits_is_noted(tmp_path: Path):
    profile = icc.table(
        b"RGB ", lambda nodes: np.stack([100 * nodes.mean(1), *[0 * nodes[:, 0]] * 2], axis=1), back=True
    )
    deep = images.to_depth(smooth(), np.uint16)
    assert "16 bits became 8" in taken(tmp_path, images.encode(Picture(deep, profile=profile), ".png"), ".png").notes[0]
    assert not taken(tmp_path, images.encode(Picture(smooth(), profile=profile), ".png"), ".png").notes
    assert not taken(tmp_path, images.encode(Picture(deep, profile=icc.WIDE["p3"]), ".png"), ".png").notes


def test_numbers_for_colours_of_an_avif_are_noted(tmp_path: Path):
    data = bytearray(saved(Image.fromarray(smooth()), "AVIF"))
    place = data.index(b"colrnclx") + 8
    assert not taken(tmp_path, bytes(data), ".avif").notes
    struct.pack_into(">HH", data, place, 12, 16)
    assert taken(tmp_path, bytes(data), ".avif").notes == ("its colours (Display P3 and PQ) were taken for sRGB",)


def test_what_a_format_does_not_hold_is_said():
    deep = images.to_depth(smooth(), np.uint16)
    picture = Picture(deep, deep[..., 0], photoshop=b"8BIM", profile=icc.WIDE["p3"], xmp=b"<x/>")
    assert images.lost(picture, ".tif") == ()
    assert images.lost(picture, ".png") == ("IPTC left out: .png holds none here",)
    assert images.lost(picture, ".JPG") == (
        "transparency left out: .jpg holds none",
        "8 bits: .jpg holds no more",
    )
    assert images.lost(picture, ".npy") == (
        "transparency left out: .npy holds none",
        "colours became sRGB: .npy holds no such profile",
        "XMP left out: .npy holds none",
        "IPTC left out: .npy holds none",
    )
    floats = Picture(np.zeros((4, 4, 3), np.float32))
    assert [images.lost(floats, suffix) for suffix in (".png", ".webp", ".npy")] == [
        ("16 bits: .png holds no more",),
        ("8 bits: .webp holds no more",),
        (),
    ]
    half = Picture(smooth(), np.full((64, 96), 99, np.uint8))
    assert images.lost(half, ".gif") == ("half transparency left out: .gif holds none",)
