"""Contract of every network in the tables, and what each promises on its own."""

import inspect
import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from translate import networks
from translate.errors import ConfigError
from translate.networks import blocks
from translate.networks.blocks import mirror_pad, per_image_statistics, translate_any_size
from translate.networks.init import INITIALISATIONS, initialise

NORMS = ("batch", "instance", "instance_affine", "none")
SMALL: dict[str, dict[str, Any]] = {
    "unet": {"width": 2, "depth": 3},
    "resnet": {"width": 2, "blocks": 1},
    "colour_unet": {"width": 2, "depth": 4},
    "adain": {"stages": [[2, 2], [3], [4]]},
    "separable_resnet": {"width": 2, "blocks": 1},
    "patchgan": {"width": 2, "layers": 2},
    "pixel": {"width": 2},
}


SHARED = {"norm", "upsampling", "dropout"}
"""What most networks take as an argument; one of a single design does without."""


def small(name: str, *channels: int, **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    first = dict(zip(("in_channels", "out_channels"), channels, strict=False))
    taken = inspect.signature(networks.NETWORKS[name]).parameters
    given = {key: value for key, value in arguments.items() if key in taken or key not in SHARED}
    network = networks.build(name, first | SMALL.get(name, {}) | given).double()
    initialise(network, "kaiming")
    return network


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", networks.GENERATORS)
def test_generator_keeps_any_size(name: str, norm: str, upsampling: str) -> None:
    network = small(name, 3, 2, norm=norm, upsampling=upsampling).eval()
    for height, width in itertools.pairwise((1, 70, 1, 1, 2, 3, 5, 8, 16, 31, 33, 67, 69, 69)):
        with torch.no_grad():
            output = translate_any_size(network, images(2, 3, height, width))
        assert output.shape == (2, 2, height, width)
        assert output.isfinite().all() and output.abs().max() <= 1


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 16), (16, 1), (4, 3)])
@pytest.mark.parametrize("name", networks.GENERATORS)
def test_generator_takes_any_channels(name: str, inputs: int, outputs: int) -> None:
    assert translate_any_size(small(name, inputs, outputs), images(2, inputs, 16, 16)).shape == (2, outputs, 16, 16)


@pytest.mark.parametrize("name", networks.GENERATORS)
def test_fitting_images_pass_untouched(name: str) -> None:
    network = small(name, 3, 3, dropout=0.0)
    fitting = images(1, 3, 2 * network.multiple, 3 * network.multiple)
    assert torch.equal(network(fitting), translate_any_size(network, fitting))


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
def test_unet_of_any_depth(depth: int) -> None:
    network = small("unet", 3, 3, depth=depth, norm="instance")
    assert network(images(1, 3, 2**depth, 2**depth)).shape == (1, 3, 2**depth, 2**depth)
    rates = [up.dropout.p for up in network.ups]
    assert sum(rate > 0 for rate in rates) == max(0, depth - 5)


def test_widths_of_the_published_networks() -> None:
    def parameters(name: str, **arguments: Any) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in networks.build(name, arguments).parameters())

    assert parameters("unet", in_channels=3, out_channels=3) == 54_413_955
    assert parameters("resnet", in_channels=3, out_channels=3) == 11_378_179
    assert parameters("patchgan", in_channels=3) == 2_764_737


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", networks.DISCRIMINATORS)
def test_discriminator_gives_logits(name: str, norm: str) -> None:
    network = small(name, 5, norm=norm)
    least = network.minimum
    assert network(images(2, 5, least, least + 7)).shape[:2] == (2, 1)
    if name == "patchgan":  # smaller images are continued to what the layers need
        assert network(images(2, 5, 1, 3)).shape == network(images(2, 5, least, least)).shape


def test_patches_are_70_pixels() -> None:
    network = small("patchgan", 1, layers=3, norm="none")
    image = images(1, 1, 256, 256).requires_grad_()
    network(image)[0, 0, 15, 15].backward()
    seen = image.grad[0, 0].abs().nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_every_parameter(name: str, norm: str) -> None:
    network = small(name, 3, *([2] if name in networks.GENERATORS else []), norm=norm)
    network(images(2, 3, 32, 32)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        if parameter.dim() > 1:
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SMALL)
def test_arguments_make_the_same_network(name: str, norm: str) -> None:
    network = small(name, 3, *([2] if name in networks.GENERATORS else []), norm=norm)
    again = networks.build(name, json.loads(json.dumps(network.arguments))).double()
    again.load_state_dict(network.state_dict())
    assert again.arguments == network.arguments
    sample = images(2, 3, 32, 32)
    assert torch.equal(network.eval()(sample), again.eval()(sample))
    assert torch.equal(network(sample), network(sample)), "evaluation draws nothing"


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SMALL)
def test_per_image_is_true_of_the_batch(name: str, norm: str) -> None:
    dropout = {"dropout": 0.0} if name in networks.GENERATORS else {}
    network = small(name, 3, *([2] if name in networks.GENERATORS else []), norm=norm, **dropout)
    sample = images(3, 3, 32, 32) * torch.tensor([0.1, 1, 2]).view(3, 1, 1, 1)
    alone = torch.cat([network(image[None]) for image in sample])
    mixes = norm == "batch" and name != "adain"
    assert torch.allclose(network(sample), alone, atol=1e-12) == network.per_image == (not mixes)


def test_dropout_is_for_training_only() -> None:
    for name, depth in (("unet", {"depth": 6}), ("resnet", {}), ("colour_unet", {})):
        network = small(name, 3, 3, dropout=0.5, **depth)
        sample = images(1, 3, 64, 64)
        assert not torch.equal(network(sample), network(sample))


# An adain has no transposed convolutions to compare with.
@pytest.mark.parametrize("name", [name for name in networks.GENERATORS if name != "adain"])
def test_only_transposed_convolution_draws_a_checkerboard(name: str) -> None:
    """A flat image must come out flat, away from borders: any other frequency in the output is made by the layers."""

    # Deeper, the residual blocks of a colour_unet see the borders from everywhere; narrower, nothing passes its ReLUs.
    shallow = {"colour_unet": {"depth": 2, "width": 8}, "separable_resnet": {"width": 8}}.get(name, {})

    def unevenness(upsampling: str) -> float:
        network = small(name, 3, 3, upsampling=upsampling, norm="none", dropout=0.0, **shallow)
        with torch.no_grad():
            output = network(torch.full((1, 3, 128, 128), 0.3, dtype=torch.float64))[..., 48:80, 48:80]
        spectrum = torch.fft.rfft2(output).abs().square()
        return float((spectrum.sum() - spectrum[..., 0, 0].sum()) / spectrum.sum())

    assert unevenness("resize") < 1e-20
    assert unevenness("transposed") > 1e-4


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 2, 3, 2), (9, 4, 30, 0), (0, 1, 17, 40)])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (4, 5)])
def test_mirror_padding_like_numpy(size: tuple[int, int], pads: tuple[int, int, int, int]) -> None:
    image = images(2, 3, *size)
    left, right, top, bottom = pads
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), mode="reflect")
    assert np.array_equal(mirror_pad(image, pads).numpy(), expected)


def test_mirror_padding_has_a_gradient() -> None:
    image = images(1, 1, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mirror_pad(x, (7, 1, 0, 3)), image)
    assert torch.autograd.gradcheck(lambda x: mirror_pad(x, (1, 2, 1, 0)), image)


def test_per_image_statistics_are_those_of_training_at_batch_size_1() -> None:
    network = small("unet", 3, 3, norm="batch", dropout=0.0)
    sample = images(2, 3, 16, 16)
    with torch.no_grad():
        expected = torch.cat([network.train()(image[None]) for image in sample])
        before = {key: value.clone() for key, value in network.state_dict().items()}
        changed = per_image_statistics(network.eval())
        assert torch.allclose(changed(sample), expected, atol=1e-12)
    assert changed.per_image and not network.per_image
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_batch_norm_alone_is_torchs() -> None:
    ours, theirs = blocks.BatchNorm(3).double(), nn.BatchNorm2d(3).double()
    sample = images(2, 3, 4, 4)
    for training in (True, False):
        assert torch.equal(ours.train(training)(sample), theirs.train(training)(sample))
    assert torch.equal(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("kind", INITIALISATIONS)
def test_initial_weights(kind: str) -> None:
    network = networks.build("resnet", {"in_channels": 3, "out_channels": 3, "width": 16, "norm": "batch"})
    initialise(network, kind, 0.02, torch.Generator().manual_seed(0))
    network.requires_grad_(False)
    conv = network.blocks[0].conv1.conv
    fan = conv.weight[0].numel()
    deviation = {
        "normal": 0.02,
        "xavier": 0.02 * fan**-0.5,
        "kaiming": (2 / fan) ** 0.5,
        "orthogonal": 0.02 * fan**-0.5,
    }
    assert float(conv.weight.std()) == pytest.approx(deviation[kind], rel=0.02)
    assert network.head.conv.bias.abs().max() == 0
    norms = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert float(norms.mean()) == pytest.approx(1, abs=0.005) and float(norms.std()) == pytest.approx(0.02, rel=0.2)

    again = networks.build("resnet", network.arguments)
    initialise(again, kind, 0.02, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("unett", {}, "Did you mean 'unet'"),
        ("unet", {"in_channels": 3, "out_channels": 3, "dept": 3}, "Did you mean 'depth'"),
        ("unet", {"in_channels": 3}, "out_channels"),
        ("unet", {"in_channels": 3, "out_channels": 3, "depth": 1}, "depth is 1"),
        ("unet", {"in_channels": 3, "out_channels": 3, "norm": "bath"}, "Did you mean 'batch'"),
        ("resnet", {"in_channels": 3, "out_channels": 3, "upsampling": "resiz"}, "Did you mean 'resize'"),
        ("resnet", {"in_channels": 3, "out_channels": 3, "padding": "reflec"}, "Did you mean 'reflect'"),
        ("resnet", {"in_channels": 3, "out_channels": 3, "blocks": -1}, "blocks is -1"),
        ("patchgan", {"in_channels": 0}, "in_channels is 0"),
        (
            "colour_unet",
            {"in_channels": 1, "out_channels": 2, "head": "classificatio"},
            "Did you mean 'classification'",
        ),
        ("colour_unet", {"in_channels": 1, "out_channels": 3, "head": "classification"}, "2 channels, not 3"),
        ("colour_unet", {"in_channels": 1, "out_channels": 2, "temperature": 0}, "temperature is 0"),
        ("colour_unet", {"in_channels": 1, "out_channels": 2, "encoder": "resnet19"}, "Did you mean 'resnet18'"),
        ("colour_unet", {"in_channels": 1, "out_channels": 2, "encoder": "resnet18", "depth": 6}, "it is 2 to 5"),
        ("colour_unet", {"in_channels": 1, "out_channels": 2, "depth": 1}, "depth is 1; .* it is 2 to 12"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        networks.build(name, arguments)


def test_unknown_initialisation_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'kaiming'"):
        initialise(nn.Conv2d(1, 1, 1), "kaimin")
