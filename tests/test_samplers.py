"""Contract of every network that makes images from noise, and what each promises on its own."""

import copy
import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate import distributed, networks
from translate.errors import ConfigError
from translate.networks import conditions, residual
from translate.networks.blocks import BatchNorm, BatchNormOfUnits, per_image_statistics
from translate.networks.init import initialise
from translate.networks.samplers import grid, middle

SIZES = (16, 28, 30, 32, 64, 100)
NORMS = {"dcgan_generator": conditions.NORMS, "course28_generator": conditions.NORMS}
"""Those of the others are none alone."""

CASES = [
    (name, norm, conditioning)
    for name in networks.SAMPLERS
    for norm in NORMS.get(name, ("none",))
    for conditioning in ("none", "concat", *(["batchnorm"] if norm != "none" else []))
]


def small(name: str, norm: str = "none", conditioning: str = "none", **arguments: Any) -> nn.Module:
    """In double precision, of width 2, for 28 pixels or points, with 3 classes if conditioned."""
    torch.manual_seed(0)
    own: dict[str, Any] = {"out_channels": 2, "size": 1 if name.startswith("mlp") else 28, "latent": 5, "width": 2}
    if name.startswith("mlp"):
        own["width"] = 16
    if conditioning != "none":
        own |= {"classes": 3, "conditioning": conditioning}
    network = networks.build(name, own | {"norm": norm} | arguments).double()
    initialise(network, "kaiming")
    return wakened(network)


def wakened(network: nn.Module) -> nn.Module:
    """With the last layers of its blocks drawn, too, which begin as 0 and leave the rest without gradient."""
    for block in network.modules():
        if isinstance(block, residual.Block):
            nn.init.normal_(block.conv3.weight, 0, 0.5)
    return network


def noise(count: int, width: int = 5) -> Tensor:
    return torch.randn(count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def inputs(network: nn.Module, count: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
    labels = torch.arange(count) % network.classes if network.classes else None
    codes = noise(count, network.continuous).tanh() if network.continuous else None
    return noise(count, network.latent), labels, codes


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_images_of_every_size(name: str, norm: str, conditioning: str, channels: int) -> None:
    for size in (1,) if name.startswith("mlp") else SIZES:
        network = small(name, norm, conditioning, out_channels=channels, size=size)
        images = network(*inputs(network, 3))
        assert images.shape == (3, channels, size, size)
        assert images.isfinite().all() and images.dtype == torch.float64
        assert name == "mlp_generator" or images.abs().max() <= 1
        assert (network.size, network.out_channels, network.latent) == (size, channels, 5)


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_gradients_reach_every_parameter(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning, continuous=2)
    network(*inputs(network, 3)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        if parameter.dim() > 1:
            assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize(("name", "norm", "conditioning"), [case for case in CASES if case[2] != "none"])
def test_labels_decide(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning, continuous=1).eval()
    z = noise(1).expand(3, -1)
    codes = torch.zeros(3, 1, dtype=z.dtype)
    first, second, third = network(z, torch.arange(3), codes)
    assert not torch.allclose(first, second) and not torch.allclose(second, third)
    same = network(z, torch.full((3,), 2), codes)
    assert torch.allclose(same, third.expand_as(same), atol=1e-12)
    assert not torch.allclose(network(z, torch.arange(3), codes + 1)[0], first), "and so do codes"
    with pytest.raises(ConfigError, match="3 classes and needs a label"):
        network(z, None, codes)
    with pytest.raises(ConfigError, match="1 codes and needs them"):
        network(z, torch.arange(3))


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_one_image_alone(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning).train()
    images = network(*inputs(network, 1))
    assert images.isfinite().all()
    images.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)
    assert all(value.isfinite().all() for value in network.state_dict().values())


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_arguments_make_the_same_network(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning, continuous=2).eval()
    assert networks.name_of(network) == name
    again = networks.build(name, json.loads(json.dumps(network.arguments))).double().eval()
    assert again.arguments == network.arguments
    again.load_state_dict(network.state_dict())
    given = inputs(network, 3)
    for other in (again, copy.deepcopy(network)):
        assert torch.equal(network(*given), other(*given))


@pytest.mark.parametrize(("name", "norm", "conditioning"), CASES)
def test_per_image_is_true_of_the_batch(name: str, norm: str, conditioning: str) -> None:
    network = small(name, norm, conditioning)
    z, labels, _ = inputs(network, 3)
    alone = [network(z[i : i + 1], None if labels is None else labels[i : i + 1]) for i in range(3)]
    assert torch.allclose(network(z, labels), torch.cat(alone), atol=1e-10) == network.per_image == (norm != "batch")


def count(name: str, **arguments: Any) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in networks.build(name, arguments).parameters())


def test_weights_of_the_presets() -> None:
    maps = [100 * 512 * 16, 512 * 256 * 16, 256 * 128 * 16, 128 * 64 * 16, 64 * 3 * 16]
    dcgan = sum(maps) + 2 * (512 + 256 + 128 + 64)
    assert count("dcgan_generator", out_channels=3, size=64) == dcgan == 3_576_704

    units = 7 * 7 * 64
    course28 = (100 + 1) * units + 2 * units + 2 * ((64 * 9 + 1) * 64 + 2 * 64) + (64 * 9 + 1)
    assert count("course28_generator", out_channels=1, size=28) == course28 == 397_697

    dense = (32 + 1) * 16 * 16 * 128
    convs = (128 * 25 + 1) * 256 + (256 * 16 + 1) * 256 + 2 * (256 * 25 + 1) * 256 + (256 * 49 + 1) * 3
    assert count("course32_generator", out_channels=3, size=32) == dense + convs == 6_264_579

    # A block: wide to twice as many, 16 of them seen by each 3x3, and back; biases but in the last.
    def block(wide: int) -> int:
        return (wide + 1) * 2 * wide + (16 * 9 + 1) * 2 * wide + 2 * wide * wide

    widths = (512, 512, 256, 128, 64)
    transitions = 512 * 256 + 256 * 128 + 128 * 64
    own = 512 * 16 + 100 * 512 + sum(map(block, widths)) + transitions + (64 + 1) * 3
    assert count("residual_generator", out_channels=3, size=64) == own == 3_102_659

    assert count("mlp_generator") == (100 + 1) * 128 + 2 * (128 + 1) * 128 + (128 + 1) * 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [(16, (4, 2)), (28, (7, 2)), (29, (4, 3)), (30, (4, 3)), (32, (4, 3)), (64, (4, 4)), (100, (7, 4)), (512, (4, 7))],
)
def test_grid(size: int, expected: tuple[int, int]) -> None:
    assert grid(size) == expected


def test_grid_covers_every_size() -> None:
    for size in conditions.SIZES:
        start, doublings = grid(size)
        assert 4 <= start <= 7 and 0 <= start * 2**doublings - size < 2**doublings


def test_odd_sizes_are_the_middle() -> None:
    images = torch.arange(36).view(1, 1, 6, 6)
    assert middle(images, 3)[0, 0].tolist() == [[7, 8, 9], [13, 14, 15], [19, 20, 21]]
    large = small("dcgan_generator", size=32)
    cut = networks.build("dcgan_generator", large.arguments | {"size": 30}).double()
    cut.load_state_dict(large.state_dict())
    assert torch.equal(cut(noise(2)), large(noise(2))[..., 1:31, 1:31])


def test_conditional_norm_by_hand() -> None:
    norm = conditions.norm_layer("batch", 1, classes=2)
    chosen = {"scale": torch.tensor([[1.0], [10.0]]), "shift": torch.tensor([[0.0], [5.0]])}
    norm.load_state_dict(norm.state_dict() | chosen)
    values = torch.tensor([[-3.0, 3.0], [-3.0, 3.0]]).view(2, 1, 1, 2)  # mean 0, deviation 3
    found = conditions.normalised(norm, values, torch.tensor([0, 1]))
    assert found.flatten().tolist() == pytest.approx([-1, 1, -5, 15], abs=1e-4)
    assert conditions.norm_layer("instance", 1, classes=2)(values, torch.tensor([1, 1])).flatten().tolist() == (
        pytest.approx([-1, 1, -1, 1], abs=1e-4)
    ), "at first, classes are alike"


@pytest.mark.parametrize(("layer", "shape"), [(BatchNorm(2), (1, 2, 1, 1)), (BatchNormOfUnits(2), (1, 2))])
def test_one_value_a_channel_is_normalised_by_the_running_statistics(layer: nn.Module, shape: tuple[int, ...]) -> None:
    layer.running_mean.copy_(torch.tensor([1.0, 2.0]))
    layer.running_var.copy_(torch.tensor([4.0, 9.0]))
    before = copy.deepcopy(layer.state_dict())
    found = layer.train()(torch.tensor([5.0, 5.0]).view(shape))
    assert found.flatten().tolist() == pytest.approx([2, 1], abs=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


def test_batch_norm_of_units_is_torchs() -> None:
    ours, theirs = BatchNormOfUnits(3).double(), nn.BatchNorm1d(3).double()
    for training in (True, False):
        assert torch.equal(ours.train(training)(noise(4, 3)), theirs.train(training)(noise(4, 3)))
    assert torch.equal(ours.running_var, theirs.running_var)


@pytest.mark.parametrize("affine", [True, False])
def test_units_are_normalised_over_all_processes(monkeypatch: pytest.MonkeyPatch, affine: bool) -> None:
    """Two processes of 1 and 3 vectors, played one after the other, are as one of 4."""
    alone = BatchNormOfUnits(3, affine=affine).double()
    initialise(alone, gain=0.5)
    together = copy.deepcopy(alone)
    expected = alone(noise(4, 3))
    sent: list[Tensor] = []
    shares = noise(4, 3).split([1, 3])
    monkeypatch.setattr(distributed, "world", lambda: 2)
    for exchanged in (lambda rows: sent.append(rows) or rows, lambda rows: sent[0] + sent[1]):
        found = []
        for rank, share in enumerate(shares):
            monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
            monkeypatch.setattr(distributed, "sum_over_processes", exchanged)
            process = copy.deepcopy(together)
            found.append(process(share))
    assert torch.allclose(torch.cat(found), expected, atol=1e-12)
    assert torch.allclose(process.running_mean, alone.running_mean)
    assert torch.allclose(process.running_var, alone.running_var)


def test_statistics_of_each_image_under_conditional_norm() -> None:
    network = small("dcgan_generator", "batch", "batchnorm")
    z, labels, _ = inputs(network, 1)
    with torch.no_grad():
        expected = network.train()(z, labels)
        assert torch.allclose(per_image_statistics(network.eval())(z, labels), expected, atol=1e-12)


def test_initial_weights() -> None:
    arguments = {"out_channels": 1, "size": 28, "classes": 9, "conditioning": "batchnorm"}
    network = networks.build("course28_generator", arguments)
    initialise(network, "normal", 0.02, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert float(network.dense.weight.std()) == pytest.approx(0.02, rel=0.02)
        assert float(network.dense_norm.scale.mean()) == pytest.approx(1, abs=0.001)
        assert float(network.dense_norm.scale.std()) == pytest.approx(0.02, rel=0.05)
        assert network.dense_norm.shift.abs().max() == 0 and network.dense.bias.abs().max() == 0


def test_a_residual_network_draws_its_own_weights() -> None:
    arguments = {"out_channels": 3, "size": 64, "blocks": 2}
    first, second = (networks.build("residual_generator", arguments) for _ in range(2))
    initialise(first, "normal", 1e-9, torch.Generator().manual_seed(0))
    initialise(second, "xavier", 5, torch.Generator().manual_seed(0))
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    with torch.no_grad():
        block = first.stages[0][0]
        # He's deviation for LeakyReLU(0.2), by 10 blocks ** -1/4 (m = 3 layers).
        for conv in (block.conv1, block.conv2):
            expected = (2 / 1.04 / conv.weight[0].numel()) ** 0.5 * 10**-0.25
            assert float(conv.weight.std()) == pytest.approx(expected, rel=0.01)
        assert block.conv3.weight.abs().max() == 0
        images = torch.randn(2, 512, 4, 4)
        assert torch.equal(first.stages[0](images), images), "blocks begin as the identity"
        assert float(first.basis.std()) == pytest.approx(1, rel=0.05)
        assert float(first.modulation.weight.std()) == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("dcgan_generator", {"size": 15}, "size is 15; it must be 16 to 512"),
        ("dcgan_generator", {"size": 513}, "size is 513"),
        ("mlp_generator", {"size": 16}, "size is 16; it must be 1, a point"),
        ("dcgan_generator", {"latent": 0}, "latent is 0"),
        ("dcgan_generator", {"width": 0}, "width is 0"),
        ("dcgan_generator", {"norm": "bach"}, "Did you mean 'batch'"),
        ("dcgan_generator", {"conditioning": "conca"}, "Did you mean 'concat'"),
        ("dcgan_generator", {"continuous": -1}, "continuous is -1"),
        ("dcgan_generator", {"classes": 3}, "classes is 3 and conditioning none"),
        ("dcgan_generator", {"conditioning": "concat"}, "classes is 0 and conditioning concat"),
        ("dcgan_generator", {"classes": 3, "conditioning": "batchnorm", "norm": "none"}, "has no norm to work with"),
        ("residual_generator", {"norm": "batch"}, "norm='batch' will not do. Known: none."),
        ("residual_generator", {"classes": 3, "conditioning": "batchnorm"}, "will not do. Known: concat, none"),
        ("residual_generator", {"blocks": 0}, "blocks is 0"),
        ("dcgan_generato", {}, "Did you mean 'dcgan_generator'"),
    ],
)
def test_what_cannot_be_built_is_named(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        networks.build(name, {"out_channels": 3, "size": 32} | arguments)


def test_every_network_has_a_name_of_its_own() -> None:
    tables = (networks.GENERATORS, networks.DISCRIMINATORS, networks.SAMPLERS, networks.CRITICS)
    assert len(networks.NETWORKS) == sum(map(len, tables)) == len(set(networks.NETWORKS.values()))
