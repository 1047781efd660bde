"""Differentiable augmentation: each operation by hand, gradients, shapes, what may be named."""

import pytest
import torch
from torch import Tensor

from translate.errors import ConfigError
from translate.methods.diffaugment import AUGMENTATIONS, check_policy, color, cutout, diffaugment, translation


def pictures(count: int = 4, channels: int = 3, height: int = 16, width: int = 16, **options) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, channels, height, width, generator=generator, **options) * 2 - 1


def again(number: int = 0) -> None:
    torch.manual_seed(number)


def test_colour_by_hand():
    images = pictures(5, dtype=torch.float64)
    again()
    changed = color(images)
    again()
    brightness, saturation, contrast = torch.rand(3, 5).double()
    for index, image in enumerate(images):
        brighter = image + brightness[index] - 0.5
        grey = sum(brighter) / 3
        vivid = torch.stack([grey + 2 * saturation[index] * (channel - grey) for channel in brighter])
        wanted = vivid.mean() + (contrast[index] + 0.5) * (vivid - vivid.mean())
        assert torch.allclose(changed[index], wanted, atol=1e-12)
        assert changed[index].mean().item() == pytest.approx(image.mean().item() + brightness[index].item() - 0.5)


def test_colours_may_leave_the_range():
    again()
    assert color(torch.ones(64, 3, 2, 2)).max() > 1.4


def test_one_channel_has_no_saturation():
    images = pictures(3, 1, dtype=torch.float64)
    again()
    changed = color(images)
    again()
    brightness, _, contrast = torch.rand(3, 3).double()
    for index, image in enumerate(images):
        wanted = image.mean() + (contrast[index] + 0.5) * (image - image.mean()) + brightness[index] - 0.5
        assert torch.allclose(changed[index], wanted, atol=1e-12)


def moved_by_hand(image: Tensor, down: int, right: int) -> Tensor:
    """A larger canvas of zeros, of which a window is cut out."""
    _, height, width = image.shape
    canvas = torch.zeros(image.shape[0], 3 * height, 3 * width, dtype=image.dtype)
    canvas[:, height + down : 2 * height + down, width + right : 2 * width + right] = image
    return canvas[:, height : 2 * height, width : 2 * width]


def test_translation_by_hand():
    images = pictures(200, 2, 16, 24)
    again()
    moved = translation(images)
    again()
    down, right = torch.randint(-2, 3, (200,)).tolist(), torch.randint(-3, 4, (200,)).tolist()
    assert set(down) == set(range(-2, 3)) and set(right) == set(range(-3, 4))
    for index, image in enumerate(images):
        assert torch.equal(moved[index], moved_by_hand(image, down[index], right[index]))


def test_cutout_by_hand():
    images = pictures(200, 2, 10, 7)
    again()
    cut = cutout(images)
    again()
    rows, columns = torch.randint(0, 10, (200,)).tolist(), torch.randint(0, 7, (200,)).tolist()
    for index, image in enumerate(images):
        wanted = image.clone()
        top, left = rows[index] - 2, columns[index] - 2
        wanted[:, max(0, top) : top + 5, max(0, left) : left + 4] = 0  # halves of 10 and of 7, rounded up
        assert torch.equal(cut[index], wanted)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 4), (7, 5), (16, 9)])
def test_any_shape_and_type_keeps_it(channels: int, height: int, width: int):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        images = pictures(3, channels, height, width).to(dtype)
        augmented = diffaugment(images, "color,translation,cutout")
        assert augmented.shape == images.shape and augmented.dtype == dtype
        assert torch.isfinite(augmented).all()


def test_an_empty_policy_does_nothing_and_draws_nothing():
    images = pictures()
    before = torch.get_rng_state()
    assert diffaugment(images, "") is images
    assert torch.equal(torch.get_rng_state(), before)


def test_images_are_augmented_one_by_one_and_left_as_they_were():
    images = pictures(1).expand(8, -1, -1, -1).contiguous()
    kept = images.clone()
    again()
    augmented = diffaugment(images, AUGMENTATIONS)
    assert torch.equal(images, kept)
    assert len(torch.unique(augmented.flatten(1), dim=0)) == 8
    again()
    assert torch.equal(diffaugment(images, "cutout, color,translation"), augmented)  # order and spaces do not count


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients_to_the_second_order(name: str):
    images = pictures(2, 2, 5, 4, dtype=torch.float64).requires_grad_()

    def augmented(given: Tensor) -> Tensor:
        again(6)
        return diffaugment(given, name)

    assert torch.autograd.gradcheck(augmented, images)
    assert torch.autograd.gradgradcheck(lambda given: augmented(given).square(), images)


def test_a_gradient_goes_back_to_where_its_pixel_came_from():
    images = pictures(6, 1, 9, 9).requires_grad_()
    again(2)
    moved = translation(images)
    (gradient,) = torch.autograd.grad((moved * moved.detach()).sum(), images)
    # What is still in the picture is its own gradient; what left it has none.
    assert ((gradient == images) | (gradient == 0)).all()
    assert gradient.count_nonzero() == moved.count_nonzero() < images.numel()


def test_what_may_be_named():
    assert check_policy("cutout,color") == ("color", "cutout")
    assert check_policy(" Colour , translation,") == ("color", "translation")
    assert check_policy({"translation"}) == ("translation",) and check_policy("") == ()
    with pytest.raises(ConfigError, match="no augmentation 'translate'. Did you mean 'translation'"):
        check_policy("color,translate")
    with pytest.raises(ConfigError, match="Known: color, cutout, translation"):
        diffaugment(pictures(), "noise")
