"""Measures of likeness against values worked by hand and against other implementations."""

from pathlib import Path

import kornia
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from translate.errors import CheckpointError
from translate.metrics import HIGHER_IS_BETTER, METRICS
from translate.metrics.l1 import l1
from translate.metrics.lpips import LPIPS
from translate.metrics.psnr import psnr
from translate.metrics.ssim import ssim

CHANNELS = (64, 128, 256, 384, 384, 512, 512)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("name", METRICS)
def test_every_measure_prefers_the_likelier(name: str) -> None:
    truth = images(3, 2, 20, 24)
    noise = images(3, 2, 20, 24, seed=1)
    values = [METRICS[name](truth + share * noise, truth) for share in (0.0, 0.1, 0.5)]
    assert all(value.shape == (3,) and value.isfinite().all() for value in values)
    ordered = values if HIGHER_IS_BETTER[name] else values[::-1]
    assert (ordered[0] > ordered[1]).all() and (ordered[1] > ordered[2]).all()
    # Each image counts alone, and neither side is special.
    assert torch.allclose(values[2][1:2], METRICS[name]((truth + 0.5 * noise)[1:2], truth[1:2]), rtol=1e-4)
    assert torch.allclose(values[2], METRICS[name](truth, truth + 0.5 * noise), rtol=1e-4)


@pytest.mark.parametrize("name", METRICS)
def test_every_measure_takes_any_size_and_type(name: str) -> None:
    for height, width in ((1, 1), (1, 30), (4, 5), (10, 11)):
        for dtype in (torch.bfloat16, torch.float32, torch.float64):
            truth = images(2, 1, height, width).to(dtype)
            value = METRICS[name](truth, truth)
            assert value.isfinite().all()
            assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    with pytest.raises(ValueError, match="one shape"):
        METRICS[name](images(1, 3, 8, 8), images(1, 1, 8, 8))


def test_by_hand() -> None:
    truth = torch.zeros(2, 3, 12, 12)
    off = truth.clone()
    off[0] += 0.2
    off[1, :, :6] -= 1.0
    assert psnr(off, truth).tolist() == pytest.approx([20.0, 9.0309], abs=1e-4)
    assert l1(off, truth).tolist() == pytest.approx([0.2, 0.5], abs=1e-6)
    assert psnr(truth, truth).tolist() == [100.0, 100.0]
    # Two flat images, 0.5 and 0.6 in [0, 1]: only the luminance term differs from 1.
    assert float(ssim(off[:1], truth[:1])) == pytest.approx((2 * 0.3 + 1e-4) / (0.25 + 0.36 + 1e-4), abs=1e-5)
    assert ssim(truth, truth).tolist() == [1.0, 1.0]


def test_negative_has_negative_structure() -> None:
    truth = images(1, 1, 32, 32)
    assert float(ssim(-truth, truth)) < -0.5


def test_ssim_like_kornia() -> None:
    one, other = images(2, 3, 24, 31), images(2, 3, 24, 31, seed=1) * 0.5
    expected = kornia.metrics.ssim((one + 1) / 2, (other + 1) / 2, 11, padding="valid", eps=0.0).mean(dim=(1, 2, 3))
    assert torch.allclose(ssim(one, other), expected, atol=1e-5)


@pytest.fixture(scope="module")
def lpips_states() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    torch.manual_seed(0)
    heads = {f"squeeze.lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(CHANNELS)}
    return squeezenet1_1(weights=None).state_dict(), heads


def by_hand(features: dict[str, Tensor], heads: dict[str, Tensor], one: Tensor, other: Tensor) -> Tensor:
    """LPIPS step by step: each of the two images through the layers, without torchvision."""

    def fire(x: Tensor, place: int) -> Tensor:
        def conv(x: Tensor, name: str, padding: int = 0) -> Tensor:
            key = f"features.{place}.{name}"
            return F.conv2d(x, features[f"{key}.weight"], features[f"{key}.bias"], padding=padding).relu()

        x = conv(x, "squeeze")
        return torch.cat([conv(x, "expand1x1"), conv(x, "expand3x3", 1)], dim=1)

    def taps(x: Tensor) -> list[Tensor]:
        shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        x = (x - shift[:, None, None]) / scale[:, None, None]
        x1 = F.conv2d(x, features["features.0.weight"], features["features.0.bias"], stride=2).relu()
        x2 = fire(fire(F.max_pool2d(x1, 3, 2, ceil_mode=True), 3), 4)
        x3 = fire(fire(F.max_pool2d(x2, 3, 2, ceil_mode=True), 6), 7)
        x4 = fire(F.max_pool2d(x3, 3, 2, ceil_mode=True), 9)
        x5 = fire(x4, 10)
        x6 = fire(x5, 11)
        return [x1, x2, x3, x4, x5, x6, fire(x6, 12)]

    total = torch.zeros(len(one))
    for place, (a, b) in enumerate(zip(taps(one), taps(other), strict=True)):
        a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (a, b))
        total += (heads[f"squeeze.lin{place}.model.1.weight"][0] * (a - b) ** 2).sum(1).mean((1, 2))
    return total


def test_lpips_like_the_formula(lpips_states: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    one, other = images(2, 3, 40, 64), images(2, 3, 40, 64, seed=1)
    found = LPIPS(*lpips_states)(one, other)
    assert torch.allclose(found, by_hand(*lpips_states, one, other), rtol=1e-4)
    assert (found > 0).all()


def test_lpips_from_files(lpips_states: tuple[dict[str, Tensor], dict[str, Tensor]], tmp_path: Path) -> None:
    features, heads = tmp_path / "features.safetensors", tmp_path / "heads.safetensors"
    for path, state in zip((features, heads), lpips_states, strict=True):
        save_file(state, path)
    measure = LPIPS.from_files(features, heads)
    image = images(1, 3, 32, 32)
    assert float(measure(image, image)) == 0
    assert float(measure(image[:, :1], -image[:, :1])) > 0
    with pytest.raises(ValueError, match="3 channels"):
        measure(images(1, 2, 32, 32), images(1, 2, 32, 32))
    with pytest.raises(CheckpointError, match="not the weights"):
        LPIPS.from_files(heads, features)
    with pytest.raises(CheckpointError, match="absent"):
        LPIPS.from_files(tmp_path / "absent", heads)


def test_lpips_is_a_loss_whose_weights_stay(lpips_states: tuple[dict[str, Tensor], dict[str, Tensor]]) -> None:
    measure = LPIPS(*lpips_states).train()
    assert not measure.training and not any(p.requires_grad for p in measure.parameters())
    image = images(1, 3, 32, 32).requires_grad_()
    measure(image, torch.zeros_like(image)).sum().backward()
    assert image.grad.isfinite().all() and image.grad.abs().sum() > 0


def test_lpips_with_the_published_weights(weights: Path) -> None:
    files = [weights / f"{name}.safetensors" for name in ("squeezenet1_1_imagenet", "lpips_heads_v0.1")]
    measure = LPIPS.from_files(*files)
    smooth = F.interpolate(images(1, 3, 6, 6), size=(64, 64), mode="bicubic").clamp(-1, 1)
    noisy = [float(measure(smooth + share * images(1, 3, 64, 64, seed=1), smooth)) for share in (0.0, 0.05, 0.2)]
    assert noisy[0] == 0 < noisy[1] < noisy[2] < 2
    other = images(1, 3, 64, 64, seed=2)
    expected = by_hand(load_file(files[0]), load_file(files[1]), smooth, other)
    assert float(measure(smooth, other)) == pytest.approx(float(expected), rel=1e-4)
