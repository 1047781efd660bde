"""Models that colorize: the one that comes with translate, exported and imported ones; others are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_cli import call  # noqa: F401 (a fixture)
from test_colorize import chroma, light_of, off_hints, photograph, saved
from test_colorize_folder import HINTS, photos  # noqa: F401 (photos is a fixture)
from torch import nn

from translate import images, shipped
from translate.colorize import DEFAULT, colorize
from translate.colour.painting import paint
from translate.errors import CheckpointError
from translate.export import export
from translate.images import read
from translate.loading import load


def test_a_model_is_found_by_name_and_loaded_anew_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, pixels = saved(tmp_path / "run" / "model.safetensors"), photograph()
    first = colorize(pixels, tmp_path / "run")
    assert np.array_equal(first, colorize(pixels, str(path)))
    saved(path, "regression")
    assert not np.array_equal(first, colorize(pixels, tmp_path / "run"))
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "translate" / "shipped.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "nowhere"))
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    with pytest.raises(CheckpointError, match=rf"{DEFAULT} was not installed"):
        shipped.find(DEFAULT)
    saved(tmp_path / "checkpoints" / DEFAULT / "model.safetensors")
    assert shipped.find(DEFAULT) == tmp_path / "checkpoints" / DEFAULT


def test_other_models_give_no_colours(tmp_path: Path):
    for model in (load("identity"), load(saved(tmp_path / "other.safetensors", mode="pix2pix"), "cpu")):
        with pytest.raises(CheckpointError, match=r"gives no colours.*--mode colorize"):
            colorize(photograph(), model)


@pytest.mark.parametrize("suffix", [".pt2", ".onnx", ".xml"])
def test_an_exported_model_colorizes(
    call: Any,  # noqa: F811
    photos: Path,  # noqa: F811
    tmp_path: Path,
    suffix: str,
):
    if suffix != ".pt2":
        pytest.importorskip("openvino" if suffix == ".xml" else "onnxruntime")
    more = {"depth": 4, "attention": True} if suffix == ".onnx" else {}  # each tracing takes a while
    model, path = saved(tmp_path / "model.safetensors", **more), tmp_path / f"model{suffix}"
    export(model, path)
    (tmp_path / "hints.json").write_text(HINTS)
    words = ["colorize", photos, "--hints", tmp_path / "hints.json", "--device", "cpu", "--model"]
    for target, which in (("one", model), ("two", path)):
        code, text = call(*words[:2], tmp_path / target, *words[2:], which)
        assert code == 0 and "3 translated" in text, text
    for one, two in zip(images.list_images(tmp_path / "one"), images.list_images(tmp_path / "two"), strict=True):
        assert np.abs(read(one).pixels.astype(int) - read(two).pixels).max() <= 3
    assert off_hints(read(two).pixels, photograph(seed=2), [{"x": 20, "y": 30, "colour": "#b04030"}])[0] < 5
    pixels = photograph()
    assert np.abs(colorize(pixels, path).astype(int) - colorize(pixels, model)).max() <= 3


class Block(nn.Module):
    """A level of pytorch-CycleGAN-and-pix2pix's U-Net, so that its keys are that project's."""

    def __init__(self, outer: int, inner: int, within: nn.Module | None, taken: int = 0) -> None:
        super().__init__()
        down = nn.Conv2d(taken or outer, inner, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(inner * (2 if within else 1), outer, 4, 2, 1, bias=bool(taken))
        self.outermost = bool(taken)
        leak, rise = nn.LeakyReLU(0.2, True), nn.ReLU(True)
        if taken:
            layers = [down, within, rise, up, nn.Tanh()]
        elif within is None:
            layers = [leak, down, rise, up, nn.BatchNorm2d(outer)]
        else:
            layers = [leak, down, nn.BatchNorm2d(inner), within, rise, up, nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*layers)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        block: nn.Module | None = None
        for outer, inner in ((16, 16), (16, 16), (8, 16), (4, 8)):
            block = Block(outer, inner, block)
        self.model = Block(2, 4, block, taken=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def test_an_imported_colorizer_colorizes_by_its_own_formula(call: Any, photos: Path, tmp_path: Path):  # noqa: F811
    torch.manual_seed(0)
    network = Unet()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(4, 1, 64, 96) * 2 - 1)  # so that the running statistics are of something
        last = network.model.model[3]
        assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
        last.weight.mul_(0.1)
        last.bias.copy_(torch.tensor([0.1, -0.15]))
    network.eval()
    torch.save(network.state_dict(), tmp_path / "latest_net_G.pth")
    path = tmp_path / "model.safetensors"
    code, text = call("import", tmp_path / "latest_net_G.pth", path)
    assert code == 0 and f"translate colorize PHOTOS OUT --model {path}" in text, text
    assert load(path, "cpu").about.mode == "colorize"
    pixels = photograph(64, 96)
    light = torch.from_numpy(light_of(pixels)).float()[None, None]
    with torch.no_grad():
        wanted = network(light / 50 - 1)[0].permute(1, 2, 0).numpy() * 110
    shown = colorize(pixels, path)
    assert np.abs(shown.astype(int) - paint(pixels, wanted)).max() <= 1
    assert np.abs(chroma(shown).mean((0, 1)) - wanted.mean((0, 1))).max() < 1
    assert call("colorize", photos, tmp_path / "out", "--model", path)[0] == 0
    code, text = call("import", tmp_path / "latest_net_G.pth", tmp_path / "b.safetensors", "--direction", "BtoA")
    assert code == 2 and "one way" in text
