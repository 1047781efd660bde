"""Measures of sets of features against values worked by hand and naive loops."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.metrics.colour_distance import distance
from translate.metrics.diversity import diversity
from translate.metrics.frechet import frechet_distance
from translate.metrics.kid import kid, kid_interval
from translate.metrics.modes import modes
from translate.metrics.prdc import prdc


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


MEASURES: dict[str, Callable[[Tensor, Tensor], object]] = {
    "kid": kid,
    "kid_interval": kid_interval,
    "prdc": prdc,
    "frechet_distance": frechet_distance,
    "diversity": diversity,
    "modes": lambda x, y: modes(x, y, 1.0),
}


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_of_sets_refuses_what_it_cannot_compare(name: str) -> None:
    measure, good = MEASURES[name], normal(8, 3)
    broken = good.clone()
    broken[2, 1] = math.nan
    for wrong in (good[0], good[:, :2], good[:0]):
        with pytest.raises(ValueError, match="of one length"):
            measure(wrong, good)
        with pytest.raises(ValueError, match="of one length"):
            measure(good, wrong)
    for pair in ((broken, good), (good, broken)):
        with pytest.raises(ValueError, match="not finite"):
            measure(*pair)
    assert measure(good.float(), good.float() + 1) == measure(good.float(), good.float() + 1)


def test_kid_by_hand() -> None:
    # One dimension: (xy + 1)^3. Within: 1 * 2 and 0 * 3; across: mean of (1, 4, 1, 7) cubed.
    real, fake = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    assert float(kid(real, fake)) == 27 + 1 - 2 * (1 + 64 + 1 + 343) / 4
    x, y = normal(20, 6), normal(15, 6, seed=1)
    assert torch.equal(kid(x, y), distance(x, y)) and kid(x, y).dtype == torch.float64


def true_kid(dimensions: int, shift: float) -> float:
    """KID of N(0, I) and N(shift, I): squared distances of their first three moments, as (x . y / D + 1)^3 unfolds."""
    s = dimensions * shift**2
    third = s**3 + 6 * s**2 + (3 * dimensions + 6) * s
    return 3 * s / dimensions + 3 * s**2 / dimensions**2 + third / dimensions**3


@pytest.mark.parametrize(("dimensions", "shift"), [(8, 0.0), (8, 0.3), (64, 0.2)])
def test_the_interval_of_kid_holds_the_truth(dimensions: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(0)
    truth, held, values, widths = true_kid(dimensions, shift), 0, [], []
    for trial in range(150):
        real = torch.randn(60, dimensions, generator=generator)
        fake = torch.randn(80, dimensions, generator=generator) + shift
        found = kid_interval(real, fake, seed=trial)
        held += found.low <= truth <= found.high
        values.append(found.mean)
        widths.append((found.high - found.low) / 3.92)
    assert abs(np.mean(values) - truth) < 4 * np.std(values) / 150**0.5
    assert held / 150 >= 0.9
    # Wider than needed where the distributions are the same, but not without bound.
    assert 0.8 < np.mean(widths) / np.std(values) < 2


def test_the_interval_of_kid_is_a_function_of_its_arguments() -> None:
    real, fake = normal(30, 5), normal(20, 5, seed=1)
    state = torch.get_rng_state()
    one = kid_interval(real, fake, seed=3)
    assert one == kid_interval(real, fake, seed=3) != kid_interval(real, fake, seed=4)
    assert one.mean == float(kid(real, fake)) and one.low < one.mean < one.high
    assert torch.equal(state, torch.get_rng_state())
    for wrong in ({"subsets": 1}, {"share": 1.0}, {"share": 0.05}):
        with pytest.raises(ValueError, match="will not do"):
            kid_interval(real, fake, **wrong)


def test_subsets_of_kid_by_loops() -> None:
    real, fake = normal(7, 3), normal(9, 3, seed=1)
    found = kid_interval(real, fake, subsets=4, share=0.6, seed=5)
    generator = torch.Generator().manual_seed(5)
    ranks = [torch.rand(n, 4, generator=generator, dtype=torch.float64).argsort(0).argsort(0) for n in (7, 9)]
    values = [float(kid(real[ranks[0][:, k] < 4], fake[ranks[1][:, k] < 5])) for k in range(4)]
    assert found.high - found.mean == pytest.approx(1.96 * np.std(values, ddof=1) * 1.5**0.5)


def naive_prdc(real: Tensor, fake: Tensor, nearest: int) -> dict[str, float]:
    def radius(points: list[list[float]], place: int) -> float:
        return sorted(math.dist(points[place], p) for i, p in enumerate(points) if i != place)[nearest - 1]

    r, f = real.tolist(), fake.tolist()
    by_real = [[math.dist(a, b) <= radius(r, i) for b in f] for i, a in enumerate(r)]
    by_fake = [[math.dist(a, b) <= radius(f, j) for j, b in enumerate(f)] for a in r]
    return {
        "precision": sum(any(row[j] for row in by_real) for j in range(len(f))) / len(f),
        "recall": sum(any(row) for row in by_fake) / len(r),
        "density": sum(sum(row) for row in by_real) / nearest / len(f),
        "coverage": sum(any(row) for row in by_real) / len(r),
    }


def test_prdc_by_hand() -> None:
    # Balls of reals: 0 +- 1, 1 +- 1, 10 +- 9. Balls of fakes: 0.5 +- 0.25, 0.75 +- 0.25, 20 +- 19.25.
    real, fake = torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([[0.5], [0.75], [20.0]])
    found = prdc(real, fake, nearest=1)
    assert found == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "density": 4 / 3, "coverage": 2 / 3})


@pytest.mark.parametrize("nearest", [1, 3, 5])
def test_prdc_like_loops(nearest: int) -> None:
    real, fake = normal(25, 3), normal(18, 3, seed=1) * 0.8 + 0.3
    assert prdc(real, fake, nearest) == pytest.approx(naive_prdc(real, fake, nearest))
    with pytest.raises(ValueError, match=f"at least {nearest + 1} features"):
        prdc(real[:nearest], fake, nearest)
    with pytest.raises(ValueError, match="at least 1"):
        prdc(real, fake, 0)


def test_prdc_tells_quality_from_diversity() -> None:
    real, other = normal(400, 4), normal(400, 4, seed=1)
    alike = prdc(real, other)
    assert min(alike["precision"], alike["recall"]) > 0.9
    assert alike["density"] == pytest.approx(1, abs=0.1) and alike["coverage"] == pytest.approx(1 - 2**-5, abs=0.03)
    narrow, wide = prdc(real, other * 0.2), prdc(real, other * 4)
    assert narrow["precision"] == 1 and max(narrow["recall"], narrow["coverage"]) < 0.6
    assert max(wide["precision"], wide["density"]) < 0.4 and wide["recall"] > 0.9
    one = prdc(real, other[:1].expand(400, 4))
    assert one["recall"] == 0 and one["coverage"] < 0.1


def test_frechet_distance_of_diagonal_gaussians() -> None:
    # Crosses of points: means and variances are exact, covariances diagonal.
    def cross(mean: list[float], spread: list[float]) -> Tensor:
        points = torch.cat([torch.diag(torch.tensor(spread)), -torch.diag(torch.tensor(spread))]).double()
        return points * (5 / 2) ** 0.5 + torch.tensor(mean).double()  # 6 points: variance is spread squared

    found = frechet_distance(cross([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]), cross([3.0, 1.0, 2.0], [2.0, 2.0, 1.0]))
    assert float(found) == pytest.approx(9 + 1 + 0 + 4)
    flat = frechet_distance(cross([0.0, 0.0, 0.0], [1.0, 0.0, 0.0]), cross([0.0, 0.0, 0.0], [0.0, 2.0, 0.0]))
    assert float(flat) == pytest.approx(1 + 4)


@pytest.mark.parametrize(("count", "dimensions"), [(50, 6), (6, 50)])
def test_frechet_distance_like_roots_of_matrices(count: int, dimensions: int) -> None:
    mixed = normal(dimensions, dimensions, seed=2)
    real, fake = normal(count, dimensions), normal(count + 3, dimensions, seed=1) @ mixed + 0.5

    def root(matrix: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(matrix)
        return (vectors * np.sqrt(values.clip(0))) @ vectors.T

    s1, s2 = (np.cov(x.numpy(), rowvar=False) for x in (real, fake))
    shared = np.sqrt(np.linalg.eigvalsh(root(s1) @ s2 @ root(s1)).clip(0)).sum()
    expected = float((real.mean(0) - fake.mean(0)).square().sum()) + np.trace(s1) + np.trace(s2) - 2 * shared
    assert float(frechet_distance(real, fake)) == pytest.approx(expected, rel=1e-5)
    assert float(frechet_distance(fake, real)) == pytest.approx(float(frechet_distance(real, fake)))
    assert 0 <= float(frechet_distance(fake, fake.flip(0))) < 1e-9


def test_diversity_by_hand() -> None:
    real = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])  # 5, 5 and 0
    fake = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    assert diversity(fake, real) == pytest.approx(2 / (10 / 3))
    assert diversity(real, real) == 1 and diversity(fake[:1].expand(4, 2), real) == 0
    with pytest.raises(ValueError, match="all the same"):
        diversity(real, fake[:1].expand(4, 2))


def test_modes_by_hand() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    own = [[0.0, 2.9], [1.0, 1.0], [0.5, 0.5], [0.0, 0.0]], [[10.0, 3.0], [6.0, 4.0], [9.0, 0.5]], [[10.0, 7.0]]
    points = torch.tensor([*own[0], *own[1], *own[2]])
    found = modes(points, centres, sigma=1.0)
    # All but (6, 4) are within 3.
    assert found.covered == 3 and found.quality == 7 / 8
    shares = (4 / 8, 3 / 8, 1 / 8)
    assert found.kl == pytest.approx(sum(p * math.log(p * 4) for p in shares))
    assert modes(points, centres, 1.0, least=2).covered == 2
    assert modes(centres, centres, 1e-6) == (4, 1.0, 0.0)
    assert modes(points[:1], centres, 1.0) == (1, 1.0, pytest.approx(math.log(4)))
    for wrong in ({"sigma": 0.0}, {"sigma": 1.0, "least": 0}):
        with pytest.raises(ValueError, match="will not do"):
            modes(points, centres, **wrong)
