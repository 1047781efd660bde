"""Gradient checkpointing: less is kept, and nothing else is different, to the last bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY_MODES
from torch import Tensor

from translate import distributed, fit, networks
from translate.errors import ConfigError

SHAPES: dict[str, dict[str, Any]] = {
    "resnet": {"in_channels": 3, "out_channels": 3, "width": 4, "blocks": 2, "norm": "batch", "dropout": 0.5},
    "unet": {"in_channels": 3, "out_channels": 3, "width": 4, "depth": 6},
    "colour_unet": {"in_channels": 3, "out_channels": 3, "width": 4, "depth": 4, "dropout": 0.3},
    "adain": {"in_channels": 3, "out_channels": 3, "stages": [[4, 4], [8]]},
}


def trained(name: str, checkpointing: bool, *, bf16: bool = False, compiled: bool = False) -> dict[str, Any]:
    """What two passes and a backward pass leave, and the bytes kept between them."""
    torch.manual_seed(0)
    network: Any = networks.build(name, SHAPES[name]).to(torch.float32 if bf16 else torch.float64)
    network.checkpointing = checkpointing
    called = torch.compile(network, backend="aot_eager") if compiled else network
    images = torch.randn(2, 3, network.minimum, network.minimum, dtype=torch.float32 if bf16 else torch.float64)
    kept: dict[int, int] = {}

    def keep(value: Tensor) -> Tensor:
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            first = called(images)
            second = called(first.detach().to(images.dtype).flip(0))
        loss = first.double().square().mean() + second.double().sin().sum()
    parameters = [p for p in network.parameters() if p.requires_grad]
    loss.backward(inputs=parameters)
    values = [loss.detach(), *(p.grad for p in parameters if p.grad is not None), *network.buffers(), torch.rand(3)]
    return {"values": values, "kept": sum(kept.values())}


@pytest.mark.parametrize("bf16", [False, True], ids=["float64", "bf16"])
@pytest.mark.parametrize("name", SHAPES)
def test_gradients_and_buffers_are_the_same_and_less_is_kept(name: str, bf16: bool):
    plain, spared = trained(name, False, bf16=bf16), trained(name, True, bf16=bf16)
    assert len(plain["values"]) == len(spared["values"])
    assert all(torch.equal(one, other) for one, other in zip(plain["values"], spared["values"], strict=True))
    assert spared["kept"] < 0.7 * plain["kept"]


def test_statistics_over_two_processes_are_the_same(monkeypatch: pytest.MonkeyPatch):
    """The other process has the same images, so that what it says is what this one says."""
    monkeypatch.setattr(distributed, "world", lambda: 2)
    monkeypatch.setattr(distributed, "sum_over_processes", lambda rows: rows + rows.flip(0))
    plain, spared = trained("resnet", False), trained("resnet", True)
    assert all(torch.equal(one, other) for one, other in zip(plain["values"], spared["values"], strict=True))


def test_it_can_be_compiled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(SHAPES["unet"], "depth", 3)
    plain, spared = (trained("unet", checkpointing, compiled=True) for checkpointing in (False, True))
    assert all(torch.equal(one, other) for one, other in zip(plain["values"], spared["values"], strict=True))
    assert spared["kept"] < plain["kept"]


def test_a_run_learns_the_same_and_its_model_does_not_tell(pairs: Path, tmp_path: Path):
    for checkpointing in (False, True):
        values = TINY_MODES["pix2pix"] | {"steps": 3, "checkpointing": checkpointing}
        fit(pairs, mode="pix2pix", name=str(checkpointing), out=tmp_path, quiet=True, **values)
    files = [(tmp_path / str(each) / "model.safetensors").read_bytes() for each in (False, True)]
    assert files[0] == files[1]


def test_it_is_refused_where_nothing_would_be_spared(pictures: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="checkpointing=True is for translators"):
        fit(pictures, mode="dcgan", out=tmp_path, quiet=True, steps=1, checkpointing=True, **TINY_MODES["dcgan"])
    assert not list(tmp_path.glob("*-dcgan"))
