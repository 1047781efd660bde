"""Networks that paint: what they lower is what `translate stylize` counts, and a style in place is the one shown."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PAINTING, TINY_MODES
from test_fit import assert_same, final, train
from test_methods import batch, make
from torch import Tensor

from translate import checkpoint, images, networks
from translate.config import StylingSettings, TrainingSettings
from translate.data.batch import Batch
from translate.errors import CheckpointError, ConfigError, ImageError
from translate.features import find_features
from translate.features import weights as known_weights
from translate.fit import fit
from translate.images import Picture
from translate.loading import load
from translate.methods import METHODS, find_method
from translate.methods.likeness import Likeness, read_painting
from translate.style import find_statistic, make_recipe
from translate.stylize.kinds import Style
from translate.stylize.stylizer import Stylizer
from translate.training.trainer import Trainer

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
    assert read_painting(PAINTING, 16, 2.0).shape == (1, 3, 32, 32)


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
        ({"strength": 0, "content": 0}, "strength, content and variation are all 0"),
        ({"strength": 0, "content": 0, "variation": 0}, "strength, content and variation are all 0"),
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
def test_a_run_goes_on_from_another_folder_and_after_its_painting_has_moved(
    pictures: Path, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
):
    data = folders if mode == "adain" else pictures
    shutil.copy(PAINTING, tmp_path / "own.png")
    monkeypatch.chdir(tmp_path)
    run = train(data, mode, tmp_path, steps=2, style="own.png")
    assert json.loads((run / "config.json").read_text())["method"]["style"] == str(tmp_path / "own.png")
    assert str(tmp_path) not in checkpoint.load_model(run / "model.safetensors").about.origin
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    own = {"mode": mode, "out": tmp_path, "name": "run", "quiet": True, "resume": True}
    fit(data, **own, steps=3)
    shutil.move(tmp_path / "own.png", "moved.png")
    fit(data, **own, steps=4, style="moved.png")
    assert json.loads((run / "config.json").read_text())["method"]["style"] == str(Path.cwd() / "moved.png")
    assert final(run)["step"] == 4


def test_features_of_a_run_have_a_name_or_a_place_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").touch()
    (tmp_path / "linked.pth").symlink_to("a_name_without_suffix")
    (tmp_path / "a_name_without_suffix").touch()
    (tmp_path / "vgg19").touch()
    monkeypatch.setattr(known_weights, "place", lambda name: tmp_path / f"{name}.here")
    told = [
        ("style", "auto", "patch"),
        ("style", "vgg19", "vgg19"),
        ("style", "own.pth", str(tmp_path / "own.pth")),
        ("style", "linked.pth", str(tmp_path / "linked.pth")),
        ("style", "not_there.pth", "not_there.pth"),
        ("adain", "auto", "auto"),
    ]
    for mode, given, kept in told:
        assert settled(mode, features=given).features == kept
    (tmp_path / "squeezenet.here").touch()
    assert settled("style", features="auto").features == "squeezenet"
    assert settled("adain", features="auto").features == "auto"
    (tmp_path / "vgg16.here").touch()
    assert settled("adain", features="auto").features == settled("style", features="auto").features == "vgg16"


def settled(mode: str, **values: Any) -> Any:
    kind = find_method(mode)
    return kind.settled(kind.settings.checked(values))


def test_weights_that_arrive_later_do_not_change_what_a_run_is_judged_by(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(known_weights, "place", lambda name: tmp_path / f"{name}.here")
    values = {"features": "auto", "style_layers": "1", "content_layers": ""}
    run = train(pictures, "style", tmp_path, steps=2, **values)
    (tmp_path / "vgg19.here").touch()
    fit(pictures, mode="style", out=tmp_path, name="run", quiet=True, resume=True, steps=3)
    assert final(run)["step"] == 3
    assert json.loads((run / "config.json").read_text())["method"]["features"] == "patch"


def test_of_patches_all_sizes_are_learned():
    """Pictures come at one size here: coarse patches are in no smaller picture painted before."""
    drawn = {"features": "patch", "content_layers": []}
    assert make("style", **drawn, style_layers=[], style_scale=4).likeness.style_layers == {"1": 0.5, "2": 0.5}
    large = of_size(56, **drawn, style_layers=[], style_scale=4)
    assert large.likeness.style_layers == {"1": 0.25, "2": 0.25, "4": 0.25, "8": 0.25}
    assert make("style", **drawn, style_layers=["1"]).likeness.style_layers == {"1": 1}
    assert find_features("patch").style_layers == {"1": 1}


def of_size(size: int, **values: Any) -> Any:
    kind = METHODS["style"]
    return kind(kind.settings.checked({"style": PAINTING, "width": 2, "blocks": 1} | values), (3, 3), size, "AtoB")


def test_weights_of_layers_sum_to_1_whatever_is_left_out():
    recipe = make_recipe(find_features("patch"), find_statistic("sliced"), ["1", "2=2", "4=5"], [])
    assert Likeness(recipe, smooth(1, 16), 32).style_layers == pytest.approx({"1": 1 / 3, "2": 2 / 3})
    assert Likeness(recipe, smooth(1, 32), 32).style_layers == pytest.approx({"1": 1 / 8, "2": 2 / 8, "4": 5 / 8})


@pytest.mark.parametrize("mode", ["style", "adain"])
def test_grey_photographs_are_taken_as_three_equal_channels(
    pictures: Path, folders: Path, tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str]
):
    root = folders if mode == "adain" else pictures
    photographs = [path for path in root.rglob("*.png") if not path.parent.name.endswith("B")]
    for path in photographs:
        images.write(path, Picture(images.read(path).pixels[..., :1]))
    run = fit(root, mode=mode, out=tmp_path, name="run", **(TINY_MODES[mode] | {"steps": 2}))
    assert "grey: taken as three equal channels" in " ".join(capsys.readouterr().err.split())
    grey = images.read(photographs[0]).pixels
    assert grey.shape[2] == 1
    translator = load(run, "cpu")
    assert translator.channels() == (3, 3)
    np.testing.assert_array_equal(translator(grey), translator(np.repeat(grey, 3, axis=2)))


@pytest.mark.parametrize("mode", ["style", "adain"])
def test_a_look_at_its_health_does_not_ask_for_light_to_be_kept(mode: str):
    method = make(mode).eval()
    looked = [Batch(smooth(1, 16, seed), smooth(1, 16, seed + 9), ("file",)) for seed in range(6)]
    with torch.no_grad():
        found = method.probe(looked, looked, method.generators())
    assert set(found) == {"dependence_AtoB", "checkerboard_AtoB"}
