"""Grey and toned pictures are told from those in colour, and their tone is found and put back."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from translate.colour.lab import from_lab, to_lab
from translate.colour.monochrome import KNOTS, is_monochrome, tone, tone_at
from translate.errors import ImageError
from translate.images import read_pixels, resize, to_array, to_depth, to_tensor

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pictures(name: str, every: int = 1, side: int = 256) -> dict[str, np.ndarray]:
    """Pictures of a folder of the calibration data, at most `side` pixels a side; skips where it is absent."""
    paths = sorted(path for path in (DATA / name).rglob("*") if path.suffix in (".jpg", ".png"))[::every]
    if not paths:
        pytest.skip(f"there are no pictures in {DATA / name}")
    return {path.stem: shrunk(read_pixels(path), side) for path in paths}


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    scale = min(1.0, side / max(pixels.shape))
    return resize(pixels, round(pixels.shape[0] * scale), round(pixels.shape[1] * scale))


def scene(height: int = 120, width: int = 160) -> np.ndarray:
    """A landscape: blue sky, green hills, a red roof on a white house; lit from the left, a little noise."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    pixels = np.where((y < 0.45)[..., None], [120.0, 165, 225], [90.0, 140, 60])
    pixels[y > 0.75 + 0.08 * np.sin(9 * x)] = [150, 120, 80]
    pixels[(abs(x - 0.6) < 0.15) & (abs(y - 0.55) < 0.12)] = [225, 222, 215]
    pixels[(abs(x - 0.6) < 0.4 * (y - 0.25)) & (y < 0.43)] = [180, 60, 45]
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 1))
    return np.rint((pixels * (1.05 - 0.3 * x[..., None]) + noise).clip(0, 255)).astype(np.uint8)


def grey(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def toned(pixels: np.ndarray, a: float, b: float, yellowed: float = 0.0) -> np.ndarray:
    """The picture in grey with chroma (a, b), strongest in the middle tones, and yellowed towards its corners."""
    light = to_lab(to_tensor(grey(pixels))[None])[0]
    chroma = torch.tensor([a, b]).view(1, 2, 1, 1) * (1 - (light / 50 - 1).square() * 0.6)
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in light.shape[2:]), indexing="ij")
    chroma[:, 1] += yellowed * (y.square() + x.square()) / 2
    return to_array(from_lab(light * 0.85 + 8, chroma)[0], np.uint8)


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    halved = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality, *halved])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1].copy()


TONES = {"sepia": (6, 24), "weak": (1, 5), "selenium": (7, -5), "cyanotype": (-4, -32), "strong": (9, 28)}


def test_a_scene_in_colour_is_not_monochrome() -> None:
    pixels = scene()
    for dtype in (np.uint8, np.uint16, np.float32):
        assert not is_monochrome(to_depth(pixels, dtype))
        assert is_monochrome(to_depth(grey(pixels), dtype))
    for quality in (30, 60, 95):
        assert not is_monochrome(jpeg(pixels, quality))
        assert is_monochrome(jpeg(grey(pixels), quality))
    assert not is_monochrome(resize(pixels, 16, 16))
    assert not is_monochrome(resize(pixels, 900, 1200))


@pytest.mark.parametrize("name", TONES)
@pytest.mark.parametrize("yellowed", [0.0, 8.0])
def test_a_toned_scene_is_monochrome(name: str, yellowed: float) -> None:
    pixels = toned(scene(), *TONES[name], yellowed)
    assert is_monochrome(pixels)
    for quality in (60, 95) if yellowed else (30, 60, 95):  # much JPEG breaks a drift up into patches
        assert is_monochrome(jpeg(pixels, quality))


def test_degenerate_pictures() -> None:
    def flat(*colour: int, side: int = 8) -> np.ndarray:
        return np.full((side, side, 3), colour, np.uint8)

    for side in (1, 2, 8, 300):
        assert is_monochrome(flat(0, 0, 0, side=side)) and is_monochrome(flat(255, 255, 255, side=side))
        assert is_monochrome(flat(222, 205, 170, side=side))  # paper
        assert not is_monochrome(flat(255, 0, 0, side=side))
    assert is_monochrome(np.random.default_rng(0).integers(0, 256, (5, 7, 1), dtype=np.uint8))
    assert is_monochrome(scene()[110:111, :1]) and not is_monochrome(scene()[60:61, :1])  # brown, green
    # Two colours of one light, and two saturated ones of different light; black ink on paper.
    drawing = scene().max(axis=2, keepdims=True) > 150
    assert not is_monochrome(np.where(drawing, [200, 120, 120], [95, 155, 120]).astype(np.uint8))
    assert not is_monochrome(np.where(drawing, [250, 230, 0], [0, 0, 200]).astype(np.uint8))
    assert is_monochrome(np.where(drawing, [240, 228, 200], [35, 30, 28]).astype(np.uint8))
    assert not is_monochrome(np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8))
    for shape in ((1, 200, 3), (200, 1, 3)):
        assert is_monochrome(np.full(shape, 90, np.uint8))
    for count in (2, 4):
        with pytest.raises(ImageError, match=f"not one of {count}"):
            is_monochrome(np.zeros((4, 4, count), np.uint8))


def test_a_spot_of_ink_does_not_make_a_colour_photograph() -> None:
    pixels = toned(scene(240, 320), 6, 20)
    pixels[20:28, 30:52] = [60, 60, 190]
    assert is_monochrome(pixels)
    pixels[20:120, 30:130] = [60, 60, 190]
    assert not is_monochrome(pixels)


def test_the_tone_is_found() -> None:
    pixels = toned(scene(), 6, 24)
    light, chroma = to_lab(to_tensor(pixels)[None])
    given = tone_at(tone(pixels), light[0, 0])
    assert given.shape == chroma[0].shape
    assert (given - chroma[0]).square().mean().sqrt() < 0.8
    # Yellowed corners do not bend the curve: it is that of the mean over the sheet.
    drifted = tone(toned(scene(), 6, 24, 9.0)) - torch.tensor([0.0, 3.0])
    seen = slice(3, 7)
    assert (drifted - tone(pixels))[seen].abs().max() < 2


def test_the_tone_of_grey_is_none() -> None:
    assert tone(scene()[..., :1]).tolist() == [[0.0, 0.0]] * KNOTS
    for pixels in (grey(scene()), jpeg(grey(scene()), 30), np.zeros((1, 1, 3), np.uint8)):
        assert tone(pixels).tolist() == [[0.0, 0.0]] * KNOTS


def test_light_unseen_takes_the_next_tone() -> None:
    flat = np.full((20, 20, 3), (150, 130, 100), np.uint8)
    curve = tone(flat)
    chroma = to_lab(to_tensor(flat)[None])[1].mean(dim=(0, 2, 3))
    assert torch.allclose(curve, chroma.expand_as(curve), atol=0.1)


def test_tone_at_is_linear_between_knots() -> None:
    curve = torch.stack([torch.arange(5.0), 10 - torch.arange(5.0)], dim=1)
    light = torch.tensor([[-3.0, 0.0, 12.5], [50.0, 100.0, 120.0]], dtype=torch.float64)
    found = tone_at(curve, light)
    assert found.dtype == torch.float64 and found.shape == (2, 2, 3)
    assert found[0].tolist() == [[0, 0, 0.5], [2, 4, 4]]
    assert found[1].tolist() == [[10, 10, 9.5], [8, 6, 6]]


def test_two_strong_hues_are_a_picture_in_colour() -> None:
    light = to_lab(to_tensor(grey(scene()))[None])[0]
    for dark, bright, monochrome in (((2, -20), (8, 20), False), ((0, -2), (1, 3), True)):
        ends = torch.tensor([dark, bright]).view(2, 1, 2, 1, 1)
        chroma = torch.lerp(ends[0].float(), ends[1].float(), light / 100)
        assert is_monochrome(to_array(from_lab(light * 0.85 + 8, chroma)[0], np.uint8)) is monochrome


def test_strong_chroma_must_be_of_a_known_tone() -> None:
    for a, b in ((-20, 5), (-18, -14), (20, -14), (22, 4), (20, 60)):  # green, teal, magenta, red, orange
        assert not is_monochrome(toned(scene(), a, b)), (a, b)
    assert is_monochrome(toned(scene(), -3, 1))  # a weak green
    assert not is_monochrome(np.full((8, 8, 3), (120, 160, 120), np.uint8))


def test_old_photographs_are_monochrome() -> None:
    for side in (4000, 400):
        found = {name: is_monochrome(pixels) for name, pixels in pictures("old_photos", side=side).items()}
        assert all(found.values()), (side, found)
    found = {name: is_monochrome(jpeg(pixels, 75)) for name, pixels in pictures("old_photos", side=400).items()}
    assert all(found.values()), found


def test_photographs_in_colour_are_not() -> None:
    found = {name: is_monochrome(pixels) for name, pixels in pictures("kodak24").items()}
    assert not any(found.values()), found
    # These are black and white or toned indeed, or all but of one hue.
    found = {name: is_monochrome(pixels) for name, pixels in pictures("photos", every=5).items()}
    assert sum(found.values()) <= 0.04 * len(found), found


# Haze and fog, a cheetah on grass, a golden sunset: taken for toned prints they were painted over.
HAZY = """summer2winter/trainB/2016-12-14_19_51_47 summer2winter/trainB/2016-12-10 bsds500/train/134008
    monet2photo/testB/2014-10-27_04_18_19 photos/f37a93cd01 photos/f265b9c6d2 photos/126fb64cb8 photos/49095bdeb5
    photos/c5656a3bc2 photos/cd91b78ba2"""


@pytest.mark.parametrize("name", HAZY.split())
def test_photographs_all_but_of_one_hue_are_in_colour(name: str) -> None:
    paths = sorted(DATA.glob(name + "*"))
    if not paths:
        pytest.skip(f"there is no {DATA / name}")
    for path in paths:
        pixels = read_pixels(path)
        assert not is_monochrome(pixels), path
        assert not is_monochrome(shrunk(pixels, 256)), path


def test_toned_photographs_are_monochrome() -> None:
    kept = []
    for index, pixels in enumerate(pictures("photos", every=30).values()):
        for place, chroma in enumerate(TONES.values()):
            aged = toned(pixels, *chroma, yellowed=(0.0, 6.0)[(index + place) % 2])
            kept.append(is_monochrome(jpeg(aged, (40, 75, 95)[index % 3])))
    assert np.mean(kept) >= 0.98
