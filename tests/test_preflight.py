"""The preflight: measures, tells what would fit, writes nothing."""

import errno
import itertools
import mmap
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from conftest import TINY_MODES
from test_methods import batch, make
from torch import nn

from translate import fit, machine, preflight
from translate.data import Batch
from translate.errors import ConfigError
from translate.methods import METHODS
from translate.training import gauge
from translate.training.counting import count_step
from translate.training.gauge import Limits, Line, Measured, cut, fitted, forget_peak, peak
from translate.training.trainer import Trainer

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


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 b."


@pytest.mark.parametrize("error", [RuntimeError(ALLOCATOR), MemoryError()])
def test_a_step_that_memory_does_not_hold_is_told_of(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    """One image fits and eight do not: no more than seven are the largest batch."""
    advance = Trainer.advance

    def advanced(self: Trainer, batches: list[Batch]):
        if len(batches[0].a) > 1:
            raise error
        return advance(self, batches)

    monkeypatch.setattr(Trainer, "advance", advanced)
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=4, **TINY_MODES["pix2pix"], batch_size=8)
    assert (found.tried, found.fits) == (False, False) and (found.largest_batch or 0) <= 7
    assert found.seconds is not None and "not measured" not in str(found)
    assert found.hints[0] == "Memory does not hold a step of 8 x 16 x 16 pixels."
    assert "cache=N" in found.hints[1] and "GPU" not in str(found)


def test_where_nothing_fits_no_numbers_are_made_up(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def advanced(self: Trainer, batches: list[Batch]):
        raise RuntimeError(ALLOCATOR)

    monkeypatch.setattr(Trainer, "advance", advanced)
    values = TINY_MODES["pix2pix"] | {"size": 8}  # the discriminator needs 6 pixels, two halvings a multiple of 4
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=4, **values)
    lines = {line[:15].rstrip(): line[15:] for line in str(found).splitlines()}
    assert (found.seconds, found.images_per_second, found.total_seconds, found.ends) == (None, None, None, None)
    assert lines["device"] == "cpu"
    assert lines["a step"].endswith("G operations, not measured: no step fits")
    assert lines["speed"] == "not measured: no step fits"
    assert lines["memory"].startswith("more than is free of ")
    assert lines["largest batch"] == "none fits at 8 pixels"
    assert lines["largest crop"] == "none fits at batch 1"
    assert lines["whole run"] == "4 steps, not measured: no step fits"
    assert found.hints[1].startswith("It does not fit: use ") and "--size" not in found.hints[1]


def test_other_errors_are_not_taken_for_memory(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def advanced(self: Trainer, batches: list[Batch]):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Trainer, "advance", advanced)
    with pytest.raises(RuntimeError, match="shapes differ"):
        preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=4, **TINY_MODES["pix2pix"])


def test_no_room_for_the_cache(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def mapped(*_):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", mapped)
    with pytest.raises(ConfigError, match="cache of 400 MiB: use a smaller --set cache=100"):
        preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=4, **TINY_MODES["pix2pix"], cache=400)


def test_limits_by_hand():
    """10 bytes and 2 a pixel: 2000 bytes hold 995 pixels, 3 images of 16, or one of 31, of which 28 are of fours."""
    limits = Limits(Line(10.0, 2.0), 2000)
    assert (limits.pixels(), limits.batch(16, 9), limits.batch(16, 2), limits.side(1, 4, 4)) == (995, 3, 2, 28)
    seen = Limits(Line(10.0, 2.0), 2000, beyond=512)
    assert (seen.pixels(), seen.batch(16, 9), seen.side(1, 4, 4), seen.side(1, 4, 32)) == (511, 1, 20, 0)
    nothing = Limits(None, 2000, beyond=256)
    assert (nothing.batch(16, 9), nothing.batch(8, 9)) == (0, None)
    assert (nothing.side(1, 4, 16), nothing.side(1, 4, 4)) == (0, None)


def test_the_sets_size_is_said_where_it_is_the_limit(pairs: Path, tmp_path: Path):
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=1, **TINY_MODES["pix2pix"])
    said = replace(found, largest_batch=8)
    assert found.images == 8 and "8, as many as the set has, at 16 pixels" in str(said)
    assert "about 7 at 16 pixels" in str(replace(found, largest_batch=7))


@pytest.mark.parametrize(("most", "extra"), [(64, 9.0), (2, 7.5)])
def test_validations_are_of_the_images_there_are(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, extra: float
):
    """By a clock that ticks at each look: a sheet of the 4 held out, their scores, a checkpoint take 1 s; 3 of each."""
    ticks = itertools.count()
    monkeypatch.setattr(gauge, "now", lambda device: float(next(ticks)))
    every = {"sample_every": 10, "validate_every": 10, "save_every": 10, "validate_images": most}
    values = TINY_MODES["pix2pix"] | every
    found = preflight(pairs, mode="pix2pix", out=tmp_path, quiet=True, steps=20, **values)
    assert found.seconds is not None
    assert found.total_seconds == pytest.approx(20 * found.seconds + extra)
