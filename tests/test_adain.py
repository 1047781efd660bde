"""AdaIN: the paper's formula, an encoder that is the features it was made of, and styles put in place."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PAINTING
from test_methods import make
from test_style_methods import played, smooth
from test_tiling import CLOSE

from translate import checkpoint, networks
from translate.checkpoint import About
from translate.data.batch import Batch
from translate.errors import CheckpointError, ConfigError
from translate.features import find_features
from translate.features import weights as known_weights
from translate.fit import fit
from translate.images import Picture, read, write
from translate.loading import load
from translate.methods.likeness import read_painting
from translate.networks.adain import EPS, AdaIN, Moments, adapted, moments
from translate.tiling import translate_tiled


def small_adain(strength: float = 1.0) -> AdaIN:
    torch.manual_seed(0)
    network = AdaIN(3, 3, stages=[[4, 4], [6]], strength=strength)
    networks.init.initialise(network, "kaiming")
    return network.eval().requires_grad_(False)


def test_adain_is_the_papers_formula():
    draw = np.random.default_rng(0)
    content, style = draw.normal(1, 2, (2, 3, 5, 7)), draw.normal(-1, 3, (2, 3, 4, 9))
    expected = np.empty_like(content)
    for image in range(2):
        for channel in range(3):
            x, y = content[image, channel], style[image, channel]
            normal = (x - x.mean()) / np.sqrt(x.var() + EPS)
            expected[image, channel] = np.sqrt(y.var() + EPS) * normal + y.mean()
    result = adapted(torch.from_numpy(content), moments(torch.from_numpy(style)))
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(adapted(torch.from_numpy(style), moments(torch.from_numpy(style))), style, atol=1e-12)


def test_a_style_in_place_is_the_one_of_training():
    network = small_adain()
    content, style = smooth(2, 32)[:, :, :24], smooth(1, 20, seed=5)
    own = network.encode(content)[-1]
    expected = network.decode(adapted(own, moments(network.encode(style)[-1])))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert torch.allclose(network.styled([style])(content), expected, atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_strength_and_weights_mix_features():
    one, other, content = smooth(1, 16, 5), smooth(1, 24, 6), smooth(1, 32)
    network = small_adain()
    own = network.encode(content)[-1]
    each = [adapted(own, moments(network.encode(style)[-1])) for style in (one, other)]
    mixed = network.styled([one, other], [1, 3], strength=0.6)
    expected = network.decode(0.4 * own + 0.6 * (0.25 * each[0] + 0.75 * each[1]))
    assert torch.allclose(mixed(content), expected, atol=1e-6)
    assert torch.allclose(network.styled([one], strength=0)(content), network.decode(own), atol=1e-6)
    assert mixed.arguments["strength"] == 0.6 and network.arguments["strength"] == 1


@pytest.mark.parametrize("given", [[1.0], [-1.0, 2.0], [0.0, 0.0]])
def test_weights_that_do_not_fit_the_paintings(given: list[float]):
    with pytest.raises(ConfigError, match="2 paintings need as many weights"):
        small_adain().styled([smooth(1, 16), smooth(1, 16)], given)


def test_a_styled_copy_is_saved_tiled_and_loaded(tmp_path: Path):
    network = small_adain().styled([smooth(1, 16, 5)], strength=0.7)
    pixels = smooth(1, 96)[0, :, :70, :93].permute(1, 2, 0).contiguous().numpy()
    checkpoint.save_model(tmp_path / "m.safetensors", {"AtoB": network}, About("adain", "AtoB", (3, 3), 16))
    whole = load(tmp_path / "m.safetensors", "cpu")(pixels)
    assert whole.shape == pixels.shape
    with torch.no_grad():
        assert np.abs(whole - load(tmp_path / "m.safetensors", "cpu", tile=32)(pixels)).max() < CLOSE
    assert np.abs(whole - translate_tiled(network, pixels, tile=16)).max() < CLOSE


@pytest.mark.parametrize("layer", ["relu1_1", "relu2_1", "relu3_1"])
def test_the_encoder_is_the_features(layer: str):
    method = make("adain", layer=layer)
    given = smooth(2, 32)
    wanted = find_features("random", pooling="max")(given, [layer])[layer]
    assert torch.allclose(method.generator.encode(given)[-1], wanted, atol=1e-5)
    assert method.generator.multiple == 2 ** (int(layer[4]) - 1)


def test_adain_learns():
    given = Batch(smooth(2, 32), smooth(2, 32, 7), ("file",) * 2)
    lines = played("adain", 60, given, features="random", layer="relu2_1", learning_rate=1e-3)
    totals = [line["G/content"] + line["G/style"] for line in lines]
    assert totals[-1] < totals[0] / 2


def test_the_style_of_a_model_file(tmp_path: Path):
    shown = [smooth(1, 16, seed) for seed in range(3)]
    method = make("adain", direction="BtoA")
    method.begin(lambda most: (Batch(image, -image, ("file",)) for image in shown[:most]))
    found = [moments(method.generator.encode(image)[-1]) for image in shown]  # B to A: paintings are A
    for own, each in zip(
        (method.generator.norm.bias, method.generator.norm.weight), zip(*found, strict=True), strict=True
    ):
        assert torch.allclose(own, torch.cat(each).mean(dim=0), atol=1e-6)
    painted = make("adain", style=str(PAINTING))
    before = painted.generator.norm.weight.clone()
    painted.begin(lambda most: (Batch(image, -image, ("file",)) for image in shown[:most]))
    assert torch.equal(before, painted.generator.norm.weight)
    own = moments(painted.generator.encode(read_painting(PAINTING, 16, 1.0))[-1])
    assert torch.allclose(before, own.deviation[0], atol=1e-6)


def test_a_model_file_says_of_how_many_paintings_it_is_the_mean():
    """The smaller of two folders comes round again: each of its paintings counts once."""
    shown = [smooth(1, 16, seed) for seed in (0, 1, 2, 0, 1)]
    method = make("adain")
    method.begin(lambda most: (Batch(smooth(1, 16), image, ("file",)) for image in shown[:most]))
    assert method.described()["origin"].startswith("style: the mean of 3 of the paintings that were trained on;")
    found = [moments(method.generator.encode(image)[-1]).mean for image in shown[:3]]
    assert torch.allclose(method.generator.norm.bias, torch.cat(found).mean(dim=0), atol=1e-6)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_a_fresh_decoder_is_not_saturated_whatever_the_scale_of_its_encoder(scale: float):
    network = small_adain()
    network.encoder[-1][-1].conv.weight.mul_(scale)
    shown = [smooth(1, 16, seed) for seed in range(3)]
    network.scale_decoder(shown)
    made = torch.cat([network.decode(network.encode(image)[-1]).atanh() for image in shown])
    assert made.square().mean().sqrt().item() == pytest.approx(0.5, rel=1e-3)


def test_a_resumed_run_has_the_same_encoder():
    method = make("adain")
    state = method.state_dict()
    state["_extra_state"] = {"key": "another", "about": "vgg19 (other.pth)"}
    with pytest.raises(CheckpointError, match=r"encoder vgg19 \(other\.pth\)"):
        method.load_state_dict(state)


def test_a_resumed_run_has_the_same_painting(tmp_path: Path):
    shutil.copy(PAINTING, tmp_path / "moved.png")
    write(tmp_path / "other.png", Picture(255 - read(PAINTING).pixels))
    state = make("adain", style=str(PAINTING)).state_dict()
    make("adain", style=str(tmp_path / "moved.png")).load_state_dict(state)
    for other in (str(tmp_path / "other.png"), None):
        with pytest.raises(CheckpointError, match="begun with another painting"):
            make("adain", style=other).load_state_dict(state)


def test_encoders_that_will_not_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(known_weights, "place", lambda name: tmp_path / f"{name}.pth")
    with pytest.raises(ConfigError, match=r"--features vgg19 --download` fetches 575 MB.*--set features=FILE"):
        make("adain", features="auto")
    with pytest.raises(ConfigError, match="content and style_loss are both 0"):
        make("adain", content=0, style_loss=0)
    with pytest.raises(ConfigError, match="not patch"):
        make("adain", features="patch")
    with pytest.raises(ConfigError, match="3 channels"):
        make("adain", (1, 3))


@pytest.mark.parametrize(
    ("file", "deepest"),
    [
        ("vgg19_normalised_to_conv3_1_with_decoders.safetensors", "relu3_1"),
        ("vgg19_distilled16x_wct_enc_dec.fp16.safetensors", "relu4_1"),
    ],
)
def test_weights_of_vgg(weights: Path, file: str, deepest: str):
    method = make("adain", features=str(weights / file), layer="auto")
    features = find_features(weights / file, pooling="max")
    given = smooth(1, 32)
    wanted = features(given, [deepest])[deepest]
    assert torch.allclose(method.generator.encode(given)[-1], wanted, rtol=1e-4, atol=1e-3)
    assert deepest in method.notices[0]
    if deepest == "relu3_1":
        with pytest.raises(ConfigError, match="--set layer=relu3_1"):
            make("adain", features=str(weights / file), layer="relu4_1")


def test_a_painting_is_the_style_of_the_finished_model(folders: Path, tmp_path: Path):
    run = fit(
        folders,
        mode="adain",
        out=tmp_path,
        name="run",
        quiet=True,
        steps=2,
        size=16,
        workers=0,
        device="cpu",
        batch_size=2,
        features="random",
        layer="relu2_1",
        style=str(PAINTING),
    )
    network = checkpoint.load_model(run / "model.safetensors").networks["AtoB"]
    assert isinstance(network, AdaIN)
    own = moments(network.encode(read_painting(PAINTING, 16, 1.0))[-1])
    assert torch.allclose(network.norm.weight, own.deviation[0], atol=1e-5)
    assert isinstance(own, Moments)
