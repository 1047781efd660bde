"""Colour profiles: into the space of the networks and back; what a network must not see."""

import io
from dataclasses import replace
from pathlib import Path

import icc
import numpy as np
import pytest
from PIL import Image, ImageCms

from translate import images
from translate.images import Picture, profiles


def colours(dtype=np.uint8, count: int = 3) -> np.ndarray:
    """Corners, greys and noise of a colour cube."""
    most = np.iinfo(dtype).max
    corners = np.stack(np.meshgrid(*[[0, 1, 2, 5, most // 2, most - 1, most]] * 3), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.linspace(0, most, 257, dtype=np.int64)[:, None], 3, axis=1)
    random = np.random.default_rng(0).integers(0, most, (1400, 3), endpoint=True)
    return np.concatenate([corners, greys, random]).astype(dtype).reshape(-1, 50, 3)[..., :count].copy()


def lab(xyz: np.ndarray) -> np.ndarray:
    share = xyz / np.array([0.9642, 1.0, 0.8249])
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def delta_e(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """CIEDE2000 (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7))) / 2
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = np.where(c1 * c2 == 0, 0, (h2 - h1 + 180) % 360 - 180)
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    hm = np.where(c1 * c2 == 0, h1 + h2, (h1 + h2) / 2 + np.where(np.abs(h1 - h2) > 180, 180, 0))
    t = 1 - 0.17 * np.cos(np.radians(hm - 30)) + 0.24 * np.cos(np.radians(2 * hm))
    t += 0.32 * np.cos(np.radians(3 * hm + 6)) - 0.2 * np.cos(np.radians(4 * hm - 63))
    rt = -2 * np.sqrt(cm**7 / (cm**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((hm - 275) / 25) ** 2))))
    sl = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2)
    dl, dc, dh = dl / sl, dc / (1 + 0.045 * cm), dh / (1 + 0.015 * cm * t)
    return np.sqrt(dl**2 + dc**2 + dh**2 + rt * dc * dh)


def test_delta_e_is_that_of_the_paper():
    # Pairs 1, 7 and 25 of the paper's table.
    one = np.array([[50, 2.6772, -79.7751], [50, 0, 0], [60.2574, -34.0099, 36.2677]])
    two = np.array([[50, 0, -82.7485], [50, -1, 2], [60.4626, -34.1751, 39.4387]])
    assert np.allclose(delta_e(one, two), [2.0425, 2.3669, 1.2644], atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", icc.WIDE)
def test_a_network_that_changes_nothing_returns_every_colour(name: str, dtype):
    picture = Picture(colours(dtype), profile=icc.WIDE[name])
    seen = images.to_model(picture)
    assert seen.dtype == np.float32 and np.abs(seen).max() > 1
    back = images.from_model(seen, picture)
    assert np.array_equal(back.pixels, picture.pixels) and back.profile == icc.WIDE[name]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", icc.WIDE)
def test_a_network_that_changes_next_to_nothing_returns_nearly_every_colour(name: str, dtype):
    """So that nothing is compared with the stored pixels: the way back itself is exact."""
    picture = Picture(colours(dtype), profile=icc.WIDE[name])
    seen = np.nextafter(images.to_model(picture), np.float32(0))
    back = images.from_model(seen, picture).pixels
    steps = np.abs(back.astype(int) - picture.pixels)
    gamma = icc.GAMMAS[name] if isinstance(icc.GAMMAS[name], float) else 2.2
    matrix, most = np.array(icc.PRIMARIES[name]), np.iinfo(dtype).max
    one, two = (lab((pixels / most) ** gamma @ matrix.T) for pixels in (picture.pixels, back))
    assert delta_e(one, two).max() < 1e-3 and (dtype == np.uint16 or steps.max() == 0)


def test_known_colours():
    """Display P3 red is (1.0930, -0.2267, -0.1501) in sRGB; Adobe RGB's green (-0.5651, 1, -0.2343) or so."""
    red = Picture(np.array([[[255, 0, 0]]], np.uint8), profile=icc.WIDE["p3"])
    assert np.allclose((images.to_model(red) + 1) / 2, [[[1.0930, -0.2267, -0.1501]]], atol=2e-3)
    grey = Picture(np.array([[[128, 128, 128]]], np.uint8), profile=icc.WIDE["p3"])
    assert np.allclose((images.to_model(grey) + 1) / 2, 128 / 255, atol=1e-3)
    # Linear: half the light is 0.7354 on the curve of sRGB, by hand 1.055 * 0.5**(1 / 2.4) - 0.055.
    linear = Picture(np.array([[[0.0]]], np.float32), profile=icc.profile("grey", None))
    assert np.allclose((images.to_model(linear) + 1) / 2, 0.7354, atol=1e-4)


def test_against_littlecms_inside_of_srgb():
    picture = Picture(colours(), profile=icc.WIDE["adobe"])
    ours = (images.to_model(picture) + 1) / 2
    theirs = ImageCms.profileToProfile(
        Image.fromarray(picture.pixels),
        ImageCms.ImageCmsProfile(io.BytesIO(icc.WIDE["adobe"])),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    inside = ((ours > 0.02) & (ours < 0.98)).all(axis=2)
    assert inside.sum() > 300
    assert np.abs(ours * 255 - np.asarray(theirs))[inside].max() < 1.5


@pytest.mark.parametrize("what", [
    None, 1.0, 2.2, np.linspace(0, 1, 1024) ** 2.2, np.linspace(0, 1, 2), (0, [1.8]),
    (1, [2.4, 1 / 1.055, 0.055 / 1.055]), (2, [2.2, 0.9, 0.05, 0.01]), icc.SRGB_CURVE,
    (4, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0]),
])  # fmt: skip
def test_curves_and_their_inverses(what: object):
    parsed = profiles.parse(icc.profile("p3", what)).curves[1]
    values = np.linspace(0.05, 1, 500)
    assert np.allclose(parsed.inverse(parsed.forward(values)), values, atol=1e-6)
    if isinstance(what, tuple) and what[0] > 2:
        assert np.allclose(parsed.forward(np.array([0.02, 0.5])), [0.02 / 12.92, 0.21404], atol=2e-5)
    picture = Picture(colours(), profile=icc.profile("p3", what))
    assert np.array_equal(images.from_model(images.to_model(picture), picture).pixels, picture.pixels)


@pytest.mark.parametrize("data", [
    icc.profile("srgb", icc.SRGB_CURVE), icc.profile("srgb", icc.SRGB_CURVE, version=2),
    icc.profile("srgb", profiles.srgb_light(np.linspace(0, 1, 1024))), icc.profile("grey", icc.SRGB_CURVE),
    ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
])  # fmt: skip
def test_srgb_is_left_as_it_is(data: bytes):
    picture = Picture(colours(count=1 if data[16:20] == b"GRAY" else 3), profile=data)
    assert images.to_model(picture) is picture.pixels
    assert images.from_model(255 - picture.pixels, picture).profile == data


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("data", [icc.profile("grey", 1.8), icc.profile("grey", None, 2), icc.WIDE["prophoto"]])
def test_grey_profiles(data: bytes, dtype):
    pixels = (np.linspace(-1, 1, 512)[None, :, None]).astype(np.float32)
    pixels = images.to_depth(pixels, dtype)
    picture = Picture(pixels, profile=data)
    seen = images.to_model(picture)
    assert seen.shape == pixels.shape and (np.diff(seen[0, :, 0]) >= 0).all()
    for given in (seen, np.repeat(seen, 3, axis=2)):
        back = images.from_model(given, picture)
        assert np.array_equal(back.pixels, pixels) and back.profile == data
    colour = np.repeat(seen, 3, axis=2)
    colour[0, 0, 0] = 0.5
    assert images.from_model(colour, picture).profile is None
    assert images.from_model(colour, picture).pixels.shape[2] == 3


def broken() -> dict[str, bytes]:
    good = icc.WIDE["p3"]
    return {
        "short": good[:100],
        "no sign": good.replace(b"acsp", b"xxxx"),
        "cut": good[:-40],
        "many tags": good[:128] + b"\xff\xff\xff\xff" + good[132:],
        "odd curve": good.replace(b"para", b"what"),
        "odd formula": good.replace(b"para\0\0\0\0\0\x03", b"para\0\0\0\0\0\x09"),
        "negative": icc.profile("p3", (0, [-2.2])),
        "falling": icc.profile("p3", np.linspace(1, 0, 16)),
        "grey for colour": icc.profile("grey", 2.2),
        "cmyk": good.replace(b"RGB ", b"CMYK"),
        "no tags": good.replace(b"XYZ", b"xyz"),
        "random": np.random.default_rng(0).bytes(500),
    }


@pytest.mark.parametrize(("name", "data"), broken().items())
def test_a_broken_profile_counts_as_srgb_and_is_carried_and_noted(tmp_path: Path, name: str, data: bytes):
    images.write(tmp_path / "x.png", Picture(colours(), profile=data))
    picture = images.read(tmp_path / "x.png")
    assert picture.profile == data
    assert any("profile is broken" in note for note in picture.notes), picture.notes
    assert images.to_model(picture) is picture.pixels
    assert images.from_model(picture.pixels, picture).profile == data


def test_profiles_of_tables_go_through_littlecms():
    def dim(nodes: np.ndarray) -> np.ndarray:
        return np.stack([50 * nodes.mean(axis=1), 0 * nodes[:, 0], 0 * nodes[:, 0]], axis=1)

    for data, kept in ((icc.table(b"RGB ", dim, back=True), True), (icc.table(b"RGB ", dim), False)):
        picture = Picture(np.array([[[204] * 3, [0] * 3]], np.uint8), profile=data)
        seen = images.to_model(picture)
        # 204 of 255 of L* 50 is L* 40, which is 94 in sRGB.
        assert np.abs((seen + 1) * 127.5 - [[[94] * 3, [0] * 3]]).max() < 3
        back = images.from_model(seen, picture)
        assert (back.profile == data) == kept
        assert np.array_equal(back.pixels, picture.pixels) == kept


def test_what_is_no_space_of_pictures_counts_as_broken():
    table = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert images.to_model(Picture(colours(), profile=table)).dtype == np.uint8  # of another space: broken


@pytest.mark.parametrize("suffix", [".gif", ".bmp", ".ppm"])
def test_a_format_without_profiles_gets_srgb(suffix: str, tmp_path: Path):
    picture = Picture(np.full((4, 4, 3), [200, 100, 100], np.uint8), profile=icc.WIDE["p3"])
    images.write(tmp_path / f"x{suffix}", picture)
    want = np.rint((images.to_model(picture) + 1) * 127.5)
    assert np.abs(images.read(tmp_path / f"x{suffix}").pixels - want).max() <= 1
    assert want[0, 0, 0] > 205


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_profiles_stay_without_metadata(suffix: str, tmp_path: Path):
    images.write(tmp_path / f"x{suffix}", Picture(colours(), profile=icc.WIDE["p3"]), metadata=False)
    picture = images.read(tmp_path / f"x{suffix}")
    assert picture.profile == icc.WIDE["p3"] and not picture.notes


def test_training_sees_srgb(tmp_path: Path):
    images.write(tmp_path / "x.png", Picture(colours(), profile=icc.WIDE["p3"]))
    pixels = images.read_pixels(tmp_path / "x.png")
    seen = images.to_model(images.read(tmp_path / "x.png"))
    assert pixels.dtype == np.uint16
    assert np.abs(pixels / 32767.5 - 1 - seen.clip(-1, 1)).max() < 2e-5


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("wide", [False, True])
def test_hidden_colours_are_not_seen_and_come_back(dtype, wide: bool):
    pixels = np.full((9, 9, 3), [1, 2, 3], np.uint8)
    pixels[:, 5:] = [200, 150, 100]
    shown = np.full((9, 9), 255, np.uint8)
    shown[2:7, 1:8] = 0
    pixels[shown == 0] = [255, 0, 255]
    full = images.to_depth(pixels, dtype)
    picture = Picture(full, images.to_depth(shown, dtype), icc.WIDE["p3"] if wide else None)
    seen = images.to_model(picture)
    visible = {tuple(colour) for colour in seen[shown > 0]}
    assert {tuple(colour) for colour in seen[shown == 0]} <= visible
    assert tuple(seen[4, 1]) == tuple(seen[4, 0]) and tuple(seen[4, 7]) == tuple(seen[4, 8])
    back = images.from_model(seen, picture)
    assert np.array_equal(back.pixels, full)
    assert back.alpha is picture.alpha
    nothing = replace(picture, alpha=np.full_like(picture.alpha, -1 if dtype is np.float32 else 0))
    assert len(np.unique(images.to_model(nothing))) == 1
    assert np.array_equal(images.from_model(np.zeros((9, 9, 3), np.float32), nothing).pixels, full)


def test_results_are_rounded_to_the_nearest():
    picture = Picture(np.zeros((1, 4, 1), np.uint8))
    given = (np.array([0.4, 0.6, 254.4, 254.6], np.float32) / 127.5 - 1).reshape(1, 4, 1)
    assert images.from_model(given, picture).pixels.ravel().tolist() == [0, 1, 254, 255]
    assert images.from_model(np.array([[[-3.0], [3.0], [0], [0]]], np.float32), picture).pixels.ravel()[
        :2
    ].tolist() == [0, 255]


def test_a_grey_picture_stays_grey_only_if_the_result_is():
    picture = Picture(colours(count=1))
    equal = np.repeat(picture.pixels, 3, axis=2)
    assert np.array_equal(images.from_model(equal, picture).pixels, picture.pixels)
    equal[0, 0, 2] ^= 1
    assert np.array_equal(images.from_model(equal, picture).pixels, equal)


def test_another_size_is_refused():
    with pytest.raises(images.reading.ImageError, match="rows"):
        images.from_model(np.zeros((3, 4, 3), np.uint8), Picture(np.zeros((4, 4, 3), np.uint8)))
