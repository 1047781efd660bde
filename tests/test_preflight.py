"""The preflight: measures, tells what would fit, writes nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from conftest import TINY_MODES
from test_methods import batch, make
from torch import nn

from translate import fit, machine, preflight
from translate.counting import count_step
from translate.errors import ConfigError
from translate.gauge import Line, Measured, cut, fitted, forget_peak, peak
from translate.methods import METHODS

MIB = 2**20


def test_operations_of_a_step_by_hand(monkeypatch: pytest.MonkeyPatch):
    """G is a 1x1 convolution of 3 by 3 channels, D one of 6 by 1: a product over 256 pixels, twice the operations."""
    method = make("pix2pix")
    method.generator, method.discriminator = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(6, 1, 1, bias=False)
    method.generator.multiple = method.generator.minimum = 1
    method.generator.per_image = True
    made, judged = 2 * 2 * 256 * 3 * 3, 2 * 2 * 256 * 6 * 1  # of two images
    # D's turn: two judgements forward, and back by weights. G's: one forward, back by its input; G back by weights.
    together = 2 * (2 * judged) + 2 * judged + 2 * made
    assert count_step(method, batch()) == together


@pytest.mark.parametrize("mode", METHODS)
def test_counting_changes_nothing_and_draws_nothing(mode: str):
    method = make(mode)
    before = {name: value.clone() for name, value in method.state_dict().items() if isinstance(value, torch.Tensor)}
    torch.manual_seed(5)
    assert count_step(method, batch(mode=mode)) > 0
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(3))
    after = method.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(parameter.grad is None for parameter in method.parameters())


def test_a_line_goes_through_the_last_two_measurements():
    small, large = Measured(1, 16, 100, 1000, 1.0), Measured(3, 16, 100, 1512, 1.0)
    assert fitted([small, large]) == Line(744.0, 1.0)
    assert fitted([small]) == Line(100.0, 900 / 256)
    assert fitted([Measured(1, 16, None, None, 1.0)]) is None


def test_a_batch_is_cut_and_comes_again():
    given = batch()
    more = cut(given, 5, 8)
    assert more.a.shape == (5, 3, 8, 8) and len(more.files) == 5
    assert torch.equal(more.a[4], given.a[0, :, :8, :8])


def test_the_peak_is_what_was_held_meanwhile():
    cpu = torch.device("cpu")
    if peak(cpu) is None:
        pytest.skip("this system does not tell the peak of memory")
    forget_peak(cpu)
    before = peak(cpu)
    held = torch.ones(64 * MIB // 4)
    del held
    assert before is not None and 60 * MIB < (peak(cpu) or 0) - before < 100 * MIB


def test_it_tells_of_a_run_and_writes_nothing(pairs: Path, tmp_path: Path):
    found = preflight(pairs, mode="pix2pix", out=tmp_path / "runs", quiet=True, steps=20, **TINY_MODES["pix2pix"])
    assert not (tmp_path / "runs").exists()
    assert (found.steps, found.batch_size, found.size, found.tried, found.fits) == (20, 1, 16, True, True)
    assert found.seconds > 0 and found.images_per_second == pytest.approx(1 / found.seconds)
    assert found.total_seconds >= 20 * found.seconds
    assert abs(found.ends - datetime.now() - timedelta(seconds=found.total_seconds)) < timedelta(minutes=5)
    assert "largest batch" in str(found) and "whole run      20 steps" in str(found)


def test_what_does_not_fit_is_not_tried(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "whole_memory", lambda device: 200 * MIB)  # torch alone takes more
    values = TINY_MODES["pix2pix"] | {"batch_size": 8}
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=4, **values)
    if found.memory is None:
        pytest.skip("this system does not tell the peak of memory")
    assert (found.tried, found.fits, found.largest_batch) == (False, False, 0)
    assert "does not fit: use a smaller --batch-size" in found.hints[0] and "checkpointing=True" in found.hints[0]


def test_of_a_run_to_resume_it_tells_what_is_left(pairs: Path, tmp_path: Path):
    values = TINY_MODES["pix2pix"]
    run = fit(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=3, **values)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, resume=True, steps=10)
    assert found.steps == 7
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}


def test_several_processes_are_refused(pairs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="measures one process"):
        preflight(pairs, mode="pix2pix")
