"""translate stylize --model: a network of mode adain paints, and says so; other models say what runs them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_cli import call  # noqa: F401 (a fixture)
from test_cli_stylize import painting, photos  # noqa: F401 (fixtures)
from test_stylize_folder import noise, put

from translate import images
from translate.checkpoint import About, load_model, save_model
from translate.config import StylingSettings
from translate.images import Picture, read
from translate.networks.adain import AdaIN
from translate.stylize.feeding import feed_forward


def test_a_model_that_takes_no_paintings_says_what_runs_it(
    call: Any,  # noqa: F811
    photos: Path,  # noqa: F811
    painting: Path,  # noqa: F811
    folders: Path,
    tmp_path: Path,
):
    from test_fit import train

    run = train(folders, "cycle", tmp_path, steps=1)
    (tmp_path / "model.onnx").write_bytes(b"exported")
    for model, said in ((run, "is for mode adain"), (tmp_path / "model.onnx", "is exported, and its style is fixed")):
        code, text = call("stylize", photos, painting, "--out", tmp_path / "out", "--model", model, "--device", "cpu")
        assert code == 2 and f"`translate convert {model} CONTENT OUT` runs it" in text and said in text, text


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network of mode adain, of random weights."""
    torch.manual_seed(0)
    network = AdaIN(3, 3, stages=[[4], [8]])
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, {"AtoB": network}, About(mode="adain", direction="AtoB", channels=(3, 3), size=20))
    return path


def test_a_network_paints_in_the_manner_of_the_paintings(
    call: Any,  # noqa: F811
    photos: Path,  # noqa: F811
    painting: Path,  # noqa: F811
    model: Path,
    tmp_path: Path,
):
    other = put(tmp_path / "other.png", Picture(np.full((30, 50, 3), 40, np.uint8)))
    words = ["stylize", photos, painting, other, "--model", model, "--device", "cpu", "--style-scale", 2]
    code, text = call(*words, "--out", tmp_path / "out", "--style-weight", 3, "--style-weight", 1)
    assert code == 0 and "2 painted" in text, text
    network = load_model(model).networks["AtoB"]
    assert isinstance(network, AdaIN)
    shown = [images.to_tensor(read(painting).pixels)[None], torch.full((1, 3, 24, 40), 40 / 127.5 - 1)]
    wanted = network.styled(shown, (3, 1))(images.to_tensor(noise(24, 32))[None])
    found = images.to_tensor(read(tmp_path / "out" / "a.png").pixels)[None]
    assert (found - wanted).abs().max() < 1.01 / 127.5
    assert "2 there already" in call(*words, "--out", tmp_path / "out", "--style-weight", 3, "--style-weight", 1)[1]
    assert "2 painted" in call(*words, "--out", tmp_path / "out", "--strength", 0.5)[1]
    by = "translate stylize: adain (model.safetensors); painting.png, other.png; "
    assert images.signature(read(tmp_path / "out" / "a.png")) == f"{by}strength 0.5; style scale 2"
    call(*words, "--out", tmp_path / "w", "--style-weight", 3, "--style-weight", 1, "--report", tmp_path / "r.json")
    assert images.signature(read(tmp_path / "w" / "a.png")) == f"{by}weights 3, 1; style scale 2"
    told = json.loads((tmp_path / "r.json").read_text())
    assert told["paintings"] == ["painting.png", "other.png"] and told["model"] == str(model)
    assert told["styling"] == {"style_weight": [3, 1], "strength": 1, "style_scale": 2}
    for more, said in (
        (["--steps", 9], "--steps"),
        (["--strength", 2], "0 to 1"),
        (["--mask", "none"], "and 1 --mask"),
    ):
        code, text = call(*words, "--out", tmp_path / "out", *more)
        assert code == 2 and said in text, text


def test_a_network_is_shown_small_paintings_as_they_are(photos: Path, model: Path, tmp_path: Path):  # noqa: F811
    small = put(tmp_path / "small.png", Picture(noise(8, 10)))
    feed_forward(model, photos, [small], tmp_path / "out", styling=StylingSettings.checked({}), device="cpu")
    network = load_model(model).networks["AtoB"]
    assert isinstance(network, AdaIN)
    wanted = network.styled([images.to_tensor(noise(8, 10))[None]])(images.to_tensor(noise(24, 32))[None])
    found = images.to_tensor(read(tmp_path / "out" / "a.png").pixels)[None]
    assert (found - wanted).abs().max() < 1.01 / 127.5
