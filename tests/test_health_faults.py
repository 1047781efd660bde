"""Faults put into real training are named; healthy training is left alone."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faults import FAULTS, HELD, OBJECTIVES, save, shapes, watch_dcgan
from torch import Tensor

import translate
from translate import rounds
from translate.data.batch import Batch
from translate.data.drawn import make
from translate.errors import TrainingError
from translate.health import history
from translate.networks.unet import UNet

QUIETLY: dict[str, Any] = {
    "workers": 0, "device": "cpu", "quiet": True, "sample_every": 0, "validate_every": 0, "save_every": 1000,
}  # fmt: skip
STEPS = {"D's rate x 25": 175, "ten images": 200}
"""Steps after which a fault shows; others do within 100."""


@functools.cache
def pictures(count: int = 256) -> Tensor:
    return shapes(count + HELD, 16)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(tmp_path: Path, name: str):
    fault, steps = FAULTS[name], STEPS.get(name, 100)
    watched = watch_dcgan(tmp_path, pictures(), fault=fault, steps=steps, probe_every=steps)
    assert set(watched.names) & set(fault.named), watched.names
    last = watched.found[-1][1]
    assert any(sign.isdigit() for sign in last.cause)
    assert last.remedy
    assert last.name in {line["verdict"] for line in history.read(tmp_path)}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_healthy_training_is_left_alone(tmp_path: Path, objective: str):
    watched = watch_dcgan(tmp_path, pictures(), steps=200, probe_every=200, settings=OBJECTIVES[objective])
    assert watched.found == []
    assert {line["verdict"] for line in history.read(tmp_path)} == {"healthy"}


def test_a_batch_that_is_not_finite_is_named_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    honest = rounds.stream

    def poisoned(*given: Any, **named: Any) -> Iterator[Batch]:
        for index, batch in enumerate(honest(*given, **named)):
            if index == 30:
                batch.a[0, 0, 0, 0] = float("nan")
            yield batch

    save(tmp_path / "pictures", pictures(16 - HELD))
    monkeypatch.setattr(rounds, "stream", poisoned)
    own = {"width": 2, "width_d": 2, "size": 16, "batch_size": 2, "workers": 0, "device": "cpu"}
    with pytest.raises(TrainingError, match="not finite"):
        translate.fit(tmp_path / "pictures", mode="dcgan", out=tmp_path, name="run", steps=40, quiet=True, **own)
    last = history.read(tmp_path / "run")[-1]
    assert (last["step"], last["verdict"]) == (30, "exploding")
    assert ".png" in last["cause"]


WAYS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "healthy": (lambda given, made: made, "healthy"),
    "constant": (lambda given, made: 0 * made + 0.2, "ignoring its input"),
    "inverted": (lambda given, made: 0 * made - given, "inverted"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_translators_faults_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str):
    change, named = WAYS[way]
    honest = UNet.forward
    monkeypatch.setattr(UNet, "forward", lambda self, given: change(given, honest(self, given)))
    root = make("drawn-facades", tmp_path / "drawn", count=16, size=32)
    own = {"width": 4, "width_d": 4, "depth": 3, "layers": 1, "dropout": 0.0, "batch_size": 2, "size": 32, "steps": 100}
    translate.fit(root, mode="pix2pix", out=tmp_path, name="run", probe_every=50, **QUIETLY, **own)
    assert history.changes(history.read(tmp_path / "run"))[-1].verdict == named


def test_a_healthy_cycle_is_left_alone(tmp_path: Path):
    root = make("drawn-seasons", tmp_path / "drawn", count=16, size=32)
    own = {"width": 4, "blocks": 1, "width_d": 4, "layers": 1, "size": 32, "steps": 100}
    translate.fit(root, mode="cycle", out=tmp_path, name="run", probe_every=50, **QUIETLY, **own)
    assert [change.verdict for change in history.changes(history.read(tmp_path / "run"))] == ["healthy"]
