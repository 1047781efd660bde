"""Statistics that are locked: those of the image they were taken from, and the same for every other one."""

import pytest
import torch

from translate import networks
from translate.networks.blocks import per_image_statistics, translate_any_size
from translate.networks.locked import lock_statistics


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    more = {"resnet": {"blocks": 2, "width": 4}, "unet": {"depth": 3, "width": 4, "norm": "batch"}}[name]
    made = networks.build(name, {"in_channels": 3, "out_channels": 3, **more}).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, 0, 0.3)
    return per_image_statistics(made) if name == "unet" else made


@pytest.mark.parametrize("name", ["resnet", "unet"])
@pytest.mark.parametrize("size", [(32, 40), (21, 35)])
def test_the_image_it_was_taken_from_comes_out_as_before(name: str, size: tuple[int, int]):
    free = network(name)
    image = torch.rand(1, 3, *size) * 2 - 1
    locked = lock_statistics(free, [image])
    with torch.no_grad():
        torch.testing.assert_close(
            translate_any_size(locked, image), translate_any_size(free, image), rtol=0, atol=1e-4
        )


def test_a_pixel_no_longer_depends_on_pixels_far_away():
    free = network("resnet")
    one = torch.rand(1, 3, 64, 64) * 2 - 1
    other = one.clone()
    other[..., :8, :8] = 1
    locked = lock_statistics(free, [one])
    with torch.no_grad():
        assert torch.equal(locked(one)[..., 48:, 48:], locked(other)[..., 48:, 48:])
        assert not torch.equal(free(one)[..., 48:, 48:], free(other)[..., 48:, 48:])


def test_several_images_give_the_mean():
    layer = torch.nn.Sequential(torch.nn.InstanceNorm2d(1))
    layer.multiple = layer.minimum = 1
    images = [torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2), torch.tensor([4.0, 8.0]).reshape(1, 1, 1, 2)]
    locked = lock_statistics(layer, images)[0]
    assert locked.running_mean.tolist() == [3.5]  # means 1 and 6
    assert locked.running_var.tolist() == [2.5]  # variances 1 and 4
    with pytest.raises(ValueError, match="need an image"):
        lock_statistics(layer, [])
