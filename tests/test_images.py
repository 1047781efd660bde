"""Files to arrays to tensors and back: depths, orientation, alpha, profiles, damage."""

import io
import os
import struct
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from translate import images
from translate.errors import ImageError
from translate.images import Picture


def noise(*shape: int, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)], axis=2).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options) -> Path:
    Image.fromarray(pixels.squeeze()).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_formats_round_trip(tmp_path: Path, suffix: str, channels: int):
    pixels = noise(21, 34, channels)
    path = tmp_path / f"Bäume 森{suffix}"
    images.write(path, Picture(pixels))
    picture = images.read(path)
    assert np.array_equal(picture.pixels, pixels)
    assert picture.pixels.flags.writeable
    assert images.size(path) == (21, 34)
    assert images.channels(path) == channels


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_lossy_formats_come_close(tmp_path: Path, suffix: str):
    pixels = smooth(40, 60)
    path = tmp_path / f"x{suffix}"
    images.write(path, Picture(pixels))
    assert np.abs(images.read(path).pixels.astype(int) - pixels).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".tif", ".ppm"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str, channels: int):
    pixels = noise(9, 12, channels, dtype=np.uint16)
    path = tmp_path / f"x{suffix if channels == 3 or suffix != '.ppm' else '.pgm'}"
    images.write(path, Picture(pixels))
    picture = images.read(path)
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, pixels)
    assert (*images.size(path), images.channels(path)) == pixels.shape


def test_sixteen_bit_png_made_elsewhere_has_its_colours_in_order(tmp_path: Path):
    bgr = noise(9, 12, 3, dtype=np.uint16)
    _, data = cv2.imencode(".png", bgr)
    (tmp_path / "x.png").write_bytes(data.tobytes())
    assert np.array_equal(images.read(tmp_path / "x.png").pixels, bgr[..., ::-1])


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_png_keeps_alpha_profile_and_exif(tmp_path: Path, channels: int):
    exif = Image.Exif()
    exif[0x010E] = "a title"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Picture(
        noise(7, 5, channels, dtype=np.uint16), noise(7, 5, dtype=np.uint16, seed=1), profile, exif.tobytes()
    )
    images.write(tmp_path / "x.png", picture)
    again = images.read(tmp_path / "x.png")
    assert np.array_equal(again.pixels, picture.pixels)
    assert again.alpha is not None and np.array_equal(again.alpha, picture.alpha)
    assert again.profile == profile
    with Image.open(tmp_path / "x.png") as image:
        assert image.getexif()[0x010E] == "a title"
    decoded = cv2.imdecode(np.fromfile(tmp_path / "x.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == np.uint16 and np.array_equal(decoded[..., 2], picture.pixels[..., 0])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_profile_and_exif_survive(tmp_path: Path, suffix: str):
    exif = Image.Exif()
    exif[0x010E] = "a title"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Picture(smooth(16, 16), np.full((16, 16), 100, np.uint8), profile, exif.tobytes())
    images.write(tmp_path / f"x{suffix}", picture)
    again = images.read(tmp_path / f"x{suffix}")
    assert again.profile == profile
    assert again.alpha is not None and (again.alpha == 100).all()
    assert images.channels(tmp_path / f"x{suffix}") == 3
    if suffix != ".tif":
        with Image.open(tmp_path / f"x{suffix}") as image:
            assert image.getexif()[0x010E] == "a title"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_orientation_is_turned_upright(tmp_path: Path, orientation: int, suffix: str):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a maker"
    path = save(tmp_path / f"x{suffix}", smooth(24, 40), exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = images.read(path)
    assert np.array_equal(picture.pixels, expected)
    assert images.size(path) == expected.shape[:2]
    images.write(tmp_path / "again.jpg", picture)
    with Image.open(tmp_path / "again.jpg") as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert suffix == ".tif" or image.getexif()[0x010F] == "a maker"


def test_sixteen_bit_tiff_is_turned_upright(tmp_path: Path):
    pixels = noise(4, 6, 3, dtype=np.uint16)
    _, data = cv2.imencode(".tif", pixels)
    head = data.tobytes()
    # Another value for a tag that the encoder writes: PlanarConfiguration (284) becomes Orientation (274) 6.
    entry = head.index(struct.pack("<HHI", 284, 3, 1))
    (tmp_path / "x.tif").write_bytes(head[:entry] + struct.pack("<HHIHH", 274, 3, 1, 6, 0) + head[entry + 12 :])
    assert np.array_equal(images.read(tmp_path / "x.tif").pixels, np.rot90(pixels[..., ::-1], -1))
    assert images.size(tmp_path / "x.tif") == (6, 4)


def test_sixteen_bits_are_turned_upright_too(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = noise(4, 6, 3, dtype=np.uint16)
    images.write(tmp_path / "x.png", Picture(pixels, exif=exif.tobytes()))
    assert np.array_equal(images.read(tmp_path / "x.png").pixels, np.rot90(pixels, -1))


def test_other_modes_become_grey_or_rgb(tmp_path: Path):
    rgb = Image.fromarray(smooth(16, 20))
    cases = {
        "one.png": (rgb.convert("1"), 1, False),
        "grey_alpha.png": (rgb.convert("LA"), 1, True),
        "palette.png": (rgb.convert("P"), 3, False),
        "palette.gif": (rgb.convert("P"), 3, False),
        "cmyk.jpg": (rgb.convert("CMYK"), 3, False),
        "rgba.png": (rgb.convert("RGBA"), 3, True),
    }
    for name, (image, channels, alpha) in cases.items():
        image.save(tmp_path / name)
        picture = images.read(tmp_path / name)
        assert picture.pixels.shape == (16, 20, channels), name
        assert (picture.alpha is not None) == alpha, name
        assert images.channels(tmp_path / name) == channels, name
    palette = rgb.convert("P")
    palette.info["transparency"] = bytes(range(256))
    palette.save(tmp_path / "clear.png")
    assert images.read(tmp_path / "clear.png").alpha is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 5, 16])
def test_arrays(tmp_path: Path, dtype, channels: int):
    pixels = noise(6, 7, channels, dtype=np.uint16)
    pixels = (pixels / 32767.5 - 1).astype(np.float32) if dtype is np.float32 else pixels.astype(dtype)
    images.write(tmp_path / "x.npy", Picture(pixels))
    again = images.read(tmp_path / "x.npy")
    assert again.pixels.dtype == dtype and np.array_equal(again.pixels, pixels)
    assert (*images.size(tmp_path / "x.npy"), images.channels(tmp_path / "x.npy")) == (6, 7, channels)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 17), np.uint8), "shape"),
        (np.zeros(4, np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.full((4, 4), 255.0), "-1, 1"),
        (np.full((4, 4), np.nan), "-1, 1"),
        (np.array([[None]]), "x.npy"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, array: np.ndarray, reason: str):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ImageError, match=reason):
        images.read(tmp_path / "x.npy")


def test_flat_and_double_arrays_are_shaped(tmp_path: Path):
    np.save(tmp_path / "x.npy", np.full((4, 6), 0.5))
    picture = images.read(tmp_path / "x.npy")
    assert picture.pixels.shape == (4, 6, 1) and picture.pixels.dtype == np.float32


@pytest.mark.parametrize("ask", [images.read, images.read_pixels, images.size])
def test_a_jpeg_of_12_bits_is_refused_by_name(tmp_path: Path, ask):
    data = bytearray(save(tmp_path / "a.jpg", smooth(8, 8)).read_bytes())
    frame = data.index(b"\xff\xc0")
    data[frame + 4] = 12
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError, match=r"a\.jpg: a JPEG of 12 bits a channel.*PNG or TIFF"):
        ask(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(data[: frame + 3])
    with pytest.raises(ImageError, match=r"a\.jpg: .*(damaged|cut|truncated)"):
        ask(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".gif", ".npy", ".bmp", ".ppm"])
@pytest.mark.parametrize("wide", [False, True])
def test_truncated_files_are_refused_and_named(tmp_path: Path, suffix: str, wide: bool):
    if wide and suffix not in (".png", ".tif", ".npy", ".ppm"):
        pytest.skip("8 bits only")
    path = tmp_path / f"x{suffix}"
    images.write(path, Picture(noise(64, 64, 3, dtype=np.uint16 if wide else np.uint8)))
    data = path.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.95):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError, match="x" + suffix):
            images.read(path)


def test_garbage_missing_and_folders_are_refused(tmp_path: Path):
    (tmp_path / "x.png").write_bytes(os.urandom(1000))
    (tmp_path / "y.png").mkdir()
    for name in ("x.png", "y.png", "z.png"):
        for look in (images.read, images.size):
            with pytest.raises(ImageError, match=name):
                look(tmp_path / name)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tmp_path / "x.png", np.zeros((100, 100), np.uint8))
    with pytest.raises(ImageError, match="more pixels"):
        images.read(path, most_pixels=9_999)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own limit does not count
    assert images.size(path) == (100, 100)
    assert images.read(path, most_pixels=10_000).pixels.shape == (100, 100, 1)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_listing_is_sorted_and_leaves_out_what_is_no_image(tmp_path: Path):
    for name in (
        "b/2.PNG",
        "b/10.jpg",
        "a.tif",
        ".hidden.png",
        ".cache/x.png",
        "b/note.txt",
        "c.npy",
        ".x.partial-3.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in images.list_images(tmp_path)]
    assert found == ["a.tif", "b/10.jpg", "b/2.PNG", "c.npy"]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tensors_round_trip_every_value(dtype):
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 16, 1)
    tensor = images.to_tensor(values)
    assert tensor.dtype == torch.float32 and tensor.shape == (1, *values.shape[:2])
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(images.to_array(tensor, dtype), values)


def test_arrays_are_rounded_and_clamped():
    tensor = torch.tensor([-7.0, -1 + 0.6 / 127.5, -1 + 0.4 / 127.5, 7.0]).reshape(1, 1, 4)
    assert images.to_array(tensor, np.uint8).ravel().tolist() == [0, 1, 0, 255]
    assert images.to_array(tensor, np.float32).ravel()[[0, 3]].tolist() == [-1, 1]


def test_channels_stay_in_order_as_tensor():
    pixels = noise(4, 5, 3)
    assert torch.equal(images.to_tensor(pixels)[2], torch.from_numpy(pixels[..., 2]) / 127.5 - 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
def test_resize(dtype, channels: int):
    pixels = noise(32, 48, channels, dtype=np.uint16)
    pixels = (pixels / 32767.5 - 1).astype(np.float32) if dtype is np.float32 else pixels.astype(dtype)
    half = images.resize(pixels, 16, 24)
    mean = pixels.reshape(16, 2, 24, 2, channels).astype(np.float64).mean(axis=(1, 3))
    assert half.dtype == dtype and np.abs(half - mean).max() <= (1e-6 if dtype is np.float32 else 1)
    for height, width in ((64, 96), (64, 20), (32, 48), (1, 1)):
        resized = images.resize(pixels, height, width)
        assert resized.shape == (height, width, channels)
        assert dtype is not np.float32 or np.abs(resized).max() <= 1


def test_what_a_format_cannot_hold_is_refused_or_made_to_fit(tmp_path: Path):
    with pytest.raises(ImageError, match=r"5.*\.npy"):
        images.write(tmp_path / "x.png", Picture(noise(4, 4, 5)))
    with pytest.raises(ImageError, match="xyz"):
        images.write(tmp_path / "x.xyz", Picture(noise(4, 4, 3)))
    with pytest.raises(ImageError, match=r"\.ppm"):
        images.write(tmp_path / "x.pgm", Picture(noise(4, 4, 3)))
    assert not list(tmp_path.iterdir())
    images.write(tmp_path / "x.bmp", Picture(np.full((4, 4, 1), 65535, np.uint16), alpha=np.zeros((4, 4), np.uint16)))
    assert (images.read(tmp_path / "x.bmp").pixels == 255).all()


def test_pil_images_are_read_like_files(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 8
    path = save(tmp_path / "x.png", noise(8, 6, 4), exif=exif)
    picture = images.read(path)
    with Image.open(path) as image:
        same = images.from_pil(image)
    assert np.array_equal(picture.pixels, same.pixels)
    assert picture.alpha is not None and same.alpha is not None and np.array_equal(picture.alpha, same.alpha)
    assert images.to_pil(same.pixels, same.alpha).mode == "RGBA"
    assert images.to_pil(same.pixels[..., :1]).mode == "L"


def test_odd_metadata_is_no_trouble(tmp_path: Path):
    buffer = io.BytesIO()
    Image.fromarray(smooth(8, 8)).save(buffer, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01")
    (tmp_path / "x.jpg").write_bytes(buffer.getvalue())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert images.read(tmp_path / "x.jpg").pixels.shape == (8, 8, 3)
