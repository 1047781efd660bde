"""From a folder to a run folder: resume, workers, refusals, notices."""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY_MODES, taken

from translate import checkpoint
from translate.errors import CheckpointError, ConfigError, DataError, DiskFullError, TranslateError
from translate.fit import fit
from translate.images import Picture, read, write
from translate.loading import load
from translate.methods import METHODS
from translate.run import Run, lock


def train(root: Path, mode: str, out: Path, name: str = "run", **values: Any) -> Path:
    return fit(
        root, mode=mode, out=out, name=name, quiet=True, **(TINY_MODES[mode] | {"steps": 12} | taken(mode, values))
    )


@pytest.fixture
def data(pairs: Path, folders: Path, pictures: Path) -> dict[str, Path]:
    return {"pix2pix": pairs, "cycle": folders, "colorize": pictures, "dcgan": pictures} | {
        "style": pictures,
        "adain": folders,
        "distill": pairs,
    }


def final(run: Path) -> dict[str, Any]:
    return checkpoint.load_state(run / "last.pt")


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Every tensor and value is equal, bit by bit."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}.{index}")
    else:
        assert one == other, where


@pytest.mark.parametrize("mode", METHODS)
def test_a_run_folder_holds_what_it_should(data: dict[str, Path], tmp_path: Path, mode: str):
    run = train(data[mode], mode, tmp_path, report_every=5, sample_every=6)
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    wanted = {"config.json", "log.jsonl", "last.pt", "model.safetensors", "samples/000006.png", "samples/000012.png"}
    assert names == wanted | (
        set() if mode in ("cycle", "dcgan") else {"best.safetensors"}
    )  # no truth; too few for a score
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "images_per_second" in line] == [5, 10, 12]
    assert {"G/learning_rate", "epoch"} <= set(lines[0])
    assert ("D/learning_rate" in lines[0]) == (mode not in ("style", "adain"))
    assert json.loads((run / "config.json").read_text())["data"]["size"] == 16
    assert checkpoint.load_model(run / "model.safetensors").about.step == 12


@pytest.mark.parametrize("mode", METHODS)
def test_stopped_and_resumed_equals_uninterrupted(
    data: dict[str, Path], tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
):
    values = {"ema": 0.9, "batch_size": 2, "accumulate": 2, "dropout": 0.5}
    whole = train(data[mode], mode, tmp_path, "whole", **values)
    after = Run.after_step

    def interrupted(self: Run, *arguments: Any) -> Any:
        if self.trainer.step in (3, 8):
            os.kill(os.getpid(), signal.SIGTERM)
        return after(self, *arguments)

    monkeypatch.setattr(Run, "after_step", interrupted)
    parts = train(data[mode], mode, tmp_path, "parts", **values)
    assert final(parts)["step"] == 3
    for _ in range(2):
        parts = train(data[mode], mode, tmp_path, "parts", resume=True, **values)
    assert_same(final(whole), final(parts))
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


def test_a_resumed_log_has_each_step_once(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, steps=4, report_every=1, schedule="constant")
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "G/l1": 1}\n{"step": 6, "G/l')  # a killed process got further than its checkpoint
    train(pairs, "pix2pix", tmp_path, steps=8, report_every=1, schedule="constant", resume=True)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "images_per_second" in line] == list(range(1, 9))


@pytest.mark.parametrize("mode", METHODS)
def test_workers_do_not_change_the_weights(data: dict[str, Path], tmp_path: Path, mode: str):
    values = {"steps": 30, "flip": True, "vertical_flip": True, "turn": True, "jitter": 0.3}
    runs = [train(data[mode], mode, tmp_path, f"w{n}", **(values | {"workers": n})) for n in (0, 2, 4)]
    for one, other in itertools.pairwise(runs):
        assert_same(final(one), final(other))


def test_the_cache_does_not_change_the_weights(pairs: Path, tmp_path: Path):
    runs = [train(pairs, "pix2pix", tmp_path, f"c{n}", cache=n) for n in (0, 64)]
    assert_same(final(runs[0]), final(runs[1]))


def test_a_finished_run_can_be_made_longer(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, steps=2)
    train(pairs, "pix2pix", tmp_path, steps=2, resume=True)
    assert final(run)["step"] == 2
    train(pairs, "pix2pix", tmp_path, steps=5, resume=True)
    assert final(run)["step"] == 5


def test_best_is_kept_beside_last(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, validate_every=2)
    best, last = (checkpoint.load_model(run / name).about for name in ("best.safetensors", "model.safetensors"))
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["AtoB/psnr"] for line in lines if "AtoB/psnr" in line}
    assert list(scores) == [2, 4, 6, 8, 10, 12]
    assert scores[best.step] == max(scores.values()) == best.scores["AtoB/psnr"]
    assert last.step == 12


def test_a_learned_direction_is_the_one_asked_for(pairs: Path, tmp_path: Path):
    """B is dark, A is bright: what is made of either input is as dark, or as bright, as the target."""
    values = {"steps": 150, "width": 8, "norm": "instance", "learning_rate": 0.005, "validate_every": 0}
    to_b = load(train(pairs, "pix2pix", tmp_path, "ab", **values), "cpu")
    to_a = load(train(pairs, "pix2pix", tmp_path, "ba", direction="BtoA", **values), "cpu")
    assert (to_b.directions, to_a.directions) == (("AtoB",), ("BtoA",))
    both = read(next((pairs / "val").iterdir())).pixels
    a, b = both[:, :16], both[:, 16:]
    assert abs(to_b(a).mean() - b.mean()) < 20 < abs(to_b(a).mean() - a.mean())
    assert abs(to_a(b).mean() - a.mean()) < 20 < abs(to_a(b).mean() - b.mean())


def test_a_model_that_a_kill_left_behind_is_made_good(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_model = Run._save_model

    def killed(self: Run, name: str) -> None:
        if self.trainer.step == 12:
            raise KeyboardInterrupt
        save_model(self, name)

    monkeypatch.setattr(Run, "_save_model", killed)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, "pix2pix", tmp_path, validate_every=0, sample_every=0)
    assert checkpoint.load_state(tmp_path / "run" / "last.pt")["step"] in (0, 12)
    monkeypatch.setattr(Run, "_save_model", save_model)
    assert load(train(pairs, "pix2pix", tmp_path, resume=True), "cpu").about.step == 12


def test_a_full_disk_while_logging_is_said(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr("translate.log._reopen", lambda *_: Path("/dev/full").open("a"))  # noqa: SIM115
    with pytest.raises(DiskFullError, match=r"No space left on the disk while writing .*log.jsonl"):
        train(pairs, "pix2pix", tmp_path)


def test_what_a_folder_holds_is_not_overwritten(pairs: Path, tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_bytes(b"precious")
    with pytest.raises(CheckpointError, match=r"holds model.safetensors, which would be overwritten"):
        train(pairs, "pix2pix", tmp_path)
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == b"precious"


def test_a_moved_data_set_is_the_same_and_a_changed_one_is_said(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    values = TINY_MODES["pix2pix"] | {"out": tmp_path, "name": "run"}
    fit(pairs, mode="pix2pix", steps=2, **values)
    moved = pairs.rename(tmp_path / "elsewhere")
    fit(moved, mode="pix2pix", steps=2, resume=True, **values)
    assert "data set has changed" not in capsys.readouterr().err
    next((moved / "train").iterdir()).unlink()
    fit(moved, mode="pix2pix", steps=3, resume=True, **values)
    said = capsys.readouterr().err
    assert "data set has changed" in said and "steps is 3, no longer 2" in said


def test_held_out_images_of_other_channels(pairs: Path, tmp_path: Path):
    for path in (pairs / "val").iterdir():
        write(path, Picture(read(path).pixels[..., :1]))
    run = train(pairs, "pix2pix", tmp_path)  # grey among RGB is read as RGB
    assert final(run)["step"] == 12
    for path in (pairs / "val").iterdir():
        np.save(path.with_suffix(".npy"), np.zeros((16, 32, 5), np.uint8))
        path.unlink()
    with pytest.raises(DataError, match="have 5 channels, the images that are trained on 3"):
        train(pairs, "pix2pix", tmp_path, "other")


def test_epochs_are_passes_over_the_data_also_when_accumulating(folders: Path, tmp_path: Path):
    run = fit(
        folders, mode="cycle", out=tmp_path, epochs=4, accumulate=3, quiet=True, **TINY_MODES["cycle"]
    )  # 8 images: 32 batches, three a step
    assert final(run)["step"] == 10


def test_what_helps_a_sick_run_may_change_and_its_length_may_not_shrink(pairs: Path, tmp_path: Path):
    train(pairs, "pix2pix", tmp_path, steps=4)
    train(pairs, "pix2pix", tmp_path, steps=6, resume=True, clip=1, learning_rate=1e-5, precision="bf16")
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(CheckpointError, match="has 6 steps already, more than 3"):
        train(pairs, "pix2pix", tmp_path, steps=3, resume=True)
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_a_file_that_is_not_finite_stops_and_the_checkpoint_is_good(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kind = METHODS["pix2pix"]
    step = kind.step

    def poisoned(self: Any, batch: Any, index: int) -> Any:
        if index == 7:
            batch.a.fill_(float("nan"))
        return step(self, batch, index)

    monkeypatch.setattr(kind, "step", poisoned)
    with pytest.raises(TranslateError, match=r"Step 8: .*D/real.* is not finite, on .*\.png"):
        train(pairs, "pix2pix", tmp_path, save_every=5)
    assert final(tmp_path / "run")["step"] == 5
    assert torch.isfinite(load(tmp_path / "run", "cpu")(torch.zeros(1, 3, 16, 16))).all()
    monkeypatch.setattr(kind, "step", step)
    train(pairs, "pix2pix", tmp_path, save_every=5, resume=True)
    assert final(tmp_path / "run")["step"] == 12


def test_tensorboard_gets_what_the_log_gets(pairs: Path, tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train(pairs, "pix2pix", tmp_path, steps=4, report_every=2, tensorboard=True)
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    wanted = [(line["step"], line["G/l1"]) for line in lines if "G/l1" in line]
    assert [(event.step, pytest.approx(event.value)) for event in events.Scalars("G/l1")] == wanted
    assert len(wanted) == 2


def test_the_licence_note_travels_with_the_model(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, steps=1, licence="CC BY 4.0, my own photographs")
    assert load(run, "cpu").about.licence == "CC BY 4.0, my own photographs"


def test_existing_missing_and_other_runs_are_refused(data: dict[str, Path], tmp_path: Path):
    train(data["pix2pix"], "pix2pix", tmp_path, steps=1)
    with pytest.raises(CheckpointError, match="--resume goes on with it"):
        train(data["pix2pix"], "pix2pix", tmp_path)
    with pytest.raises(CheckpointError, match="no run .*rum to resume. Did you mean 'run'?"):
        train(data["pix2pix"], "pix2pix", tmp_path, "rum", resume=True)
    with pytest.raises(CheckpointError, match="trained with --mode pix2pix, not cycle"):
        train(data["cycle"], "cycle", tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="trained with seed=0, not 1"):
        train(data["pix2pix"], "pix2pix", tmp_path, resume=True, seed=1)


def test_a_run_is_trained_by_one_process_at_a_time(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, steps=1)
    held = lock(run)
    assert held is not None
    with pytest.raises(CheckpointError, match="Another process is training in"):
        train(pairs, "pix2pix", tmp_path, steps=2, resume=True)
    os.close(held)
    train(pairs, "pix2pix", tmp_path, steps=2, resume=True)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_names_that_lead_elsewhere_are_refused(pairs: Path, tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match="will not do"):
        train(pairs, "pix2pix", tmp_path, name)


def test_a_config_that_is_none_is_refused(pairs: Path, tmp_path: Path):
    file = tmp_path / "config.json"
    for text, said in [
        ("[1]", "does not hold settings"),
        ('{"data": [1]}', "does not hold settings"),
        ('{"mode": "cycle"}', "is of --mode cycle"),
        ('{"data": {"sise": 3}}', "does not know: sise"),
        ("{", "is not JSON"),
        ('{"size": 64}', "has size at its top"),
    ]:
        file.write_text(text)
        with pytest.raises(TranslateError, match=said):
            train(pairs, "pix2pix", tmp_path, config=file)


def test_a_damaged_run_is_refused(pairs: Path, tmp_path: Path):
    run = train(pairs, "pix2pix", tmp_path, steps=1)
    (run / "last.pt").write_bytes(b"garbage")
    with pytest.raises(CheckpointError, match=r"last.pt is not a saved run, or is damaged"):
        train(pairs, "pix2pix", tmp_path, resume=True)


def test_wrong_settings_are_refused_before_anything_is_written(pairs: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="Unknown mode 'pix2pixel'. Did you mean 'pix2pix'?"):
        fit(pairs, mode="pix2pixel", out=tmp_path / "out")
    with pytest.raises(ConfigError, match="Unknown setting 'lamda'|Unknown setting 'widht'"):
        train(pairs, "pix2pix", tmp_path / "out", widht=3)
    with pytest.raises(DataError, match="--batch-size 9 is larger than the data set, which has 8"):
        train(pairs, "pix2pix", tmp_path / "out", batch_size=9)
    with pytest.raises(DataError, match=r"16x16.*crops of 24"):
        train(pairs, "pix2pix", tmp_path / "out", size=24, preprocess="crop")
    with pytest.raises(ConfigError, match="accumulate=9"):
        train(pairs, "pix2pix", tmp_path / "out", accumulate=9)
    with pytest.raises(ConfigError, match="epochs=0 will not do"):
        fit(pairs, mode="pix2pix", out=tmp_path / "out", epochs=0)
    for path in (pairs / "train").iterdir():
        write(path, Picture(read(path).pixels.astype(np.uint16) * 257))
    with pytest.raises(ConfigError, match="jitter"):
        train(pairs, "pix2pix", tmp_path / "out", jitter=0.3)
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_stops_training_before_the_first_step(folders: Path, tmp_path: Path):
    victim = next((folders / "trainB").iterdir())
    victim.write_bytes(victim.read_bytes()[:-30])
    with pytest.raises(DataError, match=victim.name):
        train(folders, "cycle", tmp_path)
    assert not (tmp_path / "run").exists()
    assert final(train(folders, "cycle", tmp_path, skip_bad=True))["step"] == 12


def test_ctrl_c_saves_and_says_how_to_go_on(pairs: Path, tmp_path: Path):
    settings = [f"--set={k}={v}" for k, v in TINY_MODES["pix2pix"].items() if k not in ("size", "workers", "device")]
    command = ["fit", pairs, "--mode", "pix2pix", "--size", 16, "--workers", 2, "--device", "cpu", "--steps", 100000]
    command += [*settings, "--out", tmp_path, "--name", "run", "--set", "report_every=20"]
    with subprocess.Popen(
        [sys.executable, "-m", "translate", *map(str, command)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        assert process.stderr
        while "step 40/" not in process.stderr.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
        rest = process.stderr.read()
        assert process.wait() == 0, rest
        watchdog.cancel()
    step = final(tmp_path / "run")["step"]
    assert step >= 40
    assert f"Stopped at step {step} of 100000, saved in {tmp_path / 'run'}" in rest
    assert f"translate fit {pairs} --mode pix2pix --out {tmp_path} --name run --resume" in rest


def test_a_full_disk_while_saving_is_said_and_the_last_checkpoint_stays(pairs: Path, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    try:
        run = train(pairs, "pix2pix", disk, steps=3)
        good = final(run)
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        os.truncate(filler, filler.stat().st_size - 12 * 1024)  # config.json fits, the checkpoint does not
        with pytest.raises(TranslateError, match="No space left on the disk while writing .*last.pt"):
            train(pairs, "pix2pix", disk, steps=6, resume=True, sample_every=0, validate_every=0, report_every=1000)
        assert_same(final(run), good)
        filler.unlink()
        assert final(train(pairs, "pix2pix", disk, steps=6, resume=True))["step"] == 6
    finally:
        subprocess.run(["umount", str(disk)], check=True)
