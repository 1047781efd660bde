"""Noise: moments and distributions of every family, what a row depends on, truncation, paths."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch
from torch import Tensor

from translate import latent
from translate.errors import ConfigError
from translate.latent import NOISES, draw, draw_each, generator_of, slerp, truncate

DISCRETE = ("binomial", "poisson")
WEIBULL_MEAN = math.gamma(5 / 3)
WEIBULL_DEVIATION = math.sqrt(math.gamma(7 / 3) - WEIBULL_MEAN**2)


def weibull(x: float) -> float:
    waited = x * WEIBULL_DEVIATION + WEIBULL_MEAN
    return 1 - math.exp(-(waited**1.5)) if waited > 0 else 0.0


def gamma_3(x: float) -> float:
    waited = x * math.sqrt(3) + 3
    return 1 - math.exp(-waited) * (1 + waited + waited**2 / 2) if waited > 0 else 0.0


DISTRIBUTIONS = {
    "gaussian": NormalDist().cdf,
    "uniform": lambda x: min(max((x / math.sqrt(3) + 1) / 2, 0), 1),
    "exponential": lambda x: 1 - math.exp(-(x + 1)) if x > -1 else 0.0,
    "gamma": gamma_3,
    "weibull": weibull,
}


def seeded(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def distance(values: Tensor, distribution) -> float:
    """Largest gap between the distribution function and that of `values` (Kolmogorov and Smirnov), times sqrt(n)."""
    ordered = values.flatten().sort().values.tolist()
    count = len(ordered)
    wanted = [distribution(value) for value in ordered]
    gap = max(max((i + 1) / count - share, share - i / count) for i, share in enumerate(wanted))
    return gap * math.sqrt(count)


@pytest.mark.parametrize("kind", NOISES)
def test_every_family_has_mean_0_and_variance_1(kind: str):
    noise = draw(kind, 4000, 50, generator=seeded(), dtype=torch.float64)
    assert noise.shape == (4000, 50)
    # Five standard errors; the largest kurtosis is that of exponential noise, 9.
    assert abs(noise.mean().item()) < 5 / math.sqrt(noise.numel())
    assert abs(noise.var().item() - 1) < 5 * math.sqrt(8 / noise.numel())


@pytest.mark.parametrize("kind", DISTRIBUTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_continuous_families_follow_their_distribution(kind: str, dtype: torch.dtype):
    noise = draw(kind, 200, 100, generator=seeded(1), dtype=dtype)
    assert noise.dtype == dtype
    assert distance(noise, DISTRIBUTIONS[kind]) < 1.63  # passed by 1 seed in 100


@pytest.mark.parametrize(
    ("kind", "mean", "deviation", "share"),
    [
        ("binomial", 5, math.sqrt(2.5), lambda k: math.comb(10, k) / 1024),
        ("poisson", 4, 2, lambda k: math.exp(-4) * 4**k / math.factorial(k)),
    ],
)
def test_counts_are_as_frequent_as_they_should(kind: str, mean: float, deviation: float, share):
    counts = draw(kind, 500, 100, generator=seeded(2), dtype=torch.float64) * deviation + mean
    assert torch.allclose(counts, counts.round(), atol=1e-12) and counts.min() == 0
    values = counts.round().long().flatten()
    for k in range(11):
        expected = share(k) * len(values)
        assert abs((values == k).sum().item() - expected) < 5 * math.sqrt(expected)


@pytest.mark.parametrize("kind", NOISES)
def test_draws_follow_from_their_generator_alone(kind: str):
    before = torch.get_rng_state()
    one = draw(kind, 5, 7, generator=seeded(3))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, draw(kind, 5, 7, generator=seeded(3)))
    assert not torch.equal(one, draw(kind, 5, 7, generator=seeded(4)))
    torch.manual_seed(3)
    assert torch.equal(draw(kind, 5, 7), one)


@pytest.mark.parametrize("kind", NOISES)
def test_a_row_depends_on_seed_and_index_alone(kind: str):
    together = draw_each(kind, 3, range(10), 20)
    assert together.shape == (10, 20)
    assert torch.equal(draw_each(kind, 3, [7], 20)[0], together[7])
    assert torch.equal(draw_each(kind, 3, [9, 0, 9], 20), together[[9, 0, 9]])
    assert not torch.equal(draw_each(kind, 4, [7], 20)[0], together[7])
    assert len(torch.unique(together, dim=0)) == 10
    assert draw_each(kind, 3, [], 20).shape == (0, 20)


def test_rows_of_neighbours_and_streams_are_not_related():
    rows = draw_each("gaussian", 0, range(40), 500, dtype=torch.float64)
    related = np.corrcoef(rows.numpy()) - np.eye(40)
    assert np.abs(related).max() < 5 / math.sqrt(500)
    draws = {torch.rand((), generator=generator_of(0, 1, what)).item() for what in ("noise", "labels", "codes")}
    assert len(draws) == 3
    assert torch.equal(torch.randn(20, generator=generator_of(0, 5, "noise")), draw_each("gaussian", 0, [5], 20)[0])


def test_no_two_pictures_of_a_seed_are_alike():
    """Hashed to the 32 bits that torch uses, one of four such sets would hold two alike."""
    seeds = {generator_of(11, index).initial_seed() for index in range(50_000)}
    assert len(seeds) == 50_000 and max(seeds) < 2**32


@pytest.mark.parametrize("kind", NOISES)
def test_spherical_rows_have_the_usual_length(kind: str):
    noise = draw(kind, 50, 64, generator=seeded(), spherical=True, dtype=torch.float64)
    assert torch.allclose(noise.norm(dim=1), torch.tensor(8.0, dtype=torch.float64))
    plain = draw(kind, 50, 64, generator=seeded(), dtype=torch.float64)
    assert torch.allclose(torch.nn.functional.cosine_similarity(noise, plain), torch.ones(50, dtype=torch.float64))
    assert torch.equal(draw_each(kind, 0, [3], 8, spherical=True), latent.on_sphere(draw_each(kind, 0, [3], 8)))


def test_zeros_have_no_direction():
    assert torch.equal(latent.on_sphere(torch.zeros(2, 3)), torch.zeros(2, 3))


@pytest.mark.parametrize("threshold", [0.1, 0.7, 2.0])
def test_truncated_noise_follows_the_truncated_gaussian(threshold: float):
    noise = draw("gaussian", 200, 100, generator=seeded(5), dtype=torch.float64, truncation=threshold)
    assert noise.abs().max() <= threshold
    normal = NormalDist()
    low, high = normal.cdf(-threshold), normal.cdf(threshold)
    assert distance(noise, lambda x: (normal.cdf(x) - low) / (high - low)) < 1.63


def test_truncation_keeps_order_and_moves_inwards():
    noise = torch.tensor([-40.0, -6.0, -1.0, 0.0, 0.5, 6.0, 40.0])
    moved = truncate(noise, 1.0)
    assert torch.allclose(moved[[0, -1]], torch.tensor([-1.0, 1.0])) and moved.abs().max() <= 1
    assert moved[3] == 0 and (moved.diff() >= 0).all()
    # Phi(1) is 0.841345: half of its distance from 1/2, added to 1/2, has the quantile below.
    half = truncate(torch.tensor([NormalDist().inv_cdf(0.75)]), 1.0)
    assert half.item() == pytest.approx(NormalDist().inv_cdf(0.5 + 0.341345 / 2), abs=1e-5)
    assert torch.allclose(truncate(noise, 100.0), noise, rtol=1e-2)
    assert torch.isfinite(truncate(noise, math.inf)).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "gausian"}, "Did you mean 'gaussian'"),
        ({"kind": "laplace"}, "Known: binomial, exponential"),
        ({"kind": "uniform", "truncation": 1.0}, "truncation=1.0 works on gaussian noise, not on uniform"),
        ({"kind": "gaussian", "truncation": 0.0}, "truncation=0.0 .* above 0"),
        ({"kind": "gaussian", "truncation": math.nan}, "above 0"),
        ({"kind": "gaussian", "truncation": 1.0, "spherical": True}, "contradicts spherical"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict, words: str):
    options = {name: value for name, value in arguments.items() if name != "kind"}
    with pytest.raises(ConfigError, match=words):
        draw(arguments["kind"], 2, 3, **options)
    with pytest.raises(ConfigError, match=words):
        draw_each(arguments["kind"], 0, [1], 3, **options)


def test_other_types_are_drawn_in_float32():
    assert torch.equal(
        draw("gamma", 3, 4, generator=seeded(), dtype=torch.bfloat16),
        draw("gamma", 3, 4, generator=seeded()).bfloat16(),
    )
    assert torch.equal(draw_each("uniform", 1, [2], 4, dtype=torch.float16), draw_each("uniform", 1, [2], 4).half())


# Paths


def test_slerp_by_hand():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    third = slerp(a, b, 1 / 3)  # 30 degrees on the circle of radius 2
    assert torch.allclose(third, torch.tensor([math.sqrt(3), 1.0]))
    assert torch.equal(slerp(a, b, 0.0), a) and torch.allclose(slerp(a, b, 1.0), b)
    path = slerp(a, b, torch.linspace(0, 1, 7))
    assert path.shape == (7, 2) and torch.allclose(path.norm(dim=1), torch.full((7,), 2.0))
    assert torch.allclose(path[2], third)


def test_slerp_moves_at_one_speed_in_any_dimension():
    a, b = draw("gaussian", 2, 64, generator=seeded(), dtype=torch.float64, spherical=True)
    path = slerp(a, b, torch.linspace(0, 1, 11))
    steps = path.diff(dim=0).norm(dim=1)
    assert torch.allclose(steps, steps[:1].expand(10)) and torch.allclose(path[-1], b)
    batch = slerp(torch.stack([a, b]), torch.stack([b, a]), torch.tensor([0.25, 0.75]))
    assert torch.allclose(batch[0], batch[1])


@pytest.mark.parametrize(
    ("a", "b", "middle"),
    [
        ([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [3.0, 3.0], [2.0, 2.0]),
        ([1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]),
        ([0.0, 0.0], [2.0, 4.0], [1.0, 2.0]),
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_slerp_without_a_circle_takes_the_line(a: list[float], b: list[float], middle: list[float]):
    assert torch.allclose(slerp(torch.tensor(a), torch.tensor(b), 0.5), torch.tensor(middle))


def test_slerp_meets_the_line_where_vectors_are_nearly_parallel():
    a = draw("gaussian", 1, 64, generator=seeded())[0]
    other = draw("gaussian", 1, 64, generator=seeded(1))[0]
    for nearness in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6):
        b = a + nearness * other
        assert torch.allclose(slerp(a, b, 0.3), 0.7 * a + 0.3 * b, rtol=1e-3 * nearness + 1e-5, atol=1e-4 * nearness)
