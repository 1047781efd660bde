"""Residuals at colour hints spread over the things they lie on, and no further: drawn scenes, one for each demand."""

import cv2
import numpy as np
import pytest

from translate.colour.spreading import spread

HEIGHT, WIDTH = 96, 128
REACH = 0.25  # 24 pixels
BLUE, RED = (12.0, -40.0), (50.0, 30.0)


def field_of(light: np.ndarray, *hints: tuple[int, int, tuple[float, float]], reach: float = REACH) -> np.ndarray:
    pixels = np.array([hint[:2] for hint in hints]).reshape(-1, 2)
    residuals = np.array([hint[2] for hint in hints], np.float32).reshape(-1, 2)
    field = spread(light.astype(np.float32), pixels, residuals, reach)
    assert field.shape == (*light.shape, 2) and field.dtype == np.float32 and np.isfinite(field).all()
    low, high = residuals.min(axis=0, initial=0), residuals.max(axis=0, initial=0)
    assert (field >= low).all() and (field <= high).all()  # no overshoot, in any scene
    return field


def strength(light: np.ndarray, row: int, column: int) -> np.ndarray:
    """Of one hint's residual, the share (h, w) that is left everywhere."""
    field = field_of(light, (row, column, BLUE))
    assert np.allclose(field[..., 0] / BLUE[0], field[..., 1] / BLUE[1], atol=1e-5)
    return field[..., 1] / BLUE[1]


def flat(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.full((height, width), 60.0)


def grain(deviation: float) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)) * deviation


def test_on_flat_light_a_hint_is_full_up_to_half_its_reach_half_at_it_and_nothing_far_away():
    shares = strength(flat(), 48, 64)
    for row, column in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        along = [shares[48 + row * distance, 64 + column * distance] for distance in range(46)]
        assert np.allclose(along[:13], 1) and abs(along[24] - 0.5) < 0.01 and max(along[37:]) == 0
        assert (np.diff(along) <= 1e-6).all()
    assert shares[48 + 8, 64 + 8] > 0.99 and abs(shares[48 + 17, 64 + 17] - 0.5) < 0.02  # as far on a diagonal


def test_a_larger_reach_goes_further():
    near, far = (field_of(flat(), (48, 64, BLUE), reach=reach)[48, 90, 1] for reach in (0.2, 0.4))
    assert -10 < near <= 0 and far < -36


def test_shading_and_folds_do_not_stop_it():
    column = np.arange(WIDTH)
    dress = np.tile(np.interp(column, [20, 110], [95, 35]), (HEIGHT, 1))  # 60 L* in all
    folds = np.tile(70 + 8 * np.sin(column / 6), (HEIGHT, 1))
    for light in (dress, folds):
        shares = strength(light, 48, 64)
        assert shares[48, [52, 76]].min() > 0.95 and shares[48, [46, 82]].min() > 0.8


@pytest.mark.parametrize("deviation", [2.0, 3.0])
def test_grain_does_not_stop_it(deviation):
    shares = strength(flat() + grain(deviation), 48, 64)
    inside = np.hypot(*np.mgrid[-48:48, -64:64]) < 12
    assert shares[inside].min() > 0.85 and shares[inside].mean() > 0.98


@pytest.mark.parametrize(("height", "blur", "deviation"), [(15, 0, 0), (-15, 0.7, 0), (20, 1, 0), (20, 0.7, 2.5)])
def test_an_edge_stops_it(height, blur, deviation):
    """The hint is five pixels before the edge, which is as soft as that of a photograph made small."""
    light = np.where(np.arange(WIDTH) < 70, 60.0, 60.0 + height)[None].repeat(HEIGHT, axis=0)
    if blur:
        light = cv2.GaussianBlur(light, (0, 0), blur)
    shares = strength(light + grain(deviation), 48, 65)
    assert shares[:, 73:].max() < 0.15
    assert shares[38:58, 58:67].min() > 0.85


def test_what_dark_outlines_enclose_keeps_it():
    light = cv2.circle(flat(), (64, 48), 10, 30.0, thickness=2)
    inside = np.hypot(*np.mgrid[-48:48, -64:64]) <= 8
    outside = np.hypot(*np.mgrid[-48:48, -64:64]) >= 13
    shares = strength(light, 50, 62)
    assert shares[inside].min() > 0.99 and shares[outside].max() < 0.01
    shares = strength(light, 48, 40)
    assert shares[inside].max() < 0.01


def test_it_goes_around_what_stops_it():
    """A wall with a gap at its end: 13 pixels through it, 30 around."""
    light = flat()
    light[36:, 64:68] = 20
    shares = strength(light, 46, 60)
    assert 0.1 < shares[46, 73] < 0.7
    assert shares[90, 73] == 0


def test_a_speck_takes_the_colour_around_it():
    light = flat()
    light[48, 70] = light[40:56, 58] = 20  # a stone and a blade of grass
    shares = strength(light, 48, 64)
    assert shares[42:54, 60:73].min() > 0.99 and shares[40:56, 58].min() > 0.7


def test_two_colours_in_one_region_fade_into_each_other():
    field = field_of(flat(), (48, 54, BLUE), (48, 74, RED))
    between = field[48, 54:75]
    assert np.allclose(between[0], BLUE) and np.allclose(between[-1], RED)
    assert (np.diff(between, axis=0) >= -1e-3).all()
    assert (np.diff(between, axis=0) < 0.2 * (np.array(RED) - BLUE)).all()  # a transition, not an edge
    assert np.allclose(between[10], np.mean([BLUE, RED], axis=0), atol=6)
    assert np.abs(between[3] - BLUE).max() < 8 and np.abs(between[-4] - RED).max() < 8


def test_colours_on_either_side_of_an_edge_do_not_mix():
    light = np.where(np.arange(WIDTH) < 64, 40.0, 70.0)[None].repeat(HEIGHT, axis=0)
    field = field_of(light, (48, 58, BLUE), (48, 69, RED))
    assert np.abs(field[40:56, 56:63] - BLUE).max() < 2 and np.abs(field[40:56, 65:72] - RED).max() < 2


def test_every_hint_has_its_residual_where_it_lies():
    draws = np.random.default_rng(1)
    pixels = np.stack(np.unravel_index(draws.choice(HEIGHT * WIDTH, 60, replace=False), (HEIGHT, WIDTH)), axis=1)
    residuals = draws.uniform(-60, 60, (60, 2)).astype(np.float32)
    residuals[1], pixels[1] = -residuals[0], pixels[0] + [0, 1 if pixels[0, 1] < WIDTH - 1 else -1]  # side by side
    for light in (flat(), flat() + grain(10), draws.uniform(0, 100, (HEIGHT, WIDTH))):
        field = spread(light.astype(np.float32), pixels, residuals, REACH)
        assert np.allclose(field[tuple(pixels.T)], residuals, atol=1e-4)
        assert np.isfinite(field).all() and np.abs(field).max() <= 60


def test_of_hints_in_one_pixel_the_mean_holds():
    twice = field_of(flat(), (48, 64, (40.0, 10.0)), (20, 20, RED), (48, 64, (20.0, -30.0)))
    assert np.allclose(twice, field_of(flat(), (48, 64, (30.0, -10.0)), (20, 20, RED)), atol=1e-5)


def test_like_hints_reinforce_no_further_than_their_colour():
    field = field_of(flat(), *[(row, column, BLUE) for row in (40, 48) for column in (50, 58, 66)])
    assert np.allclose(field[40:49, 50:67], BLUE, atol=1e-3)


def test_a_hint_without_residual_holds_its_place():
    """Where the network was right, another hint's colour does not come."""
    alone, held = field_of(flat(), (48, 60, RED)), field_of(flat(), (48, 60, RED), (48, 72, (0.0, 0.0)))
    assert alone[48, 72, 0] > 49 and np.allclose(held[48, 72], 0) and held[48, 78, 0] < 5


def test_a_mirrored_picture_has_a_mirrored_field():
    light = np.random.default_rng(2).uniform(50, 58, (40, 60))
    field = field_of(light, (11, 20, RED), (30, 44, BLUE))
    mirrored = field_of(light[::-1, ::-1], (28, 39, RED), (9, 15, BLUE))
    assert np.allclose(field, mirrored[::-1, ::-1], atol=6) and np.abs(field - mirrored[::-1, ::-1]).mean() < 0.1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 2), (3, 200)])
def test_any_size_will_do(height, width):
    assert np.allclose(field_of(flat(height, width), (height - 1, 0, RED))[height - 1, 0], RED)


def test_without_hints_there_is_nothing():
    assert not field_of(flat()).any()
