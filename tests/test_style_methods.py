"""Networks that paint: what they lower is what `translate stylize` counts, and a style in place is the one shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PAINTING
from test_fit import assert_same, final, train
from test_methods import batch, make
from torch import Tensor

from translate import checkpoint, images, networks
from translate.config import StylingSettings, TrainingSettings
from translate.data.batch import Batch
from translate.errors import CheckpointError, ConfigError, ImageError
from translate.features import find_features
from translate.images import Picture
from translate.methods import METHODS
from translate.methods.likeness import read_painting
from translate.stylize.kinds import Style
from translate.stylize.stylizer import Stylizer
from translate.trainer import Trainer

CPU = torch.device("cpu")
LAYERS = {"style_layers": ["relu1_1", "relu2_1"], "content_layers": ["relu2_1"]}


def smooth(count: int, side: int, seed: int = 3) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 4, side // 4, generator=draw) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")


def played(mode: str, steps: int, given: Batch, size: int = 32, **values: Any) -> list[dict[str, float]]:
    torch.manual_seed(0)
    method = METHODS[mode](METHODS[mode].settings.checked(values), (3, 3), size, "AtoB")
    settings = TrainingSettings.checked({"steps": steps, "schedule": "constant"})
    trained = Trainer(method, settings, steps, steps, CPU)
    return [{name: value.item() for name, value in trained.advance([given]).items()} for _ in range(steps)]


@pytest.mark.parametrize(
    ("features", "values"),
    [("random", LAYERS), ("patch", {"style_layers": ["1", "2"]})],
)
def test_style_is_learned(features: str, values: dict[str, Any]):
    given = Batch(smooth(2, 32), None, ("file",) * 2)
    lines = played("style", 60, given, style=PAINTING, features=features, width=8, blocks=1, content=0.1, **values)
    first, last = (sum(line["G/style"] for line in part) / 5 for part in (lines[:5], lines[-5:]))
    assert last < first / 2


@pytest.mark.parametrize("statistic", ["gram", "wasserstein"])
def test_the_losses_are_those_of_stylize(statistic: str):
    """Which measures one picture by code of its own, in tiles if need be."""
    values = LAYERS | {"features": "random", "statistic": statistic, "content": 2.0, "strength": 3.0, "variation": 0.5}
    method = make("style", **values)
    content, made = smooth(2, 16)
    found = {name: value.item() for name, value in method._weighed(method.likeness(made[None], content[None])).items()}
    painting = Style(images.to_depth(images.read(PAINTING).pixels, np.float32), 1.0, None, "")
    stylizer = Stylizer(find_features("random"), [painting], StylingSettings.checked(values), CPU)
    planes = [each.permute(1, 2, 0).numpy() for each in (content, made)]
    assert found == pytest.approx(stylizer.measure(*planes), rel=1e-4)


def test_of_patches_the_same_ones_are_drawn_to_judge_by():
    method = make("style", features="patch", style_layers=["1", "2"], content_layers=[]).eval()
    given = [batch(mode="style")]
    with torch.no_grad():
        scores = [method.evaluate(iter(given), method.generators()) for _ in range(2)]
    assert scores[0] == scores[1]
    content, variation = method.likeness.features.usual_weights
    assert variation == 0 < content
    assert scores[0]["AtoB/total"] == pytest.approx(content * scores[0]["AtoB/content"] + scores[0]["AtoB/style"])
    assert method.quality(scores[0]) == -scores[0]["AtoB/total"]


def test_the_painting_at_its_size():
    assert read_painting(PAINTING, 16, 1.0).shape == (1, 3, 16, 16)
    assert read_painting(PAINTING, 16, 0.5).shape == (1, 3, 8, 8)
    assert read_painting(PAINTING, 256, 1.0).shape == (1, 3, 24, 24)  # no larger than it is
    assert read_painting(PAINTING, 256, 2.0).shape == (1, 3, 48, 48)


def test_a_grey_painting_and_one_of_other_channels(tmp_path: Path):
    images.write(tmp_path / "grey.png", Picture(np.full((9, 12, 1), 90, np.uint8)))
    assert read_painting(tmp_path / "grey.png", 8, 1.0).shape == (1, 3, 6, 8)
    images.write(tmp_path / "five.npy", Picture(np.zeros((9, 12, 5), np.uint8)))
    with pytest.raises(ConfigError, match=r"five\.npy has 5 channels"):
        read_painting(tmp_path / "five.npy", 8, 1.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"style": None}, "--set style=FILE"),
        ({"style_layers": ["relu9"]}, "no layer 'relu9'"),
        (
            {"style_layers": ["relu5_1"]},
            "sees nothing in pictures of 16 pixels and a painting of 16 x 16: both need 32",
        ),
        ({"features": "patch", "style_layers": ["8"], "content_layers": []}, "both need 49"),
    ],
)
def test_what_cannot_be_learned_is_said(values: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        make("style", **values)


def test_a_painting_that_is_not_there_is_named():
    with pytest.raises(ImageError, match=r"nowhere\.png"):
        make("style", style="nowhere.png")


def test_style_goes_one_way_and_takes_colour():
    with pytest.raises(ConfigError, match="leave --direction out"):
        make("style", direction="BtoA")
    with pytest.raises(ConfigError, match="3 channels; these have 1"):
        make("style", (1, 1))


def test_features_stay_out_of_what_is_saved(pictures: Path, tmp_path: Path):
    run = train(pictures, "style", tmp_path, steps=2)
    held = final(run)["method"]
    assert all(name.startswith("generator.") or name == "_extra_state" for name in held)
    model = checkpoint.load_model(run / "model.safetensors")
    assert networks.name_of(model.networks["AtoB"]) == "resnet"
    assert "painting.png" in model.about.origin and "random" in model.about.origin


def test_a_resumed_run_is_judged_by_the_same(pictures: Path, tmp_path: Path):
    painting = tmp_path / "own.png"
    pixels = images.read(PAINTING).pixels
    images.write(painting, Picture(pixels))
    run = train(pictures, "style", tmp_path, steps=2, style=str(painting))
    before = final(run)
    images.write(painting, Picture(255 - pixels))
    with pytest.raises(CheckpointError, match="trained with other weights or another painting"):
        train(pictures, "style", tmp_path, steps=3, style=str(painting), resume=True)
    assert_same(before, final(run))


@pytest.mark.parametrize("mode", ["style", "adain"])
def test_a_look_at_its_health_does_not_ask_for_light_to_be_kept(mode: str):
    method = make(mode).eval()
    looked = [Batch(smooth(1, 16, seed), smooth(1, 16, seed + 9), ("file",)) for seed in range(6)]
    with torch.no_grad():
        found = method.probe(looked, looked, method.generators())
    assert set(found) == {"dependence_AtoB", "checkerboard_AtoB"}
