"""Statistics of style: the contract of the table, sums and their weights, and gradients."""

import math

import numpy as np
import pytest
import torch
from style_samples import drawn, loss_of

from translate.errors import ConfigError
from translate.style import (
    STATISTICS,
    find_statistic,
    sliced,
)

SUMMED = [name for name, kind in STATISTICS.items() if not kind.sampled]


CROSS = torch.tensor([[[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]], dtype=torch.float64) * 2**0.5
"""Of mean 0 and covariance I."""


# The contract of every statistic.


@pytest.mark.parametrize("name", STATISTICS)
def test_a_row_is_called_as_its_class_says(name):
    statistic = find_statistic(name)
    assert (statistic.name, statistic.sampled) == (name, name == "sliced")


def test_an_unknown_statistic_has_its_near_miss():
    with pytest.raises(ConfigError, match="'grams'.*Did you mean 'gram'"):
        find_statistic("grams")


@pytest.mark.parametrize("name", STATISTICS)
def test_equal_features_are_at_0_wherever_they_are(name):
    columns = drawn(2, 4, 30)
    moved = columns[..., torch.randperm(30, generator=torch.Generator().manual_seed(1))]
    assert loss_of(name, columns, moved).abs().max() < 1e-13


@pytest.mark.parametrize("name", STATISTICS)
def test_features_times_a_constant_change_nothing(name):
    columns, target = drawn(2, 4, 30), drawn(2, 4, 30, seed=1)
    loss = loss_of(name, columns, target)
    assert (loss > 0.01).all()
    torch.testing.assert_close(loss_of(name, 300 * columns, 300 * target), loss)
    torch.testing.assert_close(loss_of(name, columns / 300, target / 300), loss)


@pytest.mark.parametrize("name", STATISTICS)
def test_one_target_for_all_prepared_or_not(name):
    columns, target = drawn(3, 4, 30), drawn(1, 4, 20, seed=1)
    statistic = find_statistic(name)
    prepared = statistic.prepare(statistic.summary(target))
    generator = torch.Generator().manual_seed(7)
    loss = statistic.loss(statistic.summary(columns), prepared, generator)
    assert loss.shape == (3,)
    torch.testing.assert_close(loss, loss_of(name, columns, target.expand(3, -1, -1)))
    torch.testing.assert_close(loss[1:2], loss_of(name, columns[1:2], target))


@pytest.mark.parametrize("name", STATISTICS)
def test_nothing_but_the_mean_is_at_1(name):
    # Of Gram the mean is 0: no feature at all.
    target = drawn(1, 4, 50)
    mean = target.mean(dim=2, keepdim=True) * (name != "gram")
    near = {"gram": 1e-12, "wasserstein": 0.02, "sliced": 0.3}[name]  # noise; 64 directions of 4 features
    assert abs(loss_of(name, mean.expand(-1, -1, 50), target) - 1) < near


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("value", [0.0, 2.0])
def test_a_constant_target_divides_by_nothing_near_0(name, value):
    target = torch.full((1, 3, 20), value)
    columns = drawn(1, 3, 20, dtype=torch.float32).requires_grad_()
    loss = loss_of(name, columns, target)
    loss.sum().backward()
    assert loss.isfinite().all() and columns.grad.isfinite().all()
    assert loss_of(name, target, target) < 1e-4


@pytest.mark.parametrize("name", STATISTICS)
def test_what_is_not_float64_is_computed_in_float32_and_summed_in_float64(name):
    columns, target = drawn(1, 4, 30, dtype=torch.float32), drawn(1, 4, 30, seed=1, dtype=torch.float32)
    exact = loss_of(name, columns.double(), target.double())
    assert exact.dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = loss_of(name, columns, target)
        rounded = loss_of(name, columns.bfloat16(), target.bfloat16())
    assert loss.dtype == rounded.dtype == (torch.float32 if name == "sliced" else torch.float64)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(rounded, loss, rtol=0.1, atol=0.01)


@pytest.mark.parametrize("name", STATISTICS)
def test_targets_that_will_not_do_are_named(name):
    statistic = find_statistic(name)
    with pytest.raises(ValueError, match="not finite"):
        statistic.prepare(statistic.summary(torch.full((1, 2, 5), math.nan)))
    with pytest.raises(ValueError, match="no place"):
        statistic.prepare(statistic.summary(torch.zeros(1, 2, 0)))
    with pytest.raises(ValueError, match="columns"):
        statistic.summary(torch.zeros(2, 5))


@pytest.mark.parametrize("name", STATISTICS)
def test_a_picture_that_is_not_finite_has_no_loss(name):
    columns = drawn(1, 4, 10).index_fill(2, torch.tensor([3]), math.nan).requires_grad_()
    loss = loss_of(name, columns, drawn(1, 4, 10, seed=1))
    assert loss.isnan().all()
    assert not torch.autograd.grad(loss.sum(), columns)[0].isfinite().all()


@pytest.mark.parametrize("name", STATISTICS)
def test_no_place_adds_nothing_and_has_no_loss(name):
    statistic, columns = find_statistic(name), drawn(1, 4, 10)
    none, whole = statistic.summary(columns[..., :0]), statistic.summary(columns)
    joined = torch.cat([none, whole], dim=2) if statistic.sampled else none + whole
    torch.testing.assert_close(joined, whole, rtol=0, atol=0)
    assert statistic.loss(none, whole).isnan().all()


# Sums over places, and their weights.


def test_sums_are_those_of_products():
    columns, weights = drawn(2, 3, 10), drawn(2, 10, seed=1).abs()
    whole = find_statistic("gram").summary(columns, weights)
    rows = np.concatenate([columns.numpy(), np.ones((2, 1, 10))], axis=1)
    np.testing.assert_allclose(whole, np.einsum("nci,ni,ndi->ncd", rows, weights.numpy(), rows))


@pytest.mark.parametrize("name", SUMMED)
def test_two_halves_add_to_the_whole(name):
    statistic, columns, weights = find_statistic(name), drawn(2, 3, 10), drawn(2, 10, seed=1).abs()
    for shares in (None, weights, weights[0]):
        parts = [None if shares is None else shares[..., :4], None if shares is None else shares[..., 4:]]
        halves = statistic.summary(columns[..., :4], parts[0]) + statistic.summary(columns[..., 4:], parts[1])
        torch.testing.assert_close(halves, statistic.summary(columns, shares))


@pytest.mark.parametrize("name", SUMMED)
def test_weights_are_counts_and_their_scale_is_free(name):
    columns, target = drawn(1, 3, 10), drawn(1, 3, 20, seed=1)
    counts = torch.tensor([2.0, 0, 1, 3, 1, 1, 0, 2, 1, 1], dtype=torch.float64)
    repeated = columns.repeat_interleave(counts.long(), dim=2)
    loss = loss_of(name, columns, target, counts)
    torch.testing.assert_close(loss, loss_of(name, repeated, target))
    torch.testing.assert_close(loss, loss_of(name, columns, target, counts / 100))


@pytest.mark.parametrize("name", SUMMED)
def test_weights_of_another_shape_or_of_nothing_are_named(name):
    statistic, columns = find_statistic(name), drawn(2, 3, 10)
    with pytest.raises(ValueError, match="weights"):
        statistic.summary(columns, torch.ones(9))
    with pytest.raises(ValueError, match="all its weights are 0"):
        statistic.prepare(statistic.summary(columns, torch.zeros(10)))


def test_sliced_takes_no_weights():
    with pytest.raises(ValueError, match="draw its places"):
        find_statistic("sliced").summary(drawn(1, 3, 10), torch.ones(10))


# Gradients.


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize(("places", "others"), [(9, 9), (9, 6), (3, 3), (3, 9), (1, 2)])
def test_gradients_of_statistics(monkeypatch, name, places, others, few):
    monkeypatch.setattr(sliced, "FEW_THREADS", few)
    columns, target = drawn(2, 4, places).requires_grad_(), drawn(2, 4, others, seed=1)
    # Where both covariances are singular, rounding moves the distance by 1e-9: wider steps of the difference quotient.
    assert torch.autograd.gradcheck(lambda values: loss_of(name, values, target), columns, eps=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", SUMMED)
@pytest.mark.parametrize("shape", [(7,), (2, 7)])
def test_gradients_with_weights(name, shape):
    columns, target = drawn(2, 4, 7).requires_grad_(), drawn(1, 4, 9, seed=1)
    weights = torch.rand(shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    weights[..., 2] = 0
    assert torch.autograd.gradcheck(lambda values: loss_of(name, values, target, weights), columns)


@pytest.mark.parametrize("kind", ["equal covariances", "equal", "equal eigenvalues", "singular alike"])
def test_gradient_of_wasserstein_at_odd_places(kind):
    target = {"equal eigenvalues": CROSS, "singular alike": drawn(1, 5, 3)}.get(kind, drawn(1, 3, 9))
    shift = 0.0 if kind == "equal" else 0.5
    columns = (target * (3 if kind == "equal eigenvalues" else 1) + shift).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: loss_of("wasserstein", v, target), columns, eps=1e-5, atol=1e-4)
