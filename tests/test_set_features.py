"""Networks whose features tell sets of pictures apart: what harms pictures takes them from held-out ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from translate.data.drawn import seasons
from translate.errors import CheckpointError
from translate.images import read_pixels, to_tensor
from translate.metrics.frechet import frechet_distance
from translate.metrics.kid import kid, kid_interval
from translate.metrics.local_features import local_features
from translate.metrics.random_features import RandomFeatures

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_random_features_are_a_function_of_channels_and_seed() -> None:
    state = torch.get_rng_state()
    networks = [RandomFeatures(3), RandomFeatures(3), RandomFeatures(3, seed=1)]
    assert torch.equal(state, torch.get_rng_state())
    batch = normal(4, 3, 20, 24).float().clamp(-1, 1)
    one, same, other = (network(batch) for network in networks)
    assert torch.equal(one, same) and not torch.allclose(one, other, atol=0.1)
    assert one.shape == (4, 256) and torch.allclose(networks[0](batch[1:2]), one[1:2], atol=1e-4)
    assert not list(networks[0].parameters()) and not networks[0].state_dict()
    flat = torch.zeros(1, 3, 16, 16, requires_grad=True)
    networks[0](flat).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_random_features_of_any_size(channels: int) -> None:
    network = RandomFeatures(channels)
    for size in ((2, 3), (7, 30), (8, 8), (33, 64)):
        for dtype in (torch.bfloat16, torch.float64):
            found = network(normal(3, channels, *size).to(dtype).clamp(-1, 1))
            assert found.shape == (3, 256) and found.dtype == torch.float32
            assert found.isfinite().all() and found.abs().max() < 10
    points = normal(5, channels, 1, 1)
    assert torch.equal(network(points), points[:, :, 0, 0])
    for wrong in (normal(5, channels), normal(5, channels + 1, 8, 8)):
        with pytest.raises(ValueError, match="are needed"):
            network(wrong)


def scenes(count: int, seed: int, winters: bool = True) -> Tensor:
    """Drawn landscapes of 32 pixels, every other one in winter, or none."""
    pictures = [seasons.scene(np.random.default_rng((seed, place)), 32) for place in range(count)]
    if winters:
        pictures[1::2] = [seasons.winter(picture) for picture in pictures[1::2]]
    return torch.stack([to_tensor(picture) for picture in pictures])


def frogs(start: int, stop: int) -> Tensor:
    paths = sorted((DATA / "cifar10_frogs").glob("*.jpg"))[start:stop]
    if not paths:
        pytest.skip(f"there are no pictures in {DATA / 'cifar10_frogs'}")
    return torch.stack([to_tensor(read_pixels(path)) for path in paths])


def blurred(batch: Tensor, share: float) -> Tensor:
    smooth = F.avg_pool2d(batch, 3, stride=1, padding=1, count_include_pad=False)
    return batch + share * (smooth - batch)


def noisy(batch: Tensor, deviation: float) -> Tensor:
    return (batch + deviation * normal(*batch.shape).float()).clamp(-1, 1)


def check_random_distances(real: Tensor, held_out: Tensor, few: Tensor) -> None:
    """Every harm stands out from held-out pictures, and the more of it the further."""
    network = RandomFeatures(real.shape[1])
    reference = network(real)

    def both(batch: Tensor) -> tuple[float, float]:
        found = network(batch)
        return float(kid(reference, found)), float(frechet_distance(reference, found))

    ladders = {
        "blur": [both(blurred(held_out, share)) for share in (0.0, 0.3, 0.6, 1.0)],
        "noise": [both(noisy(held_out, deviation)) for deviation in (0.0, 0.1, 0.2, 0.4)],
        "collapse": [both(held_out), both(few), both(held_out[:1].expand_as(held_out))],
    }
    plain = kid_interval(reference, network(held_out))
    for name, values in ladders.items():
        for found in zip(*values, strict=True):
            assert list(found) == sorted(found) and len(set(found)) == len(found), (name, values)
        assert all(value > plain.high for value, _ in values[1:]), (name, values, plain)
    assert plain.low < 0 < plain.high


def test_random_distances_of_drawn_scenes() -> None:
    check_random_distances(scenes(160, seed=0), scenes(160, seed=1), few=scenes(160, seed=1, winters=False))


def test_random_distances_of_photographs() -> None:
    held_out = frogs(200, 400)
    check_random_distances(frogs(0, 200), held_out, few=held_out[:20].repeat(10, 1, 1, 1))


def test_local_features_like_the_layers(tmp_path: Path) -> None:
    path = tmp_path / "squeezenet.safetensors"
    torch.manual_seed(0)
    reference = squeezenet1_1(weights=None).eval()
    save_file(reference.state_dict(), path)
    state = torch.get_rng_state()
    network = local_features(path).train()
    assert torch.equal(state, torch.get_rng_state())
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    batch = normal(2, 3, 70, 90).float().clamp(-1, 1)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    values = ((batch + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    found = network(batch)
    assert found.shape == (2, 512)
    assert torch.allclose(found * 8, reference.features(values).mean((2, 3)), rtol=1e-3, atol=1e-3 * float(found.max()))
    small = network(batch[:, :1, :16, :20])
    assert small.shape == (2, 512) and small.isfinite().all()
    with pytest.raises(ValueError, match="one channel"):
        network(batch[:, :2])


def test_local_features_of_other_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="absent"):
        local_features(tmp_path / "absent.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(CheckpointError, match="Cannot read"):
        local_features(tmp_path / "text.safetensors")
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="does not hold"):
        local_features(tmp_path / "other.safetensors")


def test_local_features_with_the_published_weights(weights: Path) -> None:
    network = local_features(weights / "squeezenet1_1_imagenet.safetensors")
    real, held_out = network(scenes(40, seed=0)), network(scenes(40, seed=1))
    assert 0.1 < real.square().mean() < 10
    plain = kid_interval(real, held_out)
    for harmed in (scenes(40, seed=1, winters=False), blurred(scenes(40, seed=1), 1.0), noisy(scenes(40, seed=1), 0.2)):
        assert float(kid(real, network(harmed))) > plain.high
