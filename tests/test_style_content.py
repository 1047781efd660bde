"""Losses of content and variation: by hand, against independent NumPy, and their gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.style import content_loss, content_scale, gradient_loss, total_variation


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_content_by_hand():
    target = torch.tensor([0.0, 2.0, 1.0, 5.0]).reshape(1, 2, 1, 2)  # deviations 1 and 4, of each channel
    values = torch.tensor([0.0, 2.0, 1.0, 1.0]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(content_loss(values, target), torch.tensor([4 / 2.5]))
    weights = torch.tensor([3.0, 1.0]).reshape(1, 1, 1, 2)
    torch.testing.assert_close(content_loss(values, target, weights), torch.tensor([2 / 2.5]))
    torch.testing.assert_close(content_loss(values, target, 9 * weights), torch.tensor([2 / 2.5]))
    mean = target.mean(dim=(2, 3), keepdim=True).expand_as(target)
    torch.testing.assert_close(content_loss(mean, target), torch.tensor([1.0]))
    torch.testing.assert_close(content_scale(target), torch.tensor([2.5]))


def steps_by_numpy(images: np.ndarray) -> list[np.ndarray]:
    """Of one picture (3, H, W) whose sides divide by 8, at each scale."""
    light = 0.299 * images[0] + 0.587 * images[1] + 0.114 * images[2]
    height, width = light.shape
    found = []
    for scale in (1, 2, 4, 8):
        if min(height, width) / scale >= 8:
            small = light.reshape(height // scale, scale, width // scale, scale).mean(axis=(1, 3))
            found.append(np.concatenate([np.diff(small, axis=0).ravel(), np.diff(small, axis=1).ravel()]))
    return found


@pytest.mark.parametrize(
    ("height", "width", "scales"), [(8, 40, 1), (16, 16, 2), (32, 48, 3), (64, 64, 4), (128, 64, 4)]
)
def test_steps_of_light_are_those_of_numpy(height, width, scales):
    images, target = (drawn(1, 3, height, width, seed=seed) for seed in range(2))
    ours, wanted = (steps_by_numpy(values[0].numpy()) for values in (images, target))
    assert len(ours) == scales
    expected = np.mean([((a - b) ** 2).mean() / (b**2).mean() for a, b in zip(ours, wanted, strict=True)])
    assert gradient_loss(images, target).item() == pytest.approx(expected, rel=1e-9)


def test_steps_of_light_by_hand():
    def picture(*values: float) -> Tensor:
        return torch.tensor(values).expand(1, 3, 1, len(values))

    torch.testing.assert_close(gradient_loss(picture(0, 1), picture(0, 0.5)), torch.tensor([1.0]))
    # Steps 1 and 0 instead of 0.5 and 0.5; weights 1 and 3 of the pairs.
    weights = torch.tensor([0.0, 2.0, 4.0]).reshape(1, 1, 1, 3)
    images, target = picture(0, 1, 1.5), picture(0, 0.5, 1)
    torch.testing.assert_close(gradient_loss(images, target), torch.tensor([0.5]))
    torch.testing.assert_close(gradient_loss(images, target, weights), torch.tensor([0.25]))
    torch.testing.assert_close(gradient_loss(images, target, weights / 9), torch.tensor([0.25]))


def test_of_steps_of_light_colours_and_light_itself_are_free():
    target = drawn(1, 3, 20, 24)
    tinted = target + torch.tensor([0.114, 0.0, -0.299], dtype=torch.float64)[:, None, None] + 0.3
    assert gradient_loss(tinted, target) < 1e-12
    assert gradient_loss(torch.zeros_like(target), target).item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("loss", [content_loss, gradient_loss])
def test_content_of_a_constant_picture_is_finite(loss):
    target = torch.full((1, 3, 16, 16), 0.5)
    assert loss(target, target) == 0
    assert loss(drawn(1, 3, 16, 16), target).isfinite().all()


@pytest.mark.parametrize("loss", [content_loss, gradient_loss])
def test_content_names_shapes_that_do_not_agree(loss):
    images = torch.zeros(2, 3, 8, 8)
    with pytest.raises(ValueError, match="target"):
        loss(images, torch.zeros(2, 3, 8, 7))
    with pytest.raises(ValueError, match="weights"):
        loss(images, images, torch.zeros(2, 3, 8, 8))
    with pytest.raises(ValueError, match="weights"):
        loss(images, images, torch.zeros(3, 1, 8, 8))


def test_losses_of_pictures_are_in_float32_under_autocast():
    images, target = drawn(1, 3, 16, 16).bfloat16(), drawn(1, 3, 16, 16, seed=1).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [content_loss(images, target), gradient_loss(images, target), total_variation(images)]
    wanted = [content_loss, gradient_loss]
    assert all(loss.dtype == torch.float32 for loss in found)
    for value, loss in zip(found, wanted, strict=False):
        torch.testing.assert_close(value, loss(images.float(), target.float()))


def test_variation_by_hand():
    images = torch.tensor([[0.0, 1.0], [2.0, 4.0]]).reshape(1, 1, 2, 2)
    torch.testing.assert_close(total_variation(images), torch.tensor([2.0]))  # 2, 3, 1 and 2
    torch.testing.assert_close(total_variation(torch.cat([images, 3 * images])), torch.tensor([2.0, 6.0]))
    assert total_variation(torch.ones(1, 3, 1, 1)) == 0


def test_gradients_of_content():
    values, target = drawn(2, 3, 4, 5).requires_grad_(), drawn(2, 3, 4, 5, seed=1)
    weights = torch.rand(2, 1, 4, 5, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for shares in (None, weights, weights[:1]):
        for loss in (content_loss, gradient_loss):
            assert torch.autograd.gradcheck(lambda v, loss=loss, shares=shares: loss(v, target, shares), values)
    large = drawn(1, 3, 17, 16).requires_grad_()
    share = torch.rand(1, 1, 17, 16, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    goal = drawn(1, 3, 17, 16, seed=1)
    assert torch.autograd.gradcheck(lambda v: gradient_loss(v, goal, share), large, fast_mode=True)


def test_gradient_of_variation():
    assert torch.autograd.gradcheck(total_variation, drawn(2, 3, 4, 5).requires_grad_())
