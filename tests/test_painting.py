"""Greyscale photographs at full size with the colours of a small picture."""

import cv2
import kornia.color
import numpy as np
import pytest
import torch
from torch import Tensor

from translate.colour.gamut import into_gamut, linear_rgb
from translate.colour.lab import to_lab
from translate.colour.painting import light_of, paint, reduced_light
from translate.colour.upsampling import cleaned, upsample
from translate.images import to_tensor

ONE, OTHER = np.array([45, 35], np.float32), np.array([-35, -25], np.float32)


def lab_of(pixels: np.ndarray) -> Tensor:
    return kornia.color.rgb_to_lab((to_tensor(pixels) + 1) / 2)


def loss_of_light(painted: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """|dL*| of two pictures as they are stored, (H, W), by kornia."""
    return (lab_of(painted)[0] - lab_of(np.repeat(pixels, 4 - pixels.shape[2], 2)[..., :3])[0]).abs().numpy()


def every_hue(most: float, hues: int, chromas: int) -> Tensor:
    """Chroma (2, hues * chromas) of every hue from 0 to `most`."""
    angles = torch.arange(hues) * (2 * torch.pi / hues)
    sizes = torch.linspace(0, most, chromas)
    return torch.stack([torch.outer(angles.cos(), sizes).flatten(), torch.outer(angles.sin(), sizes).flatten()])


def photograph(height: int = 120, width: int = 180, dtype: type = np.uint8) -> np.ndarray:
    """Soft and hard edges, grain, black and white."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    values = 0.5 + 0.3 * np.sin(x / 17) * np.cos(y / 23) + 0.3 * ((x - 90) ** 2 + (y - 60) ** 2 < 1600) - 0.3 * (x < 40)
    values += np.random.default_rng(0).normal(0, 0.02, values.shape)
    values = values.clip(0, 1)[..., None]
    most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 0
    return np.rint(values * most).astype(dtype) if most else (values * 2 - 1).astype(dtype)


def patches(height: int = 8, width: int = 12, size: float = 40) -> np.ndarray:
    return np.random.default_rng(1).normal(0, size, (height, width, 2)).astype(np.float32)


def sides(kind: str, size: int) -> np.ndarray:
    """How much of each pixel lies on the second side of an edge, in [0, 1]."""
    y, x = np.mgrid[: size * 4, : size * 4].astype(np.float32) / 4
    inside = {
        "straight": x > 0.4837 * size,
        "diagonal": x + 0.6 * y > 0.71 * size,
        "circle": (x - size / 2) ** 2 + (y - size / 2) ** 2 < (0.31 * size) ** 2,
    }[kind]
    return inside.reshape(size, 4, size, 4).mean((1, 3)).astype(np.float32)


def greys(light: np.ndarray) -> np.ndarray:
    """L* (H, W) from 8 on as sRGB greys of 8 bits."""
    intensity = ((light + 16) / 116) ** 3
    return np.rint((1.055 * intensity ** (1 / 2.4) - 0.055).clip(0, 1) * 255).astype(np.uint8)[..., None]


def brought_up(pixels: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """Small chroma (h, w, 2) at the size of `pixels`, as `paint` does it."""
    light = torch.from_numpy(reduced_light(pixels, *chroma.shape[:2]))
    small = cleaned(light, torch.from_numpy(chroma).permute(2, 0, 1).contiguous())
    full = upsample(light, small, torch.from_numpy(light_of(pixels)), 0, pixels.shape[0])
    return full.permute(1, 2, 0).numpy()


def test_colours_of_srgb_stay_bit_for_bit():
    values = torch.linspace(-1, 1, 24)
    light, chroma = to_lab(torch.stack(torch.meshgrid(values, values, values, indexing="ij")).view(1, 3, 24, -1))
    assert torch.equal(into_gamut(light, chroma), chroma)


def test_the_gamut_keeps_light_and_hue_and_as_much_chroma_as_there_is():
    light = torch.linspace(0, 100, 101)[:, None].expand(-1, 180 * 7)
    chroma = every_hue(150, 180, 7)[:, None].expand(-1, 101, -1)
    mapped = into_gamut(light[None, None], chroma[None])[0]
    lab = torch.cat([light[None], mapped])
    rgb = kornia.color.lab_to_rgb(lab, clip=False)
    assert rgb.min() > -2e-4 and rgb.max() < 1 + 2e-4  # no NaN either
    assert (mapped[0] * chroma[1] - mapped[1] * chroma[0]).abs().max() < 0.01
    assert ((mapped * chroma).sum(0) >= 0).all()
    size, given = mapped.norm(dim=0), chroma.norm(dim=0)
    assert (size <= given).all()
    reduced = (size < given) & (size > 1)
    assert reduced.sum() > 10000
    lab[1:] *= 1.01
    more = kornia.color.lab_to_rgb(lab, clip=False)
    outside = (more.amin(0) < -1e-4) | (more.amax(0) > 1 + 4e-5)
    assert outside[reduced].all()


def test_black_and_white_have_no_chroma_to_keep():
    light = torch.tensor([0.0, 100.0])[None, None, None]
    mapped = into_gamut(light, torch.full((1, 2, 1, 2), 60.0))
    assert mapped.abs().max() < 0.05


def test_linear_rgb_is_kornias():
    values = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    lab = kornia.color.rgb_to_lab(values)
    torch.testing.assert_close(
        torch.stack(linear_rgb(*lab)), kornia.color.rgb_to_linear_rgb(values), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 0.25), (np.uint16, 0.02), (np.float32, 0.02)])
def test_light_stays_for_every_grey_hue_and_chroma(dtype: type, most: float):
    grey = (
        np.arange(256) if dtype == np.uint8 else np.arange(256) * 257 if dtype == np.uint16 else np.linspace(-1, 1, 256)
    )
    chroma = every_hue(150, 72, 26)
    pixels = np.repeat(grey.astype(dtype)[:, None, None], chroma.shape[1], 1)
    given = np.zeros((1, 1, 2), np.float32)
    painted = paint(pixels, given, adjust=lambda light, _, first: chroma[:, None].expand(2, *light.shape))
    loss = loss_of_light(painted, pixels)
    assert loss.max() < most
    assert loss.mean() < most / 3
    lab = torch.cat([torch.from_numpy(light_of(pixels))[None], chroma[:, None].expand(2, 256, -1)])
    clipped = kornia.color.rgb_to_lab(kornia.color.lab_to_rgb(lab, clip=True))
    assert (clipped[0] - lab[0]).abs().max() > 20  # what clipping would have done


@pytest.mark.parametrize("saturation", [1, 1.5, 2.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_light_of_a_photograph_stays(saturation: float, channels: int):
    pixels = photograph()
    if channels == 3:
        pixels = (pixels * np.array([1, 0.9, 0.7])).astype(np.uint8)  # sepia
    painted = paint(pixels, patches(), adjust=lambda light, chroma, first: chroma * saturation)
    loss = loss_of_light(painted, pixels)
    assert loss.max() < 0.25
    assert loss.mean() < 0.1


def test_paint_agrees_with_kornia_where_srgb_has_the_colour():
    pixels, chroma = photograph(dtype=np.float32) * 0.4, patches(size=4)
    painted = (to_tensor(paint(pixels, chroma)) + 1) / 2
    lab = torch.cat(
        [torch.from_numpy(light_of(pixels))[None], torch.from_numpy(brought_up(pixels, chroma)).permute(2, 0, 1)]
    )
    torch.testing.assert_close(painted, kornia.color.lab_to_rgb(lab), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_light_is_kornias(dtype: type):
    coloured = np.concatenate(
        [photograph(dtype=dtype)[::order, ::turn] for order, turn in ((1, 1), (-1, 1), (1, -1))], 2
    )
    np.testing.assert_allclose(light_of(coloured), lab_of(coloured)[0], atol=1e-3)
    one = coloured[..., :1]
    np.testing.assert_allclose(light_of(one), lab_of(np.repeat(one, 3, 2))[0], atol=1e-3)


@pytest.mark.parametrize("ratio", [2, 4, 12, 16])
@pytest.mark.parametrize("kind", ["straight", "diagonal", "circle"])
@pytest.mark.parametrize("grain", [0, 2])
def test_chroma_does_not_cross_an_edge(kind: str, ratio: int, grain: float):
    size = 192
    share = sides(kind, size)
    light = 45 + 15 * share + np.random.default_rng(0).normal(0, grain, share.shape)
    chroma = ONE + (OTHER - ONE) * share[..., None]
    small = cv2.resize(chroma, (size // ratio, size // ratio), interpolation=cv2.INTER_AREA)
    inside = (share > 0.5).astype(np.uint8)
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 5) + cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) > 2.5
    error = np.linalg.norm(brought_up(greys(light), small) - chroma, axis=2)[away]
    assert error.max() < 1.5
    linear = cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)
    assert ratio == 2 or np.linalg.norm(linear - chroma, axis=2)[away].max() > 10


@pytest.mark.parametrize("kind", ["straight", "diagonal", "circle"])
def test_what_a_network_bled_over_an_edge_goes_back(kind: str):
    share = sides(kind, 192)
    chroma = ONE + (OTHER - ONE) * share[..., None]
    bled = cv2.blur(cv2.resize(chroma, (24, 24), interpolation=cv2.INTER_AREA), (5, 5))
    pixels = greys(40 + 30 * share)

    def error(full: np.ndarray) -> float:
        return float(np.linalg.norm(full - chroma, axis=2).mean())

    light = torch.from_numpy(reduced_light(pixels, 24, 24))
    small = torch.from_numpy(bled).permute(2, 0, 1).contiguous()
    uncleaned = upsample(light, small, torch.from_numpy(light_of(pixels)), 0, 192).permute(1, 2, 0).numpy()
    assert error(uncleaned) < 0.5 * error(cv2.resize(bled, (192, 192), interpolation=cv2.INTER_LINEAR))
    assert error(brought_up(pixels, bled)) < 0.8 * error(uncleaned)


def test_a_thin_line_that_no_small_pixel_has_takes_what_is_nearest():
    light = np.full((96, 96), 40.0)
    light[:, 50:52] = 80
    share = (light == 80).astype(np.float32)
    chroma = ONE + (OTHER - ONE) * share[..., None]
    small = cv2.resize(chroma, (12, 12), interpolation=cv2.INTER_AREA)
    full = brought_up(greys(light), small)
    assert np.abs(full[:, 70:] - ONE).max() < 1
    assert full[:, 50:52].max() <= 45.01 and full[:, 50, 0].mean() < 45 - 5  # towards the line's own colour, not beyond


def test_where_light_is_flat_chroma_is_smooth():
    ratio, pixels = 16, np.full((256, 256, 1), 120, np.uint8)
    y, x = np.mgrid[:16, :16].astype(np.float32)
    small = np.stack([40 * np.sin(x / 2), np.where(y > 7, 30, -30).astype(np.float32)], -1)
    full = brought_up(pixels, small)
    assert np.abs(full).max() <= 40
    assert full[-1, :, 1].min() > 29 and full[0, :, 1].max() < -29
    for axis in (0, 1):
        assert np.abs(np.diff(full, axis=axis)).max() < 60 / ratio / 2
        assert np.abs(np.diff(full, 2, axis=axis)).max() < 0.5


def test_chroma_follows_a_gradient_without_steps():
    pixels = np.tile(np.linspace(-0.4, 0.2, 384, dtype=np.float32)[None, :, None], (64, 1, 1))
    small = np.zeros((4, 24, 2), np.float32)
    small[..., 0] = np.linspace(-40, 40, 24)
    middle = brought_up(pixels, small)[32, 64:-64, 0]
    expected = cv2.resize(small, (384, 64), interpolation=cv2.INTER_LINEAR)[32, 64:-64, 0]
    assert np.abs(middle - expected).max() < 0.5
    slope = np.diff(middle) / (80 / 23 / 16)
    assert slope.min() > 0.7 and slope.max() < 1.3


@pytest.mark.parametrize("full", [(1, 1), (1, 50), (50, 1), (20, 30), (90, 70)])
@pytest.mark.parametrize("small", [(1, 1), (1, 7), (20, 30), (33, 64)])
def test_constant_chroma_is_exact_at_any_size(full: tuple[int, int], small: tuple[int, int]):
    pixels = np.random.default_rng(0).integers(0, 256, (*full, 1)).astype(np.uint8)
    given = np.full((*small, 2), 7.3, np.float32)
    assert (brought_up(pixels, given) == np.float32(7.3)).all()
    assert paint(pixels, given).shape == (*full, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_where_bands_end_makes_no_difference(dtype: type):
    pixels, chroma = photograph(dtype=dtype), patches()
    rows: list[int] = []

    def adjust(light: Tensor, given: Tensor, first: int) -> Tensor:
        rows.append(first)
        return given * (torch.arange(first, first + light.shape[0]) / 120)[:, None]

    whole = paint(pixels, chroma, adjust=adjust)
    assert rows == [0]
    most = {np.uint8: 1, np.uint16: 40, np.float32: 1e-3}[dtype]
    for band in (1, 500, 3000):
        parts = paint(pixels, chroma, adjust=adjust, band=band)
        difference = np.abs(parts.astype(np.float64) - whole)
        assert difference.max() <= most and (difference > most / 2).mean() < 1e-3
    assert rows[1:121] == list(range(120))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_without_chroma_is_exactly_itself(dtype: type, channels: int):
    values = {
        np.uint8: np.arange(256),
        np.uint16: np.arange(65536),
        np.float32: np.linspace(-1.2, 1.2, 65536),
    }[dtype].astype(dtype)
    pixels = np.repeat(values.reshape(-1, 32, 1), channels, 2)
    painted = paint(pixels, np.zeros((3, 4, 2), np.float32))
    assert painted.dtype == dtype
    expected = pixels.clip(-1, 1) if dtype == np.float32 else pixels
    np.testing.assert_array_equal(painted, np.broadcast_to(expected[..., :1], painted.shape))


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("size", [1, 9])
def test_black_stays_black_and_white_white(value: int, size: int):
    pixels = np.full((size, size, 1), value, np.uint8)
    assert (paint(pixels, np.full((3, 3, 2), 60, np.float32)) == value).all()
    exact = paint((pixels / 127.5 - 1).astype(np.float32), np.full((3, 3, 2), 60, np.float32))
    np.testing.assert_allclose(exact, value / 127.5 - 1, atol=1e-3)  # no NaN either


def test_threads_are_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError):
            paint(photograph(), patches(), adjust=lambda light, chroma, first: chroma.view(-1, 7))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
