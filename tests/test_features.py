"""Features: the taps of torchvision's networks, exact in tiles, with fields of view as gradients show them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from torchvision import models
from torchvision.models.vgg import cfgs, make_layers

from translate import images
from translate.errors import ConfigError
from translate.features import FEATURES, find_features
from translate.features.patch import Patch
from translate.features.random import random_vgg
from translate.features.vgg import BLOCKS, Vgg, places

MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def noise(*shape: int, seed: int = 0, dtype=torch.float64) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * 2 - 1


def narrow(depth: int = 16, width: int = 6) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Convolutions of a narrow VGG-19 by place; all weights positive, so that nothing is cut off by ReLU."""
    found, into = {}, 3
    for seed, place in enumerate(list(places("vgg19"))[:depth]):
        found[place] = noise(width, into, 3, 3, seed=seed).abs() / (into * 4), torch.full((width,), 5.0)
        into = width
    return found


def layout(kind: str) -> dict[str, torch.Tensor]:
    """A narrow VGG in one of the two layouts of files."""
    conv, pre, depth = {"normalised": ("encoder.conv{}", "preproc", 5), "distilled": ("enc5.conv{}", "enc5.conv0", 13)}[
        kind
    ]
    state = {f"{pre}.weight": torch.eye(3).flip(0)[:, :, None, None] * 2, f"{pre}.bias": torch.tensor([0.1, 0.2, 0.3])}
    for place, (weight, bias) in narrow(depth).items():
        name = conv.format(place if kind == "normalised" else place.replace("_", ""))
        state |= {f"{name}.weight": weight.float(), f"{name}.bias": bias.float()}
    if kind == "distilled":  # a shallower encoder and a decoder are not what is taken
        state |= {"enc1.conv0.weight": torch.zeros(3, 3, 1, 1), "dec5.conv51.bias": torch.zeros(6)}
    return {key: value.contiguous() for key, value in state.items()}


def squeezenet_state(positive: bool = False) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state = models.squeezenet1_1(weights=None).state_dict()
    return {key: value.abs() + 0.001 if positive else value for key, value in state.items()}


def made(kind: str, folder: Path, pooling: str = "auto", positive: bool = False):
    """Features of each kind, small, in float64."""
    if kind == "patch":
        return Patch().double()
    if kind == "random":
        return random_vgg(3, pooling=pooling).double()
    if kind == "vgg19":
        eye = torch.eye(3), torch.ones(3)
        return Vgg("vgg19", "", narrow(), entry=eye, mode="replicate", pooling=pooling).double()
    state = squeezenet_state(positive) if kind == "squeezenet" else layout(kind)
    save_file(state, folder / f"{kind}.safetensors")
    return find_features(folder / f"{kind}.safetensors", pooling=pooling).double()


KINDS = ("vgg19", "normalised", "distilled", "squeezenet", "random", "patch")


def test_the_table_and_the_kinds_tested_agree():
    assert set(FEATURES) - set(KINDS) == {"vgg16"}  # as vgg19, but for the number of convolutions
    assert sum(BLOCKS["vgg16"]) == 13
    assert sum(BLOCKS["vgg19"]) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind, tmp_path):
    features = made(kind, tmp_path)
    assert {*features.style_layers, *features.content_layers} <= set(features.layers)
    strides = [features.stride(layer) for layer in features.layers]
    assert strides == sorted(strides)
    assert not features.training and not features.train().training
    least = features.minimum(features.layers)
    assert least == max(features.minimum([layer]) for layer in features.layers)
    x = noise(2, 3, least, least + 1).requires_grad_()
    found = features(x, features.layers)
    assert list(found) == list(features.layers)
    for values in found.values():
        assert values.dtype == torch.float64
        assert min(features.grid(values)) >= 1
        rows, across = features.grid(values)
        columns = features.columns(values, torch.tensor([0, rows * across - 1]))
        assert columns.shape[0] == 2 and columns.shape[2] == 2
    sum(values.square().sum() for values in found.values()).backward()
    assert x.grad.abs().sum() > 0
    assert all(value.grad is None and not value.requires_grad for value in features.state_dict().values())
    with pytest.raises(ValueError, match=rf"need {least} x {least} pixels; these are {least} x {least - 1}"):
        features(x.detach()[:, :, : least - 1, :least], features.layers)
    with pytest.raises(ValueError, match=r"\(N, 3, H, W\) are needed"):
        features(x.detach()[:, :1], features.layers)
    with pytest.raises(ConfigError, match=f"{features.name} has no layer"):
        features(x.detach(), ["relu9_9"])
    with torch.autocast("cpu", torch.bfloat16):
        half = features.float()(x.detach().float(), features.layers)
    for layer, values in found.items():
        assert (half[layer].double() - values).abs().mean() < 0.05 * values.abs().mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_tile_with_reach_is_exact_in_its_core(kind, pooling, tmp_path):
    features = made(kind, tmp_path, pooling)
    deepest = features.layers[-1]
    step = features.stride(deepest)
    margin = -(-features.reach(deepest) // step) * step
    core = 2 * step
    height = core + margin + core + 2 * margin + core + 5  # odd, beyond whole strides
    x = noise(1, 3, height, features.minimum(features.layers) + 3)
    whole = features(x, features.layers)
    inner = core + margin
    for first, last in ((0, core), (inner, inner + core), (height - core - 5, height)):
        first -= first % step
        start, stop = max(0, first - margin), min(height, last + margin)
        tile = features(x[:, :, start:stop], features.layers)
        for layer, values in tile.items():
            stride = features.stride(layer)
            (rows, _), (of_tile, _) = features.grid(whole[layer]), features.grid(values)
            end = rows if last == height else last // stride
            assert end > first // stride or last == height
            ours = values[:, :, (first - start) // stride : end - start // stride]
            assert end - start // stride <= of_tile
            torch.testing.assert_close(ours, whole[layer][:, :, first // stride : end], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "random"])
def test_reach_and_stride_are_what_gradients_show(kind, tmp_path):
    features = made(kind, tmp_path, "average" if kind != "patch" else "auto", positive=True)
    for layer in features.layers[:: 3 if len(features.layers) > 9 else 1]:
        stride, reach = features.stride(layer), features.reach(layer)
        x = noise(1, 3, 2 * reach + 4 * stride, features.minimum([layer])).abs().requires_grad_()
        values = features(x, [layer])[layer]
        rows, across = features.grid(values)
        row = -(-reach // stride)
        assert row + 1 < rows
        seen = []
        for place in (row, row + 1):
            picked = features.columns(values, torch.tensor([place * across])).sum()
            (gradient,) = torch.autograd.grad(picked, x, retain_graph=True)
            touched = gradient.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
            seen.append((int(touched[0]), int(touched[-1])))
        assert max(row * stride - seen[0][0], seen[0][1] - row * stride) == reach
        assert [second - first for first, second in zip(*seen, strict=True)] == [stride, stride]


def test_minimum_by_hand(tmp_path):
    assert made("squeezenet", tmp_path).minimum(["fire9"]) == models.SqueezeNet1_1_Weights.DEFAULT.meta["min_size"][0]
    vgg = made("vgg19", tmp_path)
    assert [vgg.minimum([layer]) for layer in ("relu1_2", "relu2_1", "relu5_1")] == [1, 2, 16]
    # Reflection takes two rows where zeros take one.
    distilled = made("distilled", tmp_path)
    assert [distilled.minimum([layer]) for layer in ("relu1_2", "relu2_1", "relu5_1")] == [2, 4, 32]
    assert Patch().minimum(["1", "8"]) == 49  # six whole cells of 8 and one pixel of the seventh
    assert Patch().minimum([]) == 1


def test_no_deeper_than_asked(tmp_path):
    features = made("vgg19", tmp_path)
    ran = []
    for name, stage in zip(features.names, features.stages, strict=True):
        stage.register_forward_hook(lambda *_, name=name: ran.append(name))
    features(noise(1, 3, 8, 8), ["relu2_1", "relu1_1"])
    assert ran == ["relu1_1", "relu1_2", "", "relu2_1"]
    assert features(noise(1, 3, 8, 8), []) == {}


def theirs(layers: nn.Sequential, x: torch.Tensor, pooling: str) -> list[torch.Tensor]:
    """What torchvision's layers make one by one of images in [-1, 1]."""
    values = ((x + 1) / 2 - MEAN[:, None, None]) / DEVIATION[:, None, None]
    made = []
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d) and pooling == "average":
            layer = nn.AvgPool2d(layer.kernel_size, layer.stride, ceil_mode=layer.ceil_mode, count_include_pad=False)
        for each in layer.modules():
            if isinstance(each, nn.Conv2d):
                each.padding_mode = "replicate"  # the one departure
        values = layer(values)
        made.append(values.clone())
    return made


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("name", ["vgg19", "vgg16"])
def test_vgg_gives_the_taps_of_torchvision(name, pooling, tmp_path):
    torch.manual_seed(0)
    layers = make_layers(cfgs["E" if name == "vgg19" else "D"], batch_norm=False)
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, tmp_path / "mine.pth")
    features = find_features(str(tmp_path / "mine.pth"), pooling=pooling)
    assert (features.name, features.about) == (name, f"{name} (mine.pth, {pooling} pooling)")
    assert features.style_layers == dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"), 1.0)
    assert features.content_layers == {"relu4_2": 1.0}
    x = noise(1, 3, 37, 35, dtype=torch.float32)
    wanted = theirs(layers, x, pooling)
    found = features(x, features.layers)
    assert len(found) == sum(isinstance(layer, nn.Conv2d) for layer in layers)
    relus = [index for index, layer in enumerate(layers) if isinstance(layer, nn.ReLU)]
    for (layer, values), index in zip(found.items(), relus, strict=True):
        torch.testing.assert_close(values, wanted[index], rtol=1e-4, atol=1e-5, msg=layer)


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_squeezenet_gives_the_taps_of_torchvision(pooling, tmp_path):
    network = models.squeezenet1_1(weights=None)
    state = squeezenet_state()
    network.load_state_dict(state)
    save_file(
        {k.removeprefix("features."): v for k, v in state.items() if "classifier" not in k}, tmp_path / "s.safetensors"
    )
    features = find_features(tmp_path / "s.safetensors", pooling=pooling)
    x = noise(1, 3, 54, 61, dtype=torch.float32)
    wanted = theirs(network.features, x, pooling)
    found = features(x, features.layers)
    for (layer, values), index in zip(found.items(), (1, 3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        torch.testing.assert_close(values, wanted[index], rtol=1e-4, atol=3e-5, msg=layer)


@pytest.mark.parametrize("kind", ["normalised", "distilled"])
def test_layouts_of_files_by_hand(kind, tmp_path):
    features = made(kind, tmp_path, "max")
    x = noise(1, 3, 40, 33)
    # The 1 x 1 convolution of `layout`: RGB in [0, 1] to 2 BGR and an offset.
    values = 2 * ((x + 1) / 2).flip(1) + torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    block = "1"
    for place, (weight, bias) in narrow(5 if kind == "normalised" else 13).items():
        if place[0] != block:
            values, block = F.max_pool2d(values, 2), place[0]
        values = np.pad(values.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
        values = F.conv2d(torch.tensor(values), weight.float().double(), bias.double()).relu()
        torch.testing.assert_close(features(x, [f"relu{place}"])[f"relu{place}"], values, rtol=1e-5, atol=1e-5)
    assert features.layers[-1] == f"relu{place}" == {"normalised": "relu3_1", "distilled": "relu5_1"}[kind]


def photographs() -> torch.Tensor:
    folder = Path(__file__).parents[2] / "shared" / "data" / "kodak24"
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder}")
    read = [images.read(path).pixels[100:292, 100:292] for path in sorted(folder.glob("*.png"))[:6]]
    return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2) / 127.5 - 1


def test_real_weights_look_at_photographs_as_vgg_does(weights):
    """One file's filters are scaled to a mean of 1; the other's were taught to be mapped linearly to the same."""
    x = photographs()
    own = find_features(weights / "vgg19_normalised_to_conv3_1_with_decoders.safetensors", pooling="max")
    path = weights / "vgg19_distilled16x_wct_enc_dec.fp16.safetensors"
    distilled, state = find_features(path, pooling="max"), load_file(path)
    found, narrower = own(x, own.layers), distilled(x, own.layers)
    assert all(0.7 < values.mean() < 1.3 for values in found.values())
    for layer, least in (("relu1_1", 0.9), ("relu2_1", 0.75), ("relu3_1", 0.7)):
        lift = f"enc5.conv{layer[4]}1_aux"
        lifted = F.conv2d(narrower[layer], state[f"{lift}.weight"].float(), state[f"{lift}.bias"].float())
        pairs = zip(lifted.transpose(0, 1).flatten(1), found[layer].transpose(0, 1).flatten(1), strict=True)
        alike = [np.corrcoef(one, other)[0, 1] for one, other in pairs if other.std() > 0]
        assert np.median(alike) > least
    squeezenet = find_features(weights / "squeezenet1_1_imagenet.safetensors")
    assert all((values > 0).float().mean() > 0.05 for values in squeezenet(x[:2], squeezenet.layers).values())
