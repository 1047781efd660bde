"""The best D against two known densities, found by descent, is what the papers' formulas say; conjugates of f-GANs."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from translate.objectives import OBJECTIVES, Objective
from translate.objectives.fgan import BEND, DIVERGENCES, bent_exp

LOG2 = math.log(2)

# Real is N(1, 1), fake is N(0, 1), so that the logarithm of their ratio at x is x - 1/2.
PLACES = torch.linspace(-6, 7, 261, dtype=torch.float64)
STEP = 0.05


def density(mean: float) -> Tensor:
    return torch.exp(-((PLACES - mean) ** 2) / 2) / math.sqrt(2 * math.pi)


REAL, FAKE = density(1), density(0)


def best_answers(objective: Objective, real: Tensor, fake: Tensor) -> Tensor:
    """D as a table over PLACES that lowers the objective's expectation under densities `real` and `fake`.

    The derivative of a mean by each value is that of a place, which a density weighs; Rprop takes its sign.
    """
    table = torch.full_like(PLACES, 0.1).requires_grad_()
    optimizer = torch.optim.Rprop([table], lr=0.1, step_sizes=(1e-12, 100))
    for _ in range(400):
        seen = [table.detach().clone().requires_grad_() for _ in range(2)]
        slopes = torch.autograd.grad(sum(objective.discriminator(*seen).values()), seen)
        table.grad = real * slopes[0] + fake * slopes[1]
        optimizer.step()
    return table.detach()


# What D's logits v say where real is r times as likely as fake: f' of the divergence, or the paper's best D.
ANSWERS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "vanilla": (torch.sigmoid, lambda r: r / (r + 1)),
    "minimax": (torch.sigmoid, lambda r: r / (r + 1)),
    "lsgan": (lambda v: v, lambda r: r / (r + 1)),
    "hinge": (lambda v: v, lambda r: (r - 1).sign()),
    "f_kl": (lambda v: v, lambda r: 1 + r.log()),
    "f_reverse_kl": (lambda v: -torch.exp(-v), lambda r: -1 / r),
    "f_js": (lambda v: LOG2 + torch.sigmoid(v).log(), lambda r: (2 * r / (r + 1)).log()),
    "f_pearson": (lambda v: v, lambda r: 2 * (r - 1)),
    "f_hellinger": (lambda v: 1 - torch.exp(-v), lambda r: 1 - r.rsqrt()),
    "f_total_variation": (lambda v: torch.tanh(v) / 2, lambda r: (r - 1).sign() / 2),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_best_discriminator_of_two_gaussians(name: str) -> None:
    output, formula = ANSWERS[name]
    found = output(best_answers(OBJECTIVES[name](), REAL, FAKE))
    ratio = REAL / FAKE
    apart = (ratio - 1).abs() > 1e-6  # exactly between the two the answers yes or no are as good
    torch.testing.assert_close(found[apart], formula(ratio)[apart], rtol=1e-6, atol=1e-6)
    if name not in ("hinge", "f_total_variation"):
        alike = output(best_answers(OBJECTIVES[name](), FAKE, FAKE))
        torch.testing.assert_close(alike, formula(torch.ones_like(alike)), rtol=1e-6, atol=1e-6)


# f, and its divergence of N(1, 1) from N(0, 1) in closed form; for Jensen-Shannon's there is none.
F_AND_DIVERGENCE: dict[str, tuple[Callable[[Tensor], Tensor], float | None]] = {
    "kl": (lambda u: u * u.log(), 0.5),
    "reverse_kl": (lambda u: -u.log(), 0.5),
    "js": (lambda u: u * u.log() - (u + 1) * ((u + 1) / 2).log(), None),
    "pearson": (lambda u: (u - 1) ** 2, math.e - 1),
    "hellinger": (lambda u: (u.sqrt() - 1) ** 2, 2 - 2 * math.exp(-1 / 8)),
    "total_variation": (lambda u: (u - 1).abs() / 2, math.erf(1 / (2 * math.sqrt(2)))),
}


@pytest.mark.parametrize("name", DIVERGENCES)
def test_conjugates_are_the_supremum(name: str) -> None:
    function, _ = F_AND_DIVERGENCE[name]
    ratios = torch.logspace(-7, 4, 220_001, dtype=torch.float64)  # with 1, where total variation's f has its kink
    # In the paper Pearson's f* lets ratios be negative, which matters only below t = -2, the best answer to ratio 0.
    for place in torch.linspace(-1.9, 2.5, 11, dtype=torch.float64):
        highest = (ratios * DIVERGENCES[name].output(place) - function(ratios)).max()
        torch.testing.assert_close(highest, DIVERGENCES[name].conjugate(place), rtol=1e-6, atol=1e-6)


def test_the_exponential_bends_smoothly() -> None:
    x = torch.tensor([-3, 0, BEND - 1e-9, BEND, BEND + 1e-9, BEND + 2, 1e4], dtype=torch.float64, requires_grad=True)
    y = bent_exp(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    top = math.exp(BEND)
    wanted = [math.exp(-3), 1, top, top, top, 3 * top, (1e4 - BEND + 1) * top]
    assert y.tolist() == pytest.approx(wanted, rel=1e-8)
    assert slope.tolist() == pytest.approx([math.exp(-3), 1, top, top, top, top, top], rel=1e-8)
    assert bent_exp(x.detach().float()).isfinite().all()


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_least_loss_is_minus_the_divergence(name: str) -> None:
    function, closed = F_AND_DIVERGENCE[name]
    divergence = STEP * (FAKE * function(REAL / FAKE)).sum()
    if closed is not None:
        assert float(divergence) == pytest.approx(closed, rel=1e-3)
    table = best_answers(OBJECTIVES[f"f_{name}"](), REAL, FAKE)
    loss = -REAL * DIVERGENCES[name].output(table) + FAKE * DIVERGENCES[name].conjugate(table)
    assert float(STEP * loss.sum()) == pytest.approx(-float(divergence), abs=1e-6)


def test_pairs_find_the_ratio_but_for_a_constant() -> None:
    """The best D's difference between x and y is log(a(x) b(y) / (a(y) b(x))), which is x - y."""
    objective = OBJECTIVES["relativistic"]()
    places = PLACES[80:182:5]  # from -2 to 3
    weights = torch.outer(density(1)[80:182:5], density(0)[80:182:5])
    table = torch.zeros_like(places, requires_grad=True)
    optimizer = torch.optim.LBFGS([table], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def expected() -> Tensor:
        real, fake = table[:, None].expand_as(weights), table[None].expand_as(weights)
        optimizer.zero_grad()
        seen = [real.detach().requires_grad_(), fake.detach().requires_grad_()]
        slopes = torch.autograd.grad(objective.discriminator(*seen)["pairs"], seen)
        torch.autograd.backward([real, fake], [weights * slope * weights.numel() for slope in slopes])
        return (weights * nn.functional.softplus(fake - real)).sum().detach()

    optimizer.step(expected)
    found = table.detach() - table.detach().mean()
    torch.testing.assert_close(found, places - places.mean(), rtol=1e-4, atol=1e-4)


def test_the_best_energies_of_two_gaussians() -> None:
    """EBGAN's lemma: 0 where real is likelier, the margin where fake is."""
    objective = OBJECTIVES["ebgan"](margin=0.5)
    levels = torch.linspace(0, 1, 101, dtype=torch.float64)
    terms = [objective.discriminator(level, level) for level in levels]
    real, fake = (torch.stack([term[name] for term in terms]) for name in ("real", "fake"))
    losses = REAL[:, None] * real + FAKE[:, None] * fake
    apart = (PLACES - 0.5).abs() > 1e-6
    wanted = torch.where(PLACES > 0.5, 0.0, 0.5).double()
    torch.testing.assert_close(levels[losses.argmin(dim=1)][apart], wanted[apart])
