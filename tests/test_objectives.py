"""Contract of every adversarial objective, values worked by hand, and the gradient penalty."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.foreign import load_foreign
from translate.objectives import OBJECTIVES
from translate.objectives.penalties import gradient_penalty

# D's best answer where real images are twice as likely as fakes, within [-3, 3]; Wasserstein's has no bound.
OPTIMA = {"vanilla": math.log(2), "lsgan": 2 / 3, "hinge": 1.0, "wgan": 3.0}
# Of real logits (0, 2) and fake logits (-1, 0.5): the terms "real" and "fake", and G's loss.
BY_HAND = {
    "vanilla": (
        (math.log(2) + math.log1p(math.exp(-2))) / 2,
        (math.log1p(math.exp(-1)) + math.log1p(math.exp(0.5))) / 2,
        (math.log1p(math.exp(1)) + math.log1p(math.exp(-0.5))) / 2,
    ),
    "lsgan": (1.0, 0.625, (4 + 0.25) / 2),
    "hinge": (0.5, 0.75, 0.25),
    "wgan": (-1.0, -0.25, 0.25),
}


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_values_by_hand(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = logits(0, 2).detach(), logits(-1, 0.5).detach()
    terms = objective.discriminator(real, fake)
    assert list(terms) == ["real", "fake"]
    found = (terms["real"].item(), terms["fake"].item(), float(objective.generator(real, fake)))
    assert found == pytest.approx(BY_HAND[name], abs=1e-12)
    if not objective.pairs:
        assert objective.generator(None, fake).item() == found[2]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_optimum_of_the_discriminator(name: str) -> None:
    objective = OBJECTIVES[name]()
    places = torch.linspace(-3, 3, 601, dtype=torch.float64)
    terms = [objective.discriminator(place, place) for place in places]
    best = min(range(601), key=lambda i: float(2 * terms[i]["real"] + terms[i]["fake"]))
    assert float(places[best]) == pytest.approx(OPTIMA[name], abs=0.006)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_pull_apart_and_together(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, fake = logits(0.3, -0.6), logits(0.2, 0.7)
    sum(objective.discriminator(real, fake).values()).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    objective.generator(real.detach(), fake).backward()
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("shape", [(), (4,), (2, 1, 5, 3)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_any_shape_type_and_size(name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    objective = OBJECTIVES[name]()
    for size in (0.0, 1.0, 1e4):
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


def images(count: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("kind", ["mixed", "real", "fake"])
def test_penalty_of_a_linear_discriminator(kind: str) -> None:
    weight = images(1).requires_grad_()
    penalty = gradient_penalty(lambda x: (x * weight).sum(dim=(1, 2, 3)), images(seed=1), images(seed=2), kind=kind)
    norm = weight.detach().norm()
    assert penalty.item() == pytest.approx(float((norm - 1) ** 2), rel=1e-12)
    penalty.backward()
    assert torch.allclose(weight.grad, 2 * (norm - 1) * weight.detach() / norm, rtol=1e-10)


def test_penalty_is_taken_on_the_line() -> None:
    real, fake = images(seed=1), images(seed=2)
    alpha = torch.tensor([[0.25], [0.5]], dtype=torch.float64)
    seen = []

    def discriminate(points: Tensor) -> Tensor:
        seen.append(points.detach())
        return points.square().sum(dim=(1, 2, 3)) / 2  # whose gradient is the image itself

    penalty = gradient_penalty(discriminate, real, fake, alpha=alpha, constant=3.0)
    points = torch.stack([0.25 * real[0] + 0.75 * fake[0], (real[1] + fake[1]) / 2])
    assert torch.allclose(seen[0], points, atol=1e-15)
    assert penalty.item() == pytest.approx(float((points.flatten(1).norm(dim=1) - 3).square().mean()), rel=1e-12)


def test_penalty_draws_a_share_for_each_image() -> None:
    shares = []
    gradient_penalty(lambda x: shares.append(x.detach()) or x, torch.ones(64, 1, 1, 1), torch.zeros(64, 1, 1, 1))
    assert len(shares[0].unique()) == 64 and 0 <= shares[0].min() < 0.2 and 0.8 < shares[0].max() <= 1


def test_penalty_of_a_constant_discriminator_is_finite() -> None:
    weight = torch.zeros(3, 4, 4, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(lambda x: (x * weight).sum(dim=(1, 2, 3)), images(seed=1), images(seed=2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1) and weight.grad.isfinite().all()


def test_penalty_is_precise_under_autocast() -> None:
    conv = torch.nn.Conv2d(3, 1, 3)
    real, fake = images(seed=1).bfloat16(), images(seed=2).bfloat16()
    alpha = torch.full((2, 1), 0.5)
    plain = gradient_penalty(conv, real.float(), fake.float(), alpha=alpha)
    with torch.autocast("cpu", torch.bfloat16):
        under = gradient_penalty(conv, real, fake, alpha=alpha)
    assert under.dtype == torch.float32 and torch.equal(plain, under)


@pytest.mark.parametrize("kind", ["mixed", "real", "fake"])
def test_reference_penalty(reference: Path, kind: str) -> None:
    every = json.loads((reference / "misc.json").read_text())["gradient_penalty"]
    arrays = np.load(reference / "gradient_penalty.npz")
    real, fake, alpha = (torch.from_numpy(arrays[name]) for name in ("real", "fake", "alpha"))
    network = load_foreign(reference / "patchgan_basic_in_3ch_ndf16.pth")
    weight = every["lambda_gp"]
    penalty = weight * gradient_penalty(network, real, fake, kind=kind, constant=every["constant"], alpha=alpha)
    assert penalty.item() == pytest.approx(every[kind]["value"], rel=1e-5)
    for place, expected in enumerate(every[kind]["grad_norms"]):
        one = slice(place, place + 1)
        squared = gradient_penalty(network, real[one], fake[one], kind=kind, constant=0.0, alpha=alpha[one])
        assert squared.sqrt().item() == pytest.approx(expected, rel=1e-5)
