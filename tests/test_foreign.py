"""Reading foreign files: what fits is recognised and renamed, what does not is refused with the reason."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate import networks
from translate.errors import CheckpointError
from translate.foreign import load_foreign, read_foreign


def pixel() -> dict[str, Tensor]:
    """A pixel discriminator as the foreign program saves it: 2 channels, width 3, instance norm."""
    torch.manual_seed(0)
    return {
        "net.0.weight": torch.randn(3, 2, 1, 1),
        "net.0.bias": torch.randn(3),
        "net.2.weight": torch.randn(6, 3, 1, 1),
        "net.2.bias": torch.randn(6),
        "net.5.weight": torch.randn(1, 6, 1, 1),
        "net.5.bias": torch.randn(1),
    }


def saved(folder: Path, content: Any) -> Path:
    path = folder / "latest_net.pth"
    torch.save(content, path)
    return path


def expected_of(name: str) -> tuple[str, dict[str, Any]]:
    """Network and arguments that a name of the reference's list of configurations stands for, at width 4."""
    kind, what, norm, last = name.split(":")
    number = int("".join(filter(str.isdigit, what.removeprefix("unet_"))) or 0)
    if kind == "D":
        layers = {} if what.startswith("pixel") else {"layers": number}
        arguments = {"in_channels": int(last.removeprefix("in=")), "width": 4, "norm": norm}
        return "pixel" if what.startswith("pixel") else "patchgan", arguments | layers
    arguments = {"in_channels": 3, "out_channels": 3, "width": 4, "norm": norm}
    if what.startswith("unet"):
        return "unet", arguments | {"depth": {256: 8, 128: 7}[number], "dropout": 0.0, "max_width": 32}
    return "resnet", arguments | {"blocks": number, "dropout": 0.5 * (last == "dropout=True"), "downsamplings": 2}


def test_all_configurations_are_recognised(reference: Path, tmp_path: Path) -> None:
    configurations = json.loads((reference / "state_dict_keys.json").read_text())
    assert len(configurations) == 48
    for name, shapes in configurations.items():
        # A sixteenth of the width, since it is the same everywhere and 48 full networks are 4 GB.
        state = {key: torch.rand([n // 16 if n >= 64 else n for n in shape]) for key, shape in shapes.items()}
        foreign = read_foreign(saved(tmp_path, state))
        assert (foreign.name, foreign.arguments) == expected_of(name), name
        assert foreign.kind == ("generator" if name.startswith("G") else "discriminator")
        assert any("dropout" in note for note in foreign.notes) == name.startswith("G:unet")
        assert json.loads(json.dumps(foreign.arguments)) == foreign.arguments
        floating = sorted(float(t.double().sum()) for key, t in state.items() if "tracked" not in key)
        renamed = sorted(float(t.double().sum()) for key, t in foreign.state.items() if "tracked" not in key)
        assert floating == renamed, f"{name}: every tensor arrives once"


def test_a_network_of_its_own_keys(tmp_path: Path) -> None:
    state = pixel()
    network = load_foreign(saved(tmp_path, state))
    assert isinstance(network, networks.DISCRIMINATORS["pixel"]) and not network.training
    x = torch.randn(1, 2, 5, 5)
    layers = nn.Sequential(nn.Conv2d(2, 3, 1), nn.LeakyReLU(0.2), nn.Conv2d(3, 6, 1), nn.InstanceNorm2d(6))
    layers.extend([nn.LeakyReLU(0.2), nn.Conv2d(6, 1, 1)])
    layers.load_state_dict({key.removeprefix("net."): tensor for key, tensor in state.items()})
    assert torch.allclose(network(x), layers(x), atol=1e-6)


def test_old_and_wrapped_files_are_read(tmp_path: Path) -> None:
    plain = read_foreign(saved(tmp_path, pixel()))
    legacy = {"net.3.running_mean": torch.zeros(6), "net.3.running_var": torch.ones(6)}
    legacy["net.3.num_batches_tracked"] = torch.tensor(7)
    for variant in (
        pixel() | legacy,
        {f"module.{key}": tensor for key, tensor in (pixel() | legacy).items()},
        {key: tensor.double() for key, tensor in pixel().items()},
    ):
        again = read_foreign(saved(tmp_path, variant))
        assert again.arguments == plain.arguments
        assert all(torch.equal(again.state[key], plain.state[key]) for key in plain.state)


def test_batch_norm_without_counter_is_read(tmp_path: Path) -> None:
    state = {key: tensor for key, tensor in pixel().items() if key not in ("net.2.bias", "net.5.bias")}
    state |= {f"net.3.{key}": torch.ones(6) for key in ("weight", "bias", "running_mean", "running_var")}
    foreign = read_foreign(saved(tmp_path, state))
    assert foreign.arguments["norm"] == "batch"
    assert foreign.state["norm.num_batches_tracked"] == 0


def without(key: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in pixel().items() if name != key}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pixel() | {"net.7.weight": torch.zeros(2)}, r"left over: net\.7\.weight"),
        (without("net.5.weight"), r"lacking: net\.5\.weight"),
        (pixel() | {"net.2.bias": torch.zeros(7)}, r"wrong shape: net\.2\.bias \(7,\) instead of \(6,\)"),
        (pixel() | {"net.0.weight": torch.zeros(3)}, r"no convolution at net\.0"),
        (pixel() | {"net.2.bias": torch.full((6,), torch.nan)}, r"net\.2\.bias holds values that are no finite"),
        ({"encoder.weight": torch.zeros(1)}, r"holds no U-Net.*encoder\.weight"),
        ({"model.1.weight": torch.zeros(4, 3, 7, 7)}, r"no residual block at model\.4"),
        ({"model.model.0.weight": torch.zeros(4, 3, 4, 4)}, r"no convolution at model\.model\.[13]"),
        ({"model.0.weight": torch.zeros(4, 3, 4, 4)}, r"layers is -1"),
        ({"net": pixel(), "epoch": 3}, r"under net, epoch it holds no tensors.*state_dict"),
        ({}, r"it is empty"),
        ([torch.zeros(1)], r"holds a list"),
        (nn.Conv2d(1, 1, 1), r"refused: it asks to load torch\.nn"),
    ],
)
def test_what_does_not_fit_is_listed(tmp_path: Path, content: Any, said: str) -> None:
    path = saved(tmp_path, content)
    with pytest.raises(CheckpointError, match=said) as caught:
        read_foreign(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 1000


class Malice:
    """Runs a command when it is unpickled by a reader that runs code."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("modern", [True, False])
def test_malice_is_refused(tmp_path: Path, modern: bool) -> None:
    witness = tmp_path / "witness"
    path = tmp_path / "malice.pth"
    torch.save(pixel() | {"net.9.weight": Malice(witness)}, path, _use_new_zipfile_serialization=modern)
    with pytest.raises(CheckpointError, match=r"refused.*system"):
        read_foreign(path)
    assert not witness.exists()


def test_garbage_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, pixel())
    whole = path.read_bytes()
    for garbage in (
        b"",
        b"PK\x03\x04" + bytes(50),
        b"hello",
        bytes(range(256)) * 9,
        whole[:700],
        whole[: len(whole) // 2],
    ):
        path.write_bytes(garbage)
        with pytest.raises(CheckpointError, match="damaged"):
            read_foreign(path)
    with pytest.raises(CheckpointError, match="is not a file"):
        read_foreign(tmp_path)
    with pytest.raises(CheckpointError, match="There is no file"):
        read_foreign(tmp_path / "absent.pth")


def test_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("constants.pkl", "data.pkl", "version", "code/network.py"):
            archive.writestr(f"script/{name}", b"3")
    with pytest.raises(CheckpointError, match="damaged"):
        read_foreign(path)
