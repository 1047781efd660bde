"""What comes with the pixels in a file is still there after a translation, and how a file was encoded."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, PngImagePlugin

from translate import images
from translate.errors import ImageError
from translate.images import Picture, tags

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="x"/></x:xmpmeta>'
NOTE = bytes(range(256))
WRITTEN = [".jpg", ".png", ".webp", ".tif", ".avif"]


def smooth(height: int = 24, width: int = 40, dtype=np.uint8) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.rint(np.stack([x, y, (x + y) / 2], axis=2) * np.iinfo(dtype).max).astype(dtype)


def block(orientation: int = 1, order: str = "<") -> bytes:
    """EXIF with a position and a maker note."""
    below = {37500: tags.Tag(7, NOTE), 33434: tags.Tag(5, struct.pack(order + "II", 1, 250))}
    place = {1: tags.Tag(2, b"N\0"), 2: tags.Tag(5, struct.pack(order + "6I", 46, 1, 30, 1, 15, 1))}
    found = {271: tags.Tag(2, b"a maker\0"), 274: tags.make(order, 3, orientation)}
    found |= {34665: tags.Tag(4, bytes(4), 0, below), 34853: tags.Tag(4, bytes(4), 0, place)}
    return tags.block(found, order)


def through(folder: Path, data: bytes, suffix: str, out: str, **options) -> Picture:
    """Read, see, give back, write, read."""
    (folder / f"in{suffix}").write_bytes(data)
    picture = images.read(folder / f"in{suffix}")
    (folder / f"out{out}").write_bytes(
        images.encode(images.from_model(images.to_model(picture), picture), out, **options)
    )
    return images.read(folder / f"out{out}")


def sources(orientation: int = 1) -> dict[str, bytes]:
    image = Image.fromarray(smooth())
    made = {}
    for suffix, form in ((".jpg", "JPEG"), (".png", "PNG"), (".webp", "WEBP"), (".avif", "AVIF")):
        buffer = io.BytesIO()
        extra = {"pnginfo": PngImagePlugin.PngInfo()} if form == "PNG" else {"xmp": XMP}
        if form == "PNG":
            extra["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(buffer, form, exif=block(orientation), **extra)
        made[suffix] = buffer.getvalue()
    made[".tif"] = images.encode(Picture(smooth(), exif=block(1), xmp=XMP.replace(b"6", b"1")), ".tif")
    return made


@pytest.mark.parametrize("out", WRITTEN)
@pytest.mark.parametrize("suffix", WRITTEN)
def test_exif_position_maker_note_and_xmp_go_from_any_format_to_any(tmp_path: Path, suffix: str, out: str):
    again = through(tmp_path, sources()[suffix], suffix, out)
    found, head = tags.unblock(again.exif)
    assert found[271].data == b"a maker\0"
    assert found[34665].below[37500].data == NOTE
    assert struct.unpack(head.order + "6I", found[34853].below[2].data) == (46, 1, 30, 1, 15, 1)
    assert again.xmp is not None and b'dc:title="x"' in again.xmp
    assert b'Orientation="1"' in again.xmp
    with Image.open(tmp_path / f"out{out}") as image:
        assert image.getexif()[271] == "a maker"
        assert image.getexif().get_ifd(34853)[1] == "N"


@pytest.mark.parametrize("out", WRITTEN)
@pytest.mark.parametrize("suffix", WRITTEN)
def test_without_metadata_nothing_of_it_is_left(tmp_path: Path, suffix: str, out: str):
    again = through(tmp_path, sources()[suffix], suffix, out, metadata=False)
    assert not again.exif and not again.xmp and not again.comment and not again.photoshop and not again.dpi
    data = (tmp_path / f"out{out}").read_bytes()
    assert b"a maker" not in data and b"xmpmeta" not in data


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_the_orientation_of_a_block_changes(order: str):
    before = block(6, order)
    after = tags.without_orientation(before)
    assert tags.orientation(before) == 6 and tags.orientation(after) == 1
    assert len(before) == len(after) and sum(one != two for one, two in zip(before, after, strict=True)) == 1
    bare = tags.bare(before)
    assert 274 not in tags.unblock(bare)[0] and len(bare) == len(before)
    assert tags.unblock(bare)[0][34665].below[37500].data == NOTE


@pytest.mark.parametrize("junk", [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"x" * 9])
def test_odd_blocks_are_no_trouble(junk: bytes):
    assert tags.orientation(junk) == 1 and tags.without_orientation(junk) == junk and tags.bare(junk) == junk


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_resolution_stays(tmp_path: Path, suffix: str):
    Image.fromarray(smooth()).save(tmp_path / f"x{suffix}", dpi=(300, 200))
    for out in (".png", ".jpg", ".tif", ".bmp"):
        through(tmp_path, (tmp_path / f"x{suffix}").read_bytes(), suffix, out)
        with Image.open(tmp_path / f"out{out}") as image:
            assert np.allclose(image.info["dpi"], (300, 200), atol=0.6), out


def test_text_of_png_and_comments_stay(tmp_path: Path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a title")
    info.add_text("Long", "x" * 999, zip=True)
    info.add_itxt("Who", "森", "ja", "誰")
    for chunk in ((b"gAMA", struct.pack(">I", 45455)), (b"tIME", bytes(7))):
        info.add(*chunk)
    for pixels in (smooth(), smooth(dtype=np.uint16)):
        buffer = io.BytesIO()
        Image.fromarray(smooth()).save(buffer, "PNG", pnginfo=info)
        data = buffer.getvalue()
        if pixels.dtype == np.uint16:
            (tmp_path / "x.png").write_bytes(data)
            kept = images.read(tmp_path / "x.png").chunks
            data = images.encode(Picture(pixels, chunks=kept), ".png")
        again = through(tmp_path, data, ".png", ".png")
        assert [name for name, _ in again.chunks] == [b"gAMA", b"tEXt", b"zTXt", b"iTXt", b"tIME"] or len(
            again.chunks
        ) == 5
        with Image.open(tmp_path / "out.png") as image:
            image.load()
            assert image.text == {"Title": "a title", "Long": "x" * 999, "Who": "森"}
            assert image.info["gamma"] == 0.45455
        again = through(tmp_path, data, ".png", ".png", metadata=False)
        assert [name for name, _ in again.chunks] == [b"gAMA"]
    for form, suffix in (("JPEG", ".jpg"), ("GIF", ".gif")):
        buffer = io.BytesIO()
        Image.fromarray(smooth()).quantize(9).convert("RGB").save(buffer, form, comment=b"a word")
        assert through(tmp_path, buffer.getvalue(), suffix, suffix).comment == b"a word"


def test_photoshop_resources_go_between_jpeg_and_tiff(tmp_path: Path):
    resources = b"8BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05title"
    data = images.encode(Picture(smooth(), photoshop=resources), ".jpg")
    assert through(tmp_path, data, ".jpg", ".tif").photoshop == resources
    assert through(tmp_path, (tmp_path / "out.tif").read_bytes(), ".tif", ".jpg").photoshop == resources
    large = resources + bytes(150_000)
    assert (
        through(tmp_path, images.encode(Picture(smooth(), photoshop=large), ".jpg"), ".jpg", ".jpg").photoshop == large
    )


def tables(path: Path) -> tuple[dict[int, list[int]], int]:
    with Image.open(path) as image:
        return image.quantization, JpegImagePlugin.get_sampling(image)


def test_a_fine_jpeg_keeps_its_tables_and_a_coarse_one_gets_the_usual(tmp_path: Path):
    image = Image.fromarray(smooth())
    for name, options in {"usual": {}, "fine": {"quality": 100, "subsampling": 0}, "coarse": {"quality": 60}}.items():
        image.save(tmp_path / f"{name}.jpg", **({"quality": 95} | options))
        through(tmp_path, (tmp_path / f"{name}.jpg").read_bytes(), ".jpg", ".jpg")
        kept = tables(tmp_path / ("fine.jpg" if name == "fine" else "usual.jpg"))
        assert tables(tmp_path / "out.jpg") == kept, name
    through(tmp_path, (tmp_path / "fine.jpg").read_bytes(), ".jpg", ".jpg", quality=60)
    assert tables(tmp_path / "out.jpg") == (tables(tmp_path / "coarse.jpg")[0], 0)
    image.save(tmp_path / "422.jpg", quality=90, subsampling=1, progressive=True)
    through(tmp_path, (tmp_path / "422.jpg").read_bytes(), ".jpg", ".jpg")
    assert tables(tmp_path / "out.jpg") == (tables(tmp_path / "usual.jpg")[0], 1)
    with Image.open(tmp_path / "out.jpg") as again:
        assert again.info["progressive"]
    image.convert("L").save(tmp_path / "grey.jpg", quality=100)
    assert through(tmp_path, (tmp_path / "grey.jpg").read_bytes(), ".jpg", ".jpg").pixels.shape[2] == 1
    assert tables(tmp_path / "out.jpg")[0] == tables(tmp_path / "grey.jpg")[0]


@pytest.mark.parametrize("quality", [0, 101, -1])
def test_odd_qualities_are_refused(quality: int):
    with pytest.raises(ImageError, match=str(quality)):
        images.encode(Picture(smooth()), ".jpg", quality=quality)


def test_files_of_tiff_are_read_by_others(tmp_path: Path):
    """OpenCV reads all of them, Pillow those that it knows."""
    rng = np.random.default_rng(0)
    kinds = [(dtype, count, False) for dtype in (np.uint8, np.uint16, np.float32) for count in (1, 3)]
    for dtype, count, alpha in [*kinds, (np.uint8, 3, True), (np.uint16, 3, True)]:
        pixels = rng.random((61, 47, count + alpha))
        pixels = images.to_depth(pixels * 2 - 1, dtype)
        for packed in (True, False):
            picture = Picture(
                pixels[..., :count],
                pixels[..., count] if alpha else None,
                b"profile" * 99,
                block(),
                "TIFF",
                dpi=(72, 72),
                packed=packed,
            )
            images.write(tmp_path / "x.tif", picture)
            seen = cv2.imread(str(tmp_path / "x.tif"), cv2.IMREAD_UNCHANGED).reshape(pixels.shape)
            order = [2, 1, 0, 3][: count + alpha] if count == 3 else [0]
            want = ((pixels.astype(np.float64) + 1) / 2 if dtype is np.float32 else pixels).astype(dtype)
            assert seen.dtype == dtype
            if not (alpha and dtype is np.uint8):  # there OpenCV multiplies by alpha
                assert np.array_equal(seen[..., order], want)
            if dtype is np.uint8 or count == 1:
                with Image.open(tmp_path / "x.tif") as image:
                    assert np.array_equal(np.asarray(image).reshape(pixels.shape), want)
                    assert image.info["icc_profile"] == picture.profile and image.info["dpi"] == (72, 72)
                    assert image.getexif().get_ifd(34665)[37500] == NOTE


def test_libtiff_packs_what_is_read_here(tmp_path: Path):
    """Predictors, tiles and planes as OpenCV has libtiff write them."""
    pixels = smooth(70, 90, np.uint16)
    for predictor, compression in ((1, 5), (2, 5), (2, 8), (1, 1)):
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
        options += [cv2.IMWRITE_TIFF_ROWSPERSTRIP, 7]
        cv2.imwrite(str(tmp_path / "x.tif"), pixels[..., ::-1], options)
        assert np.array_equal(images.read(tmp_path / "x.tif").pixels, pixels), options
    floats = (pixels / 65535).astype(np.float32)
    for predictor in (1, 3):
        options = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
        cv2.imwrite(str(tmp_path / "x.tif"), floats[..., ::-1], options)
        assert np.array_equal(images.read(tmp_path / "x.tif").pixels, floats * 2 - 1), options


def test_a_gif_of_many_colours_is_dithered_and_one_of_few_is_exact(tmp_path: Path):
    images.write(tmp_path / "x.gif", Picture(smooth(64, 64)))
    assert np.abs(images.read(tmp_path / "x.gif").pixels.astype(int) - smooth(64, 64)).mean() < 12
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    images.write(tmp_path / "x.gif", Picture(grey))
    assert np.array_equal(images.read(tmp_path / "x.gif").pixels, grey)
    few = np.random.default_rng(0).integers(0, 256, (255, 3), np.uint8)[np.arange(1020).reshape(34, 30) % 255]
    alpha = np.where(np.arange(1020).reshape(34, 30) % 7, 255, 0).astype(np.uint8)
    few[alpha == 0] = [1, 2, 3]
    images.write(tmp_path / "x.gif", Picture(few, alpha))
    again = images.read(tmp_path / "x.gif")
    assert np.array_equal(again.pixels, few) and np.array_equal(again.alpha, alpha)


def test_ten_bits_of_avif_are_noted(tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(smooth()).save(buffer, "AVIF")
    place = buffer.getvalue().index(b"av1C") + 6
    data = bytearray(buffer.getvalue())
    assert images.metadata.avif_bits(bytes(data)) == 8
    data[place] |= 0x40
    assert images.metadata.avif_bits(bytes(data)) == 10


def test_suffix_of():
    for name, suffix in {
        "JPEG": ".jpg",
        "PNG": ".png",
        "TIFF": ".tif",
        "WEBP": ".webp",
        "": ".png",
        "NPY": ".npy",
    }.items():
        assert images.suffix_of(Picture(smooth(), format=name)) == suffix
    assert images.suffix_of(Picture(smooth()[..., :1], format="PPM")) == ".pgm"
    assert images.suffix_of(Picture(smooth(), format="PPM")) == ".ppm"
    assert images.suffix_of(Picture(np.zeros((2, 2, 5), np.uint8), format="PNG")) == ".npy"


def test_pil_images_carry_what_they_can(tmp_path: Path):
    (tmp_path / "x.jpg").write_bytes(sources(6)[".jpg"])
    picture = images.read(tmp_path / "x.jpg")
    with Image.open(tmp_path / "x.jpg") as image:
        same = images.from_pil(image)
    assert same.exif == picture.exif and same.xmp == picture.xmp and same.tables == picture.tables
    assert np.array_equal(same.pixels, picture.pixels) and same.pixels.shape == (40, 24, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    fresh = Image.fromarray(smooth())
    fresh.info["exif"] = exif.tobytes()
    assert images.from_pil(fresh).pixels.shape == (40, 24, 3)
