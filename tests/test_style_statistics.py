"""Gram, Wasserstein and sliced distances: by hand, and against independent NumPy."""

import numpy as np
import pytest
import torch
from style_samples import drawn, loss_of
from torch import Tensor

from translate.style import find_statistic, sliced
from translate.style.wasserstein import NOISE

# Gram.


def gram_by_numpy(columns: Tensor, target: Tensor) -> tuple[float, float]:
    """E_l of the paper, with sums over places, for as many places on both sides; and the relative loss."""
    f, p = columns[0].numpy(), target[0].numpy()
    ours, wanted = f @ f.T, p @ p.T
    features, places = f.shape
    squares = ((ours - wanted) ** 2).sum()
    return squares / (4 * features**2 * places**2), squares / (wanted**2).sum()


def test_gram_by_hand():
    columns = torch.tensor([[[1.0, 2.0], [0.0, 1.0]]])  # sums 5, 2, 1
    target = torch.tensor([[[0.0, 2.0], [1.0, 0.0]]])  # sums 4, 0, 1
    torch.testing.assert_close(
        loss_of("gram", columns, target, paper=True), torch.tensor([9 / 64], dtype=torch.float64)
    )
    torch.testing.assert_close(loss_of("gram", columns, target), torch.tensor([9 / 17], dtype=torch.float64))


def test_gram_is_the_papers_where_both_have_as_many_places():
    columns, target = drawn(1, 5, 12), drawn(1, 5, 12, seed=1)
    paper, relative = gram_by_numpy(columns, target)
    assert loss_of("gram", columns, target, paper=True).item() == pytest.approx(paper, rel=1e-12)
    assert loss_of("gram", columns, target).item() == pytest.approx(relative, rel=1e-12)


def test_gram_of_a_picture_twice_as_large_is_the_same():
    columns, target = drawn(1, 5, 12), drawn(1, 5, 12, seed=1)
    torch.testing.assert_close(loss_of("gram", columns.repeat(1, 1, 2), target), loss_of("gram", columns, target))


# Wasserstein.


def root_by_numpy(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def wasserstein_by_numpy(columns: Tensor, target: Tensor) -> float:
    """With the noise on both sides; relative."""
    x, y = columns[0].numpy(), target[0].numpy()
    noise = NOISE * y.var(axis=1).mean() * np.eye(len(x))
    c1, c2 = np.cov(x, bias=True) + noise, np.cov(y, bias=True) + noise
    root = root_by_numpy(c2)
    squares = ((x.mean(axis=1) - y.mean(axis=1)) ** 2).sum()
    return (squares + np.trace(c1 + c2 - 2 * root_by_numpy(root @ c1 @ root))) / y.var(axis=1).sum()


CROSS = torch.tensor([[[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]], dtype=torch.float64) * 2**0.5
"""Of mean 0 and covariance I."""


def test_wasserstein_by_hand():
    # N((3, 4), 2^2 I) from N(0, I): 25 + 2 (2 - 1)^2, relative to tr I = 2.
    columns = 2 * CROSS + torch.tensor([3.0, 4.0])[:, None]
    assert loss_of("wasserstein", columns, CROSS, paper=True).item() == pytest.approx(27, rel=1e-5)
    assert loss_of("wasserstein", columns, CROSS).item() == pytest.approx(13.5, rel=1e-5)


def test_wasserstein_of_axes_by_hand():
    # Covariances diag(4, 9) and diag(1, 0): (2 - 1)^2 + 9, relative to 1. The noise, 5e-6, leaves 1e-3 of it.
    columns = CROSS * torch.tensor([2.0, 3.0])[:, None]
    target = CROSS * torch.tensor([1.0, 0.0])[:, None]
    assert loss_of("wasserstein", columns, target).item() == pytest.approx(10, abs=0.02)


@pytest.mark.parametrize(("features", "places"), [(5, 40), (12, 6), (12, 2)])
def test_wasserstein_is_that_of_numpy(features, places):
    columns, target = drawn(1, features, places), drawn(1, features, places + 3, seed=1)
    expected = wasserstein_by_numpy(columns, target)
    assert loss_of("wasserstein", columns, target).item() == pytest.approx(expected, rel=1e-5)


def test_wasserstein_hardly_knows_of_its_noise():
    columns, target = drawn(1, 5, 40), drawn(1, 5, 40, seed=1)
    x, y = columns[0].numpy(), target[0].numpy()
    linalg = pytest.importorskip("scipy.linalg")
    c1, c2 = np.cov(x, bias=True), np.cov(y, bias=True)
    squares = ((x.mean(axis=1) - y.mean(axis=1)) ** 2).sum()
    expected = (squares + np.trace(c1 + c2 - 2 * linalg.sqrtm(c1 @ c2).real)) / np.trace(c2)
    assert loss_of("wasserstein", columns, target).item() == pytest.approx(expected, rel=1e-4)


def test_wasserstein_in_float32_has_the_gradient_of_float64():
    # Features as of a deep layer: many, correlated, some that never fire, means above their deviation.
    generator = torch.Generator().manual_seed(3)
    scales = torch.logspace(0, -3, 96, dtype=torch.float64)
    mixed = torch.randn(96, 96, generator=generator, dtype=torch.float64) * scales
    grads = []
    base, other = (torch.randn(1, 96, 400, generator=generator, dtype=torch.float64) for _ in range(2))
    for dtype in (torch.float64, torch.float32):
        columns, target = ((mixed @ values + 1).relu().to(dtype) for values in (base + 0.1 * other, base))
        columns[:, :5], target[:, :5] = 0, 0
        loss = loss_of("wasserstein", columns.requires_grad_(), target)
        grads.append(torch.autograd.grad(loss.sum(), columns)[0].double())
    assert (grads[1] - grads[0]).norm() < 2e-3 * grads[0].norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["equal", "constant", "isotropic", "one place"])
def test_wasserstein_has_a_finite_gradient_at_singular_places(kind, dtype):
    target = {"isotropic": CROSS}.get(kind, drawn(1, 6, 4)).to(dtype)
    columns = {"constant": torch.zeros_like(target), "one place": target[..., :1]}.get(kind, target).clone()
    columns.requires_grad_()
    (grad,) = torch.autograd.grad(loss_of("wasserstein", columns, target).sum(), columns)
    assert grad.isfinite().all() and grad.abs().max() < 10
    if kind in ("equal", "isotropic"):
        assert grad.abs().max() < 1e-3


@pytest.mark.parametrize("name", ["gram", "wasserstein"])
def test_descent_gives_the_targets_summary(name):
    target = drawn(1, 4, 60, seed=1)
    columns = torch.randn(1, 4, 60, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    statistic = find_statistic(name)
    prepared = statistic.prepare(statistic.summary(target))
    descent = torch.optim.LBFGS([columns], max_iter=200, line_search_fn="strong_wolfe", tolerance_change=0)

    def closure() -> Tensor:
        descent.zero_grad()
        loss = statistic.loss(statistic.summary(columns), prepared).sum()
        loss.backward()
        return loss

    descent.step(closure)
    found, wanted = (statistic.summary(values.detach())[0, :-1, :-1] / 60 for values in (columns, target))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


# Sliced.


def sliced_by_numpy(columns: Tensor, target: Tensor) -> float:
    x, y = columns[0].numpy(), target[0].numpy()
    like = torch.zeros(1, len(x), 1, dtype=torch.float64)
    directions = sliced._directions(like, torch.Generator().manual_seed(7)).numpy()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-6)
    places = (np.arange(x.shape[1]) + 0.5) / x.shape[1]
    given = (np.arange(y.shape[1]) + 0.5) / y.shape[1]
    squares = [
        ((np.sort(direction @ x) - np.interp(places, given, np.sort(direction @ y))) ** 2).mean()
        for direction in directions
    ]
    return np.mean(squares) / y.var(axis=1).mean()


def test_sliced_by_hand():
    # Along one feature: |0 - 1|^2 and |2 - 5|^2, on average 5, relative to a variance of 4.
    columns, target = torch.tensor([[[2.0, 0.0]]]), torch.tensor([[[1.0, 5.0]]])
    torch.testing.assert_close(loss_of("sliced", columns, target, paper=True), torch.tensor([5.0]))
    torch.testing.assert_close(loss_of("sliced", columns, target), torch.tensor([1.25]))


def test_sliced_quantiles_by_hand():
    # The quantiles at 1/4 and 3/4 of four values lie in the middle of the first two and of the last two.
    target = torch.tensor([[[3.0, 0.0, 1.0, 2.0]]])
    assert loss_of("sliced", torch.tensor([[[0.5, 2.5]]]), target).item() == pytest.approx(0, abs=1e-12)
    assert loss_of("sliced", torch.tensor([[[0.5, 3.5]]]), target, paper=True).item() == pytest.approx(0.5)


@pytest.mark.parametrize(("places", "others"), [(20, 20), (20, 33), (33, 20), (1, 9), (9, 1)])
@pytest.mark.parametrize("few", [0, 10_000])  # either way of sorting
def test_sliced_is_that_of_numpy(monkeypatch, places, others, few):
    monkeypatch.setattr(sliced, "FEW_THREADS", few)
    columns, target = drawn(1, 5, places), drawn(1, 5, others, seed=1)
    if others == 1:
        target = torch.cat([target, target + 1], dim=2)
    assert loss_of("sliced", columns, target).item() == pytest.approx(sliced_by_numpy(columns, target), rel=1e-9)


def test_sliced_draws_from_its_generator():
    statistic, columns, target = find_statistic("sliced"), drawn(1, 5, 20), drawn(1, 5, 20, seed=1)
    generator = torch.Generator().manual_seed(7)
    first, second = (statistic.loss(columns, target, generator) for _ in range(2))
    assert first != second
    assert first == loss_of("sliced", columns, target)
    torch.manual_seed(1)
    other = statistic.loss(columns, target)
    torch.manual_seed(1)
    assert statistic.loss(columns, target) == other
