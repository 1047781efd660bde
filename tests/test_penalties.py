"""Penalties and constraints that keep a discriminator smooth, against values worked by hand."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from translate.errors import ConfigError
from translate.foreign import load_foreign
from translate.objectives.constraints import clip_weights, spectrally_normalise
from translate.objectives.penalties import PENALTIES, dragan, gradient_penalty, r1, r2


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


# Contract of every penalty.


def critic(seed: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 2)).double()


@pytest.mark.parametrize("name", PENALTIES)
def test_the_discriminator_learns_from_a_penalty_and_the_images_do_not(name: str) -> None:
    network, real, fake = critic(), images(seed=1).requires_grad_(), images(seed=2).requires_grad_()
    penalty = PENALTIES[name](network, real, fake)
    assert penalty.shape == () and penalty.dtype == torch.float64 and penalty.item() > 0
    penalty.backward()
    assert real.grad is None and fake.grad is None
    assert all(weight.grad.abs().sum() > 0 for key, weight in network.named_parameters() if key.endswith("0.weight"))


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_differentiate_by_weights(name: str) -> None:
    """The derivative by one weight is the difference quotient of the penalty, at the same draws."""
    network, real, fake = critic(), images(seed=1), images(seed=2)

    def penalty() -> Tensor:
        torch.manual_seed(5)
        return PENALTIES[name](network, real, fake)

    penalty().backward()
    weight = network[0].weight
    slope = weight.grad[0, 0, 0, 0].item()
    values = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            weight[0, 0, 0, 0] += step
        values.append(penalty().item())
    assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_precise_under_autocast_and_in_no_grad(name: str) -> None:
    network = critic().float()
    real, fake = images(seed=1).bfloat16(), images(seed=2).bfloat16()
    torch.manual_seed(5)
    plain = PENALTIES[name](network, real.float(), fake.float())
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        under = PENALTIES[name](network, real, fake)
    assert under.dtype == torch.float32 and plain.item() == pytest.approx(under.item(), rel=1e-6)


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_of_points_in_the_plane(name: str) -> None:
    """A plane of slope (3, 4) over points (N, 2, 1, 1): (5 - 1)^2 around a constant of 1, 25 / 2 around 0."""
    slope = torch.tensor([3.0, 4.0], dtype=torch.float64)
    points = torch.randn(6, 2, 1, 1, dtype=torch.float64)
    penalty = PENALTIES[name](lambda x: x.flatten(1) @ slope, points, points + 1)
    assert penalty.item() == pytest.approx({"r1": 12.5, "r2": 12.5}.get(name, 16.0), rel=1e-12)


def bowl(x: Tensor) -> Tensor:
    """Logits whose gradient is the image itself, spread over a patch each."""
    return x.square().sum(dim=1) / 2


def test_r1_and_r2_by_hand() -> None:
    real, fake = images(seed=1), images(seed=2)
    assert r1(bowl, real, fake).item() == pytest.approx(real.square().sum().item() / 2 / 2, rel=1e-12)
    assert r2(bowl, real, fake).item() == pytest.approx(fake.square().sum().item() / 2 / 2, rel=1e-12)
    # Images of other numbers and sizes do for them: only one kind is looked at.
    assert r1(bowl, real, fake[:1, :, :2]).item() == r1(bowl, real, fake).item()
    flat = torch.zeros(3, 4, 4, dtype=torch.float64, requires_grad=True)
    nothing = r1(lambda x: (x * flat).sum(dim=(1, 2, 3)), real, fake)
    nothing.backward()
    assert nothing.item() == 0 and flat.grad.isfinite().all()


def test_dragan_looks_around_real_images() -> None:
    real, fake = images(seed=1), images(seed=2)
    noise = (images(seed=3) + 1) / 2
    values = real.flatten().tolist()
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    norms = (real + 0.5 * deviation * noise).flatten(1).norm(dim=1)
    assert dragan(bowl, real, fake, noise=noise).item() == pytest.approx(float((norms - 1).square().mean()), rel=1e-12)
    seen = []
    dragan(lambda x: seen.append(x.detach()) or bowl(x), real, fake)
    shares = (seen[0] - real) / (0.5 * deviation)
    assert -1e-12 < shares.min() < 0.1 and 0.9 < shares.max() < 1 and len(shares.unique()) == shares.numel()


def test_a_penalty_between_sizes_is_refused() -> None:
    with pytest.raises(ConfigError, match="of one size"):
        gradient_penalty(bowl, images(), images()[..., :2])


# Constraints.


def test_weights_are_clipped_in_place() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    held = [parameter.data_ptr() for parameter in network.parameters()]
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[0.5, -0.5], [0.05, -0.05]]))
    clip_weights(network, 0.1)
    assert network[0].weight.flatten().tolist() == pytest.approx([0.1, -0.1, 0.05, -0.05])
    assert network[1].weight.tolist() == pytest.approx([0.1, 0.1])
    assert held == [parameter.data_ptr() for parameter in network.parameters()]
    assert all(parameter.requires_grad for parameter in network.parameters())
    with pytest.raises(ConfigError, match="clipped to 0"):
        clip_weights(network, 0)


def layers() -> nn.Module:
    torch.manual_seed(7)
    convolutions = [nn.Conv2d(3, 5, 3), nn.Tanh(), nn.ConvTranspose2d(5, 4, 2), nn.BatchNorm2d(4)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(4 * 3 * 3, 2))


def largest(weight: Tensor, out: int) -> float:
    """Largest singular value of a weight as a matrix of its output channels, which lie along axis `out`."""
    return float(torch.linalg.svdvals(weight.detach().movedim(out, 0).flatten(1))[0])


def test_the_largest_singular_value_becomes_1() -> None:
    network = layers()
    before = {place: network[place].weight.detach().clone() for place in (0, 2, 5)}
    spectrally_normalise(network)
    for _ in range(30):
        network(torch.randn(2, 3, 4, 4))
    for place, out in ((0, 0), (2, 1), (5, 0)):
        assert largest(network[place].weight, out) == pytest.approx(1, abs=1e-3)
        wanted = before[place] / largest(before[place], out)
        torch.testing.assert_close(network[place].weight.detach(), wanted, rtol=1e-3, atol=1e-3)
    assert network[3].weight.tolist() == [1, 1, 1, 1]  # batch norm is left alone


def test_spectral_normalisation_is_deterministic_saved_and_copied() -> None:
    one, other = layers(), layers()
    spectrally_normalise(one)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    spectrally_normalise(other)
    assert torch.equal(state, torch.get_rng_state()), "nothing is drawn"
    given = torch.randn(2, 3, 4, 4)
    assert torch.equal(one(given), other(given))
    one(given)
    fresh = layers()
    spectrally_normalise(fresh)
    fresh.load_state_dict(one.state_dict())
    for twin in (fresh, copy.deepcopy(one)):
        assert torch.equal(twin.eval()(given), copy.deepcopy(one).eval()(given))
        assert torch.equal(twin.train()(given), copy.deepcopy(one).train()(given))
    before = one.eval()(given)
    assert torch.equal(before, one(given)), "no step of the power method while evaluating"


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_go_with_spectral_normalisation(name: str) -> None:
    network = critic()
    spectrally_normalise(network)
    (network(images(seed=1)).mean() + PENALTIES[name](network, images(seed=1), images(seed=2))).backward()
    assert network[0].parametrizations.weight.original.grad.isfinite().all()


def test_clipping_reaches_normalised_weights() -> None:
    network = critic()
    spectrally_normalise(network)
    clip_weights(network, 0.01)
    assert all(parameter.abs().max() <= 0.01 for parameter in network.parameters())
