"""Contract of every network that judges whole images, and what each promises on its own."""

import copy
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate import networks
from translate.errors import ConfigError
from translate.networks import conditions, residual
from translate.networks.init import initialise

SIZES = (16, 28, 30, 31, 32, 64, 100)
POINTS = ("mlp_discriminator", "mlp_autoencoder")
ENERGIES = ("autoencoder", "mlp_autoencoder")
NORMS = dict.fromkeys(("dcgan_discriminator", "course28_discriminator", "autoencoder"), conditions.NORMS)
"""Those of the others are none alone."""

CASES = [
    (name, norm, conditioning)
    for name in networks.CRITICS
    for norm in NORMS.get(name, ("none",))
    for conditioning in ("none", "concat", *([] if name in ENERGIES else ["projection", "acgan"]))
]


def small(name: str, norm: str = "none", conditioning: str = "none", **arguments: Any) -> nn.Module:
    """In double precision, of width 2, for 28 pixels or points, with 3 classes if conditioned."""
    torch.manual_seed(0)
    own: dict[str, Any] = {"in_channels": 2, "size": 1 if name in POINTS else 28, "width": 16 if name in POINTS else 2}
    if name == "course32_discriminator":
        own |= {"dropout": 0.0, "width": 4}
    if conditioning != "none":
        own |= {"classes": 3, "conditioning": conditioning}
    network = networks.build(name, own | {"norm": norm} | arguments).double()
    initialise(network, "kaiming")
    for block in network.modules():
        if isinstance(block, residual.Block):  # begins as the identity, which leaves the rest of it without gradient
            nn.init.normal_(block.conv3.weight, 0, 0.5)
    return network


def inputs(network: nn.Module, count: int) -> tuple[Tensor, Tensor | None]:
    shape = (count, network.in_channels, network.size, network.size)
    images = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return images, torch.arange(count) % network.classes if network.classes else None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_a_logit_an_image(name: str, norm: str, conditioning: str, channels: int) -> None:
    for size in (1,) if name in POINTS else SIZES:
        network = small(name, norm, conditioning, in_channels=channels, size=size)
        images, labels = inputs(network, 3)
        with torch.no_grad():
            answers = network.eval().heads(images, labels)
            assert answers["logits"].shape == (3,) and answers["logits"].isfinite().all()
            assert torch.equal(network(images, labels), answers["logits"])
        assert set(answers) == {"logits", "classes"} if conditioning == "acgan" else {"logits"}
        assert answers.get("classes", torch.empty(3, 3)).shape == (3, 3)
        assert (network.size, network.in_channels) == (size, channels)
        assert network.energy == (name in ENERGIES) and not (network.energy and answers["logits"].min() < 0)


@pytest.mark.parametrize(("categories", "continuous"), [(4, 0), (0, 2), (4, 2)])
@pytest.mark.parametrize("name", [name for name in networks.CRITICS if name not in ENERGIES])
def test_codes_are_found_by_a_head_of_its_own(name: str, categories: int, continuous: int) -> None:
    network = small(name, categories=categories, continuous=continuous)
    images, _ = inputs(network, 3)
    answers = network.heads(images)
    shapes = {"categories": (3, categories), "codes": (3, continuous)}
    expected = {key: shape for key, shape in shapes.items() if shape[1]}
    assert {key: value.shape for key, value in answers.items()} == {"logits": (3,), **expected}
    answers["logits"].sum().backward(retain_graph=True)
    assert all(parameter.grad is None for parameter in network.code_head.parameters())
    sum(answers[key].square().sum() for key in expected).backward()
    assert all(parameter.grad is not None for parameter in network.code_head.parameters())
    assert small(name).code_head is None


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_gradients_reach_every_parameter(name: str, norm: str, conditioning: str) -> None:
    codes = {} if name in ENERGIES else {"categories": 2, "continuous": 2}
    network = small(name, norm, conditioning, **codes)
    answers = network.heads(*inputs(network, 3))
    sum(answer.square().sum() for answer in answers.values()).backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        if parameter.dim() > 1:
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", networks.CRITICS)
def test_a_penalty_of_gradients_has_gradients(name: str) -> None:
    network = small(name, **({"power": 2} if name in ENERGIES else {}))
    images, _ = inputs(network, 2)
    (gradient,) = torch.autograd.grad(network(images.requires_grad_()).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert any(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "norm", "conditioning"), [case for case in CASES if case[2] in ("concat", "projection")]
)
def test_labels_decide(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning).eval()
    images = inputs(network, 1)[0].expand(3, -1, -1, -1)
    first, second, third = network(images, torch.arange(3)).tolist()
    assert len({round(value, 9) for value in (first, second, third)}) == 3
    assert network(images, torch.full((3,), 1)).tolist() == pytest.approx([second] * 3)
    with pytest.raises(ConfigError, match="3 classes and needs a label"):
        network(images)


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_one_image_alone(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning).train()
    answers = network.heads(*inputs(network, 1))
    sum(answer.sum() for answer in answers.values()).backward()
    assert all(answer.isfinite().all() for answer in answers.values())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)
    assert all(value.isfinite().all() for value in network.state_dict().values())


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_arguments_make_the_same_network(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning).eval()
    assert networks.name_of(network) == name
    again = networks.build(name, json.loads(json.dumps(network.arguments))).double().eval()
    assert again.arguments == network.arguments
    again.load_state_dict(network.state_dict())
    given = inputs(network, 3)
    for other in (again, copy.deepcopy(network)):
        assert torch.equal(network(*given), other(*given))


@pytest.mark.parametrize("size", [16, 28, 32])
@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_per_image_is_true_of_the_batch(name: str, norm: str, conditioning: str, size: int) -> None:
    network = small(name, norm, conditioning, size=1 if name in POINTS else size)
    images, labels = inputs(network, 3)
    images = images * torch.tensor([0.1, 1, 2]).view(3, 1, 1, 1)
    alone = [network(images[i : i + 1], None if labels is None else labels[i : i + 1]) for i in range(3)]
    assert torch.allclose(network(images, labels), torch.cat(alone), atol=1e-10) == network.per_image
    assert network.per_image == (norm != "batch")


@pytest.mark.parametrize("size", range(16, 40))
@pytest.mark.parametrize("name", sorted(NORMS))
def test_no_instance_norm_of_one_pixel(name: str, size: int) -> None:
    """It would be 0 whatever the image, and torch raises: so it is enough that every size is judged."""
    network = small(name, "instance", size=size)
    assert network.train()(inputs(network, 1)[0]).isfinite().all()


def test_every_pixel_is_seen() -> None:
    for name in networks.CRITICS:
        for size in (1,) if name in POINTS else (16, 29, 47):
            if (name, size) in (("course32_discriminator", 47), ("course32_discriminator", 29)):
                continue  # unpadded, its last line may fall off, as in the book
            network = small(name, size=size, width=8)
            images, _ = inputs(network, 1)
            network(images.requires_grad_()).sum().backward()
            assert (images.grad.abs().sum(dim=1) > 0).all(), (name, size)


def count(name: str, **arguments: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in networks.build(name, arguments).parameters())


def test_weights_of_the_presets() -> None:
    maps = [3 * 64 * 16, 64 * 128 * 16, 128 * 256 * 16, 256 * 512 * 16, 512 * 16]
    dcgan = sum(maps) + 2 * (128 + 256 + 512)
    assert count("dcgan_discriminator", in_channels=3, size=64) == dcgan == 2_765_568

    course28 = (9 + 1) * 64 + (64 * 9 + 1) * 64 + 2 * 2 * 64 + (7 * 7 * 64 + 1)
    assert count("course28_discriminator", in_channels=1, size=28) == course28 == 40_961

    course32 = (3 * 9 + 1) * 128 + 3 * (128 * 16 + 1) * 128 + (2 * 2 * 128 + 1)  # 32, 30, 14, 6, 2 pixels
    assert count("course32_discriminator", in_channels=3, size=32) == course32 == 790_913

    def block(wide: int) -> int:
        return (wide + 1) * 2 * wide + (16 * 9 + 1) * 2 * wide + 2 * wide * wide

    widths = (512, 512, 256, 128, 64)
    transitions = 512 * 256 + 256 * 128 + 128 * 64
    own = (3 + 1) * 64 + sum(map(block, widths)) + transitions + 512 * 16 + 513
    assert count("residual_discriminator", in_channels=3, size=64) == own == 3_052_033

    assert count("mlp_discriminator") == (2 + 1) * 128 + 2 * (128 + 1) * 128 + (128 + 1)


@pytest.mark.parametrize("name", ENERGIES)
@pytest.mark.parametrize(("power", "expected"), [(1, (0.5 + 0.25) / 2), (2, (0.25 + 0.0625) / 2)])
def test_energy_by_hand(name: str, power: int, expected: float) -> None:
    network = small(name, power=power)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    # Without weights all that is reconstructed is 0: what is left is the image itself.
    images = torch.tensor([0.5, -0.25], dtype=torch.float64).view(1, 2, 1, 1).expand(3, 2, network.size, network.size)
    assert network.reconstruct(images).abs().max() == 0
    assert network(images).tolist() == pytest.approx([expected] * 3)
    assert network.heads(images)["logits"].tolist() == pytest.approx([expected] * 3)


@pytest.mark.parametrize("name", ENERGIES)
def test_reconstruction_passes_the_bottleneck(name: str) -> None:
    network = small(name, conditioning="concat", latent=3)
    images, labels = inputs(network, 2)
    assert network.encode(images, labels).shape == (2, 3)
    made = network.reconstruct(images, labels)
    assert made.shape == images.shape
    expected = (images - made).abs().flatten(1).mean(1)
    assert torch.allclose(network(images, labels), expected)


def test_projection_by_hand() -> None:
    plain = small("dcgan_discriminator")
    network = small("dcgan_discriminator", conditioning="projection")
    network.load_state_dict(network.state_dict() | plain.state_dict())
    images, labels = inputs(network, 3)
    features = F.leaky_relu(plain.convs[0](F.leaky_relu(plain.stem(images), 0.2)), 0.2)
    asked = torch.einsum("nf,nf->n", network.head.projection.weight[labels], features.flatten(1))
    assert torch.allclose(network(images, labels) - plain(images), asked)


def test_dropout_is_for_training_only() -> None:
    network = small("course32_discriminator", size=64, width=16, dropout=0.4)
    images, _ = inputs(network, 2)
    assert not torch.equal(network(images), network(images))
    assert torch.equal(network.eval()(images), network(images))
    assert networks.build("course32_discriminator", {"in_channels": 3, "size": 32}).dropout.p == 0.4


def test_residual_blocks_begin_as_the_identity() -> None:
    network = networks.build("residual_discriminator", {"in_channels": 3, "size": 16, "width": 4})
    initialise(network, "normal", 1.0)
    features = torch.randn(1, 4, 16, 16)
    assert torch.equal(network.stages[0](features), features)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("dcgan_discriminator", {"size": 8}, "size is 8; it must be 16 to 512"),
        ("mlp_discriminator", {}, "size is 32; it must be 1, a point"),
        ("dcgan_discriminator", {"in_channels": 0}, "in_channels is 0"),
        ("dcgan_discriminator", {"conditioning": "projektion", "classes": 2}, "Did you mean 'projection'"),
        ("dcgan_discriminator", {"classes": 3}, "conditioning \\(concat, projection, acgan\\)"),
        ("dcgan_discriminator", {"categories": -1}, "categories is -1"),
        ("residual_discriminator", {"norm": "instance"}, "norm='instance' will not do. Known: none."),
        ("course32_discriminator", {"dropout": 1.0}, "dropout is 1.0"),
        ("autoencoder", {"conditioning": "acgan", "classes": 2}, "will not do. Known: concat, none."),
        ("autoencoder", {"categories": 4}, "categories is 4; an auto-encoder gives an energy"),
        ("mlp_autoencoder", {"continuous": 1, "size": 1}, "continuous is 1; an auto-encoder gives an energy"),
        ("autoencoder", {"power": 3}, "power is 3"),
        ("autoencoder", {"latent": 0}, "latent is 0"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        networks.build(name, {"in_channels": 3, "size": 32} | arguments)
