"""Contract of every adversarial objective, values worked by hand, soft labels and options."""

import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from translate.errors import ConfigError
from translate.objectives import OBJECTIVES, Targets

LOG2 = math.log(2)
ENERGIES = [name for name, kind in OBJECTIVES.items() if kind.energy]
LABELLED = [name for name, kind in OBJECTIVES.items() if kind.targets]

# D's best answer where real images are twice as likely as fakes, within [-3, 3], or [0, 3] for energies; in pairs there
# is only a difference between places. Wasserstein's and total variation's have no bound.
OPTIMA = {
    "vanilla": LOG2,
    "minimax": LOG2,
    "lsgan": 2 / 3,
    "hinge": 1.0,
    "wgan": 3.0,
    "f_kl": 1 + LOG2,
    "f_reverse_kl": LOG2,
    "f_js": LOG2,
    "f_pearson": 2.0,
    "f_hellinger": LOG2 / 2,
    "f_total_variation": 3.0,
    "ebgan": 0.0,
    "began": 0.0,
}


def soft(x: float) -> float:
    return math.log1p(math.exp(x))


# Of real logits (0, 2) and fake logits (-1, 0.5): D's terms, and G's loss.
BY_HAND = {
    "vanilla": ((LOG2 + soft(-2)) / 2, (soft(-1) + soft(0.5)) / 2, (soft(1) + soft(-0.5)) / 2),
    "minimax": ((LOG2 + soft(-2)) / 2, (soft(-1) + soft(0.5)) / 2, -(soft(-1) + soft(0.5)) / 2),
    "lsgan": (1.0, 0.625, (4 + 0.25) / 2),
    "hinge": (0.5, 0.75, 0.25),
    "wgan": (-1.0, -0.25, 0.25),
    "relativistic": ((soft(-1) + soft(-1.5)) / 2, (soft(1) + soft(1.5)) / 2),
    "f_kl": (-1.0, (math.exp(-2) + math.exp(-0.5)) / 2, 0.25),
    "f_reverse_kl": ((1 + math.exp(-2)) / 2, -1.25, (math.exp(1) + math.exp(-0.5)) / 2),
    "f_js": (
        (LOG2 + soft(-2)) / 2 - LOG2,
        (soft(-1) + soft(0.5)) / 2 - LOG2,
        (soft(1) + soft(-0.5)) / 2 - LOG2,
    ),
    "f_pearson": (-1.0, (-3 / 4 + 9 / 16) / 2, 0.25),
    "f_hellinger": (
        (math.exp(-2) - 1) / 2,
        (math.exp(-1) + math.exp(0.5)) / 2 - 1,
        (math.exp(1) + math.exp(-0.5)) / 2 - 1,
    ),
    "f_total_variation": (
        -math.tanh(2) / 4,
        (math.tanh(0.5) - math.tanh(1)) / 4,
        (math.tanh(1) - math.tanh(0.5)) / 4,
    ),
    "ebgan": (1.0, (1.3 + 0) / 2, -0.25),
    "began": (1.0, 0.0, -0.25),
}


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_values_by_hand(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = logits(0, 2).detach(), logits(-1, 0.5).detach()
    terms = objective.discriminator(real, fake)
    assert list(terms) == (["pairs"] if name == "relativistic" else ["real", "fake"])
    found = tuple(term.item() for term in [*terms.values(), objective.generator(real, fake)])
    assert found == pytest.approx(BY_HAND[name], abs=1e-12)
    if not objective.pairs:
        assert objective.generator(None, fake).item() == found[-1]


@pytest.mark.parametrize("name", OPTIMA)
def test_optimum_of_the_discriminator(name: str) -> None:
    assert OPTIMA.keys() | {"relativistic"} == OBJECTIVES.keys()
    objective = OBJECTIVES[name]()
    places = torch.linspace(0 if objective.energy else -3, 3, 601, dtype=torch.float64)
    with torch.no_grad():
        terms = [objective.discriminator(place, place) for place in places]
    best = min(range(601), key=lambda i: float(2 * terms[i]["real"] + terms[i]["fake"]))
    assert float(places[best]) == pytest.approx(OPTIMA[name], abs=0.006)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in ENERGIES])
def test_gradients_pull_apart_and_together(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = logits(0.3, -0.6), logits(0.2, 0.7)
    sum(objective.discriminator(real, fake).values()).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    objective.generator(real.detach(), fake).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("name", ENERGIES)
def test_energies_of_real_are_pulled_down(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = logits(0.3, 0.1), logits(0.2, 0.05)
    if isinstance(objective, nn.Module):
        objective.k.fill_(0.5)
    sum(objective.discriminator(real, fake).values()).backward()
    assert (real.grad > 0).all() and (fake.grad < 0).all()
    fake.grad = None
    objective.generator(None, fake).backward()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("shape", [(), (4,), (2, 1, 5, 3)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_any_shape_type_and_size(name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    objective = OBJECTIVES[name]()
    for size in (0.0, 1.0, 1e4, -1e4):
        real = torch.full(shape, -size, dtype=dtype, requires_grad=True)
        fake = torch.full(shape, size, dtype=dtype, requires_grad=True)
        terms = [*objective.discriminator(real, fake).values(), objective.generator(real, fake)]
        assert all(term.shape == () and term.isfinite() for term in terms)
        assert all(term.dtype == (torch.float64 if dtype == torch.float64 else torch.float32) for term in terms)
        sum(terms).backward()
        assert real.grad.isfinite().all() and fake.grad.isfinite().all()


@pytest.mark.parametrize(("ours", "theirs"), [("vanilla", "vanilla"), ("lsgan", "lsgan"), ("wgan", "wgangp")])
def test_reference_values(reference: Path, ours: str, theirs: str) -> None:
    expected = json.loads((reference / "misc.json").read_text())["ganloss"][theirs]
    values = torch.from_numpy(np.load(reference / "ganloss.npz")["prediction"]).double()
    real, fake = values.clone().requires_grad_(), values.clone().requires_grad_()
    terms = OBJECTIVES[ours]().discriminator(real, fake)
    assert terms["real"].item() == pytest.approx(expected["real_f64"], abs=1e-12)
    assert terms["fake"].item() == pytest.approx(expected["fake_f64"], abs=1e-12)
    sum(terms.values()).backward()
    assert float(real.grad.abs().sum()) == pytest.approx(expected["grad_real_abssum"], rel=1e-6)
    assert float(fake.grad.abs().sum()) == pytest.approx(expected["grad_fake_abssum"], rel=1e-6)
    assert float(OBJECTIVES[ours]().generator(None, values)) == pytest.approx(expected["real_f64"], abs=1e-12)


# Soft labels.


def test_soft_labels_by_hand() -> None:
    real, fake = logits(0, 2), logits(-1, 0.5)
    targets = Targets(torch.tensor([0.9, 0.75]), torch.tensor(0.25))
    terms = OBJECTIVES["lsgan"]().discriminator(real, fake, targets)
    assert terms["real"].item() == pytest.approx((0.9**2 + 1.25**2) / 2, abs=1e-6)
    assert terms["fake"].item() == pytest.approx((1.25**2 + 0.25**2) / 2, abs=1e-12)
    for name in ("vanilla", "minimax"):
        terms = OBJECTIVES[name]().discriminator(real, fake, targets)
        assert terms["real"].item() == pytest.approx((LOG2 + 0.75 * soft(-2) + 0.25 * soft(2)) / 2, abs=1e-6)
        fakes = 0.25 * (soft(1) + soft(-0.5)) + 0.75 * (soft(-1) + soft(0.5))
        assert terms["fake"].item() == pytest.approx(fakes / 2, abs=1e-12)


@pytest.mark.parametrize("name", LABELLED)
def test_hard_labels_are_the_default_and_one_label_serves_an_image(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = torch.randn(3, 1, 2, 5, dtype=torch.float64), torch.randn(3, 1, 2, 5, dtype=torch.float64)
    hard = objective.discriminator(real, fake, Targets(torch.ones(3), torch.zeros(3)))
    plain = objective.discriminator(real, fake)
    assert all(torch.equal(hard[term], plain[term]) for term in ("real", "fake"))
    labels = torch.tensor([1.0, 0.5, 0.25])
    one = objective.discriminator(real, fake, Targets(labels, 1 - labels))
    alone = [objective.discriminator(real[i], fake[i], Targets(labels[i], 1 - labels[i])) for i in range(3)]
    for term in ("real", "fake"):
        assert float(one[term]) == pytest.approx(sum(float(each[term]) for each in alone) / 3, abs=1e-12)


@pytest.mark.parametrize("name", LABELLED)
def test_the_best_answer_to_soft_labels_is_their_share(name: str) -> None:
    """Real and fake alike, labelled 0.9 and 0.1 (one-sided smoothing: 0.9 and 0): D says their mean."""
    for real, fake in ((0.9, 0.1), (0.9, 0.0)):
        value = (real + fake) / 2
        place = logits(value if name == "lsgan" else math.log(value / (1 - value)))
        targets = Targets(torch.tensor(real).double(), torch.tensor(fake).double())
        sum(OBJECTIVES[name]().discriminator(place, place, targets).values()).backward()
        assert place.grad.item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in LABELLED])
def test_soft_labels_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ConfigError, match="Soft labels do not go with this objective: .+ vanilla, minimax or lsgan"):
        OBJECTIVES[name]().discriminator(torch.ones(2), torch.ones(2), Targets(torch.ones(2), torch.zeros(2)))


# The table, and pairs.


@pytest.mark.parametrize("name", OBJECTIVES)
def test_options_are_the_constructors_arguments(name: str) -> None:
    kind = OBJECTIVES[name]
    known = inspect.signature(kind).parameters if kind.options else {}
    assert tuple(known) == kind.options
    assert all(isinstance(parameter.default, float) for parameter in known.values())
    assert isinstance(kind(**dict.fromkeys(kind.options, 0.25)), kind)


@pytest.mark.parametrize("pair", [(torch.ones(2), torch.ones(3)), (torch.ones(2, 1), torch.ones(2, 3))])
def test_uneven_pairs_are_refused(pair: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ConfigError, match="as many of each"):
        OBJECTIVES["relativistic"]().discriminator(*pair)
    with pytest.raises(ConfigError, match="as many of each"):
        OBJECTIVES["relativistic"]().generator(*pair)
    with pytest.raises(ConfigError, match="real images in G's turn"):
        OBJECTIVES["relativistic"]().generator(None, pair[1])
