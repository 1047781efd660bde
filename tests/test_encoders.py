"""Pretrained ways down: read from a file, adapted to light, found where torchvision keeps them, never downloaded."""

import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from translate import networks
from translate.errors import CheckpointError, ConfigError
from translate.methods.colorize import Colorize
from translate.networks import encoders
from translate.networks.encoders import cached_weights, load_pretrained

MEAN, DEVIATION = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's, and no way out."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("something is downloaded")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    monkeypatch.setattr(torch.hub, "urlopen", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def resnet() -> nn.Module:
    """A resnet18 as torchvision has it, with weights and statistics that show where they come from."""
    return stand_in("resnet18")


def stand_in(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = models.get_model(name, weights=None)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight.data, layer.running_var):
                values.uniform_(0.5, 1.5)
            for values in (layer.bias.data, layer.running_mean):
                values.normal_(0, 0.1)
    return network.eval()


def saved(network: nn.Module, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path)
    return path


def colour_unet(name: str = "resnet18", in_channels: int = 4, **arguments: Any) -> Any:
    torch.manual_seed(1)
    network = networks.build(
        "colour_unet", {"in_channels": in_channels, "out_channels": 2, "encoder": name, **arguments}
    )
    return network.eval()


def light(side: int = 64) -> Tensor:
    """What the network sees of a grey picture, in [-1, 1]."""
    return torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(2)) * 2 - 1


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 4])
def test_the_first_convolution_answers_light_as_the_rgb_network_answers_grey(
    resnet: Any, tmp_path: Path, channels: int
):
    """But for a constant, which is what black becomes: a norm follows, which takes it away."""
    network = colour_unet(in_channels=channels)
    load_pretrained(network.downs, saved(resnet, tmp_path / "weights.pth"))
    grey = light()

    def rgb(values: Tensor) -> Tensor:
        return resnet.conv1(((values + 1) / 2 - MEAN) / DEVIATION)

    wanted = rgb(grey.expand(-1, 3, -1, -1)) - rgb(torch.zeros(2, 3, 64, 64))
    hints = torch.rand(2, channels - 1, 64, 64)  # which nothing was learned of yet
    assert torch.allclose(network.downs[0][0](torch.cat([grey, hints], dim=1)), wanted, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_every_further_level_is_the_file_s(name: str, tmp_path: Path):
    theirs: Any = stand_in(name)
    network = colour_unet(name)
    load_pretrained(network.downs, saved(theirs, tmp_path / "weights.pth"))
    values = network.downs[0](torch.cat([light(), torch.zeros(2, 3, 64, 64)], dim=1))
    wanted = theirs.maxpool(values)
    layers = (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4)
    for down, layer in zip(network.downs[1:], layers, strict=True):
        values, wanted = down(values), layer(wanted)
        assert torch.equal(values, wanted)
    bn = network.downs[0][1].state_dict()
    assert all(torch.equal(bn[key], value) for key, value in theirs.bn1.state_dict().items())


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("depth", [2, 5])
def test_safetensors_shallower_networks_and_other_norms(resnet: Any, tmp_path: Path, depth: int, norm: str):
    save_file(resnet.state_dict(), tmp_path / "weights.safetensors")
    network = colour_unet(depth=depth, norm=norm)
    load_pretrained(network.downs, tmp_path / "weights.safetensors")
    assert torch.equal(network.downs[1][1][0].conv2.weight, resnet.layer1[0].conv2.weight)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("resnet18", "resnet34"), ("resnet34", "resnet18"), ("resnet18", "resnet50"), ("resnet18", "alexnet")],
)
def test_another_network_is_refused(ours: str, theirs: str, tmp_path: Path):
    with torch.random.fork_rng():
        path = saved(models.get_model(theirs, weights=None), tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other.pth holds another network: "):
        load_pretrained(colour_unet(ours).downs, path)


def test_a_file_that_is_none_is_refused(tmp_path: Path):
    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "damaged.safetensors").write_bytes(b"no")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": {}}, tmp_path / "nested.pth")
    for name in ("damaged.pth", "damaged.safetensors", "list.pth", "nested.pth", "absent.pth"):
        with pytest.raises(CheckpointError, match=f"Cannot read the encoder's weights .*{name}"):
            load_pretrained(colour_unet().downs, tmp_path / name)


def method(**values: Any) -> Colorize:
    given = {"encoder": "resnet18", "layers": 1, "width_d": 2, **values}
    return Colorize(Colorize.settings.checked(given), (3, 3), 32, "AtoB")


def test_what_torchvision_keeps_is_found_and_said(resnet: Any, offline: Path):
    assert cached_weights("own") is None and cached_weights("resnet18") is None
    assert method().notices == (
        "No pretrained weights of resnet18 are at hand: its encoder is trained from scratch. "
        "--set encoder_weights=FILE names them.",
    )
    path = saved(resnet, offline / models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2])
    assert cached_weights("resnet18") == path
    assert cached_weights("resnet34") is None
    begun = method()
    assert begun.notices == (f"The encoder begins with {path}.",)
    downs: Any = begun.generator.downs
    assert torch.equal(downs[1][1][0].conv1.weight, resnet.layer1[0].conv1.weight)


def test_a_file_that_is_named_comes_before_what_is_kept(resnet: Any, offline: Path, tmp_path: Path):
    saved(stand_in("resnet34"), offline / models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2])
    path = saved(resnet, tmp_path / "mine.pth")
    assert method(encoder_weights=path, head="regression").notices == (f"The encoder begins with {path}.",)
    with pytest.raises(CheckpointError, match="Cannot read the encoder's weights"):
        method(encoder_weights=tmp_path / "absent.pth")


def test_unknown_encoders_and_depths_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'resnet34'"):
        encoders.make_encoder("resnet43", 1, 2, 3, "batch")
    with pytest.raises(ConfigError, match="with encoder resnet18 it is 2 to 5"):
        method(depth=6)
    assert cached_weights("own") is None
