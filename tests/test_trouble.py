"""What follows from a verdict: a warning, an end, or a way back to the last healthy checkpoint."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from test_fit import assert_same, final, train

from translate import checkpoint
from translate.config import TrainingSettings
from translate.errors import ConfigError, TrainingError
from translate.health import HEALTHY, Verdict, monitor
from translate.recovery import Recovery
from translate.training.trainer import Trainer

SICK = Verdict("collapse", "all samples are one", "Lower the rate")
OFTEN = {
    "health_every": 2,
    "probe_every": 0,
    "save_every": 2,
    "sample_every": 0,
    "validate_every": 0,
    "report_every": 1,
}

Rows = Sequence[dict[str, float]]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int, int], bool]], None]:
    """Have windows called sick by a function of their step and of how many verdicts there were."""

    def put(sick: Callable[[int, int], bool]) -> None:
        count = 0

        def diagnose(rows: Rows) -> Verdict:
            nonlocal count
            count += 1
            return SICK if sick(int(rows[-1]["step"]), count) else HEALTHY

        monkeypatch.setattr(monitor, "diagnose", diagnose)

    return put


def lines(run: Path, name: str = "health.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def test_a_warning_changes_nothing(pictures: Path, tmp_path: Path, judged: Any, capsys: pytest.CaptureFixture):
    plain = train(pictures, "dcgan", tmp_path, "plain", **OFTEN)
    judged(lambda step, _: step == 4)
    from translate.fit import fit

    values = json.loads((plain / "config.json").read_text())
    warned = fit(pictures, mode="dcgan", out=tmp_path, name="warned", config=plain / "config.json")
    assert values["training"]["on_trouble"] == "warn"
    said = capsys.readouterr().err
    assert said.count("Step 4: collapse: all samples are one. Lower the rate") == 1
    assert said.count("Step 10: healthy again") == 1  # after three windows without a finding
    assert [line["verdict"] for line in lines(warned)] == ["healthy", *["collapse"] * 3, "healthy", "healthy"]
    assert_same(final(plain)["method"], final(warned)["method"])


def test_stop_saves_and_ends_and_resume_goes_on(pictures: Path, tmp_path: Path, judged: Any):
    judged(lambda step, _: step == 6)
    run = train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="stop")
    assert final(run)["step"] == 6
    train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="warn", resume=True)
    assert final(run)["step"] == 12
    assert [line["step"] for line in lines(run)] == [2, 4, 6, 8, 10, 12]


def test_act_goes_back_with_half_the_rate(pictures: Path, tmp_path: Path, judged: Any):
    judged(lambda step, count: step == 6 and count < 4)
    run = train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="act", schedule="constant")
    found = lines(run)
    assert [line["step"] for line in found] == [2, 4, 6, 6, *range(2, 13, 2)]
    assert (found[3]["back_to"], found[3]["rate_scale"]) == (0, 0.5)  # trouble may be older than it is known
    assert (final(run)["rate_scale"], final(run)["rollbacks"], final(run)["step"]) == (0.5, 1, 12)
    steps = [(line["step"], line["G/learning_rate"]) for line in lines(run, "log.jsonl") if "epoch" in line]
    assert steps == [(step, pytest.approx(1e-4)) for step in range(1, 13)]


def test_act_gives_up_after_three_times(pictures: Path, tmp_path: Path, judged: Any):
    judged(lambda step, _: step >= 4)
    with pytest.raises(TrainingError, match="Going back 3 times with lower rates did not help.*translate health"):
        train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="act")
    assert checkpoint.load_model(tmp_path / "run" / "model.safetensors")
    assert sum("back_to" in line for line in lines(tmp_path / "run")) == 3


def test_without_a_healthy_checkpoint_there_is_no_way_back(pictures: Path, tmp_path: Path, judged: Any):
    judged(lambda *_: True)
    train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="warn", steps=4)
    with pytest.raises(TrainingError, match="There is no healthy checkpoint to go back to"):
        train(pictures, "dcgan", tmp_path, **OFTEN, on_trouble="act", resume=True)


@pytest.mark.parametrize("mode", ["dcgan", "pix2pix"])
def test_what_is_not_finite_is_a_reason_to_go_back(
    pictures: Path, pairs: Path, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
):
    advance = Trainer.advance
    spoiled = []

    def spoil(self: Trainer, batches: Any) -> Any:
        if self.step == 7 and not spoiled:
            spoiled.append(True)
            batches[0].a[0, 0, 0, 0] = float("nan")
        return advance(self, batches)

    monkeypatch.setattr(Trainer, "advance", spoil)
    root = {"dcgan": pictures, "pix2pix": pairs}[mode]
    run = train(root, mode, tmp_path, **OFTEN, on_trouble="act")
    assert final(run)["step"] == 12 and final(run)["rate_scale"] == 0.5
    (broken,) = [line for line in lines(run) if "not finite, on" in line.get("cause", "")]
    assert broken["verdict"] == "exploding"
    assert all(torch.isfinite(value).all() for value in final(run)["method"].values() if torch.is_tensor(value))


def test_without_act_what_is_not_finite_stops_and_is_told(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    advance = Trainer.advance

    def spoil(self: Trainer, batches: Any) -> Any:
        batches[0].a[0, 0, 0, 0] = float("nan") if self.step == 7 else 0.0
        return advance(self, batches)

    monkeypatch.setattr(Trainer, "advance", spoil)
    with pytest.raises(TrainingError, match="Step 8: .* is not finite, on "):
        train(pictures, "dcgan", tmp_path, **OFTEN)
    assert (lines(tmp_path / "run")[-1]["verdict"], lines(tmp_path / "run")[-1]["step"]) == ("exploding", 7)


def test_a_stopped_run_is_judged_as_one_that_was_not(pictures: Path, tmp_path: Path):
    values = OFTEN | {"health_every": 5, "save_every": 7, "steps": 20}
    whole = train(pictures, "dcgan", tmp_path, "whole", **values)
    train(pictures, "dcgan", tmp_path, "parts", **(values | {"steps": 7}))
    parts = train(pictures, "dcgan", tmp_path, "parts", **values, resume=True)
    assert lines(whole) == lines(parts)


def test_lines_of_steps_that_a_kill_undid_are_dropped(pictures: Path, tmp_path: Path):
    whole = train(pictures, "dcgan", tmp_path, "whole", **OFTEN)
    parts = train(pictures, "dcgan", tmp_path, "parts", **(OFTEN | {"steps": 6}))
    with (parts / "health.jsonl").open("a") as file:
        file.write('{"step": 8, "verdict": "healthy"}\n{"st')
    train(pictures, "dcgan", tmp_path, "parts", **OFTEN, resume=True)
    assert lines(whole) == lines(parts)


def test_a_checkpoint_counts_as_healthy_only_once_trouble_would_be_known(tmp_path: Path):
    settings = TrainingSettings.checked({"on_trouble": "act", "health_every": 10, "probe_every": 0})
    recovery = Recovery(tmp_path, settings)
    recovery.begin({"step": 0}, HEALTHY)
    for step in range(50, 450, 50):
        recovery.keep({"step": step}, HEALTHY)
        loaded = recovery.load()
        assert loaded is not None and loaded["step"] == (0 if step < 200 else 50 if step < 350 else 200)
    recovery.keep({"step": 450}, SICK)
    assert recovery.candidate is None and recovery.load() == {"step": 200}
    recovery.keep({"step": 700}, HEALTHY)  # a new candidate, no more
    assert recovery.load() == {"step": 200}


def test_without_act_there_is_nothing_old_to_go_back_to(tmp_path: Path):
    acting = Recovery(tmp_path, TrainingSettings.checked({"on_trouble": "act"}))
    acting.begin({"step": 0}, HEALTHY)
    acting.keep({"step": 5}, HEALTHY)
    Recovery(tmp_path, TrainingSettings()).keep({"step": 9}, HEALTHY)
    assert not list(tmp_path.iterdir())


def test_act_without_verdicts_is_refused():
    with pytest.raises(ConfigError, match="on_trouble=act waits for verdicts"):
        TrainingSettings.checked({"on_trouble": "act", "health_every": 0})
