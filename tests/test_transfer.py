"""Reference colours: mean and covariance arrive, and nothing degenerate makes noise of grey."""

import numpy as np
import pytest

from translate.colour.transfer import MOST_STRETCH, monge_kantorovitch, reference_of, transfer


def cloud(seed: int, spread: float = 10.0, count: int = 3000) -> np.ndarray:
    """Colours (count, 2) of some mean and covariance."""
    random = np.random.default_rng(seed)
    matrix = np.array([[1.0, 0.4], [-0.3, 0.8]]) + random.uniform(-0.2, 0.2, (2, 2))
    return (random.standard_normal((count, 2)) @ matrix * spread + random.uniform(-20, 20, 2)).astype(np.float32)


def covariance(colours: np.ndarray) -> np.ndarray:
    return np.cov(colours.reshape(-1, 2).astype(np.float64).T, bias=True)


@pytest.mark.parametrize("seed", range(5))
def test_mean_and_covariance_become_those_of_the_reference(seed: int):
    chroma, reference = cloud(seed).reshape(50, 60, 2), cloud(seed + 10, 15.0)
    new = transfer(chroma, reference)
    assert new.shape == chroma.shape and new.dtype == np.float32
    assert np.allclose(new.mean(axis=(0, 1)), reference.mean(axis=0), atol=1e-3)
    assert np.allclose(covariance(new), covariance(reference), rtol=1e-3, atol=0.01)


def test_the_input_is_left_alone_and_an_equal_picture_stays():
    chroma = cloud(0)
    kept = chroma.copy()
    assert np.allclose(transfer(chroma.reshape(50, 60, 2), chroma).reshape(-1, 2), chroma, atol=1e-3)
    assert np.array_equal(chroma, kept)


@pytest.mark.parametrize("seed", range(5))
def test_the_map_is_symmetric_positive_and_carries_one_covariance_to_the_other(seed: int):
    one, two = covariance(cloud(seed)), covariance(cloud(seed + 10, 15.0))
    linear = monge_kantorovitch(one, two)
    assert np.allclose(linear, linear.T) and np.linalg.eigvalsh(linear).min() > 0
    assert np.allclose(linear @ one @ linear.T, two)
    # Cholesky factors make another map between the two (Pitie and Kokaram 2007, section 2.2), which moves colours more.
    other = np.linalg.cholesky(two) @ np.linalg.inv(np.linalg.cholesky(one))
    assert np.allclose(other @ one @ other.T, two)
    moved = [np.trace((m - np.eye(2)) @ one @ (m - np.eye(2)).T) for m in (linear, other)]
    assert moved[0] < moved[1]


def test_maps_worked_by_hand():
    assert np.allclose(monge_kantorovitch(np.diag([4.0, 9.0]), np.diag([16.0, 9.0])), np.diag([2.0, 1.0]))
    # Of commuting matrices it is the root of their quotient: [[5, 4], [4, 5]] has the eigenvalues 9 and 1.
    assert np.allclose(monge_kantorovitch(np.eye(2), np.array([[5.0, 4.0], [4.0, 5.0]])), [[2, 1], [1, 2]])


def test_no_direction_is_stretched_more_than_the_bound():
    linear = monge_kantorovitch(np.diag([1.0, 100.0]), np.diag([400.0, 100.0]))
    assert np.allclose(linear, np.diag([MOST_STRETCH, 1.0]))
    faint = cloud(1, 0.01).reshape(50, 60, 2)
    new = transfer(faint, cloud(2, 20.0))
    assert new.std(axis=(0, 1)).max() < 1.01 * MOST_STRETCH * np.sqrt(np.linalg.eigvalsh(covariance(faint)).max())


@pytest.mark.parametrize("shape", [(1, 1), (8, 8)])
@pytest.mark.parametrize("colour", [(0, 0), (30, -40)])
def test_a_picture_of_one_colour_takes_the_mean(shape: tuple[int, int], colour: tuple[int, int]):
    reference = cloud(3)
    new = transfer(np.full((*shape, 2), colour, np.float32), reference)
    assert np.allclose(new, reference.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("count", [1, 100])
def test_a_reference_of_one_colour_gives_that_colour(count: int):
    new = transfer(cloud(4).reshape(50, 60, 2), np.full((count, 2), (12, 34), np.float32))
    assert np.allclose(new, (12, 34), atol=1e-3)


def test_colours_on_one_line():
    """Covariances of rank one: across the line there is nothing to stretch."""
    along = np.linspace(-10, 10, 100, dtype=np.float32)
    line = np.column_stack([along, along]).reshape(10, 10, 2)
    across = np.column_stack([along, -along]) + 5
    assert np.allclose(transfer(line, np.column_stack([2 * along, 2 * along])), 2 * line, atol=1e-2)
    new = transfer(line, across)
    assert np.isfinite(new).all() and np.allclose(new.mean(axis=(0, 1)), 5, atol=1e-3) and np.abs(new).max() < 100


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_reference_of_a_picture(dtype):
    """Red is (80.1, 67.2) and blue (79.2, -107.9) in a* and b*, as published; their light does not count."""
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    least = -1 if dtype == np.float32 else 0
    pixels = np.full((300, 600, 3), least, dtype)
    pixels[:, :300, 0] = most
    pixels[:, 300:, 2] = most
    found = reference_of(pixels)
    assert found.shape == (128 * 256, 2) and found.dtype == np.float32
    expected = np.array([(80.1, 67.2), (79.2, -107.9)])
    assert np.allclose(found.reshape(128, 256, 2)[64, [10, 250]], expected, atol=0.2)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 1000, 1), (30, 20, 3)])
def test_a_grey_reference_gives_grey(shape: tuple[int, int, int]):
    pixels = np.broadcast_to(np.random.default_rng(0).integers(0, 256, (*shape[:2], 1)), shape).astype(np.uint8)
    reference = reference_of(pixels)
    assert np.abs(reference).max() < 0.02
    assert np.abs(transfer(cloud(5).reshape(50, 60, 2), reference)).max() < 0.1
