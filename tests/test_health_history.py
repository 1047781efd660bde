"""The history of a run's health: what `translate health` tells and draws of it."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_health import Rows, windows

from translate import cli, images
from translate.errors import CheckpointError
from translate.health import history as told
from translate.health.charts import CHARTS, Scale, curves
from translate.health.drawing import WIDTH, draw, sick_spans
from translate.health.rules import diagnose


def run_folder(folder: Path, rows: Rows, **of_last: Any) -> Path:
    """A run folder as a watch leaves it."""
    folder.mkdir()
    lines = []
    for count in range(1, len(rows) + 1):
        verdict = diagnose(rows[:count])
        worded = {"verdict": verdict.name} | (
            {} if verdict.healthy else {"cause": verdict.cause, "remedy": verdict.remedy}
        )
        lines.append({**rows[count - 1], "step": int(rows[count - 1]["step"]), **worded})
    lines[-1] |= of_last
    (folder / told.HISTORY).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["translate", "health", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


def test_the_command_tells_what_happened(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch):
    run = run_folder(tmp_path / "run", windows(12, update_D=[0.002] * 4 + [0.0] * 8))
    code, text = call(capsys, monkeypatch, run)
    assert code == 0
    assert re.search(r"^ +25  healthy$", text, re.M)
    assert re.search(r"^ +200  frozen discriminator$", text, re.M)
    assert "D's weights have not moved from step 100 to 200" in text
    assert "learning_rate_d" in text
    assert re.search(r"kid_random +1\n", text)
    assert images.read(run / "health.png").pixels.shape[1] == WIDTH
    code, text = call(capsys, monkeypatch, run, "--out", tmp_path / "new" / "charts.png")
    assert code == 0
    assert (tmp_path / "new" / "charts.png").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "There is no .*health_every"), ("", "is empty"), ('{"step": 1}\n{"step": 2}\n', "line 1 is damaged")],
)
def test_a_run_without_history_is_refused(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, content: str | None, said: str
):
    if content is not None:
        (tmp_path / told.HISTORY).write_text(content)
    code, text = call(capsys, monkeypatch, tmp_path)
    assert code == 2
    assert re.search(said, text)


def test_a_torn_last_line_is_left_out(tmp_path: Path):
    run = run_folder(tmp_path / "run", windows(4))
    with (run / told.HISTORY).open("a") as file:
        file.write('{"step": 125, "verd')
    assert told.read(run)[-1]["step"] == 100
    with pytest.raises(CheckpointError, match="is no folder"):
        told.read(tmp_path / "nothing")


def test_going_back_is_told_and_drawn():
    lines: list[dict[str, Any]] = [
        {"step": 25, "verdict": "healthy", "accuracy": 0.8},
        {"step": 50, "verdict": "exploding", "cause": "c", "remedy": "r", "accuracy": 0.9},
        {"step": 50, "verdict": "exploding", "cause": "c", "back_to": 25, "rate_scale": 0.5},
        {"step": 50, "verdict": "healthy", "accuracy": 0.7},
        {"step": 75, "verdict": "oscillating", "cause": "c", "accuracy": 0.7},
        {"step": 100, "verdict": "oscillating", "cause": "c", "accuracy": 0.7},
    ]
    changes = [(change.step, change.verdict, change.back_to) for change in told.changes(lines)]
    assert changes == [
        (25, "healthy", None), (50, "exploding", None), (50, "exploding", 25), (50, "healthy", None),
        (75, "oscillating", None),
    ]  # fmt: skip
    assert sick_spans(lines) == [(25, 50, "exploding"), (50, 100, "oscillating")]
    assert "went back to step 25" in told.table(lines)
    assert draw(lines, "run").pixels.dtype == np.uint8


def test_sick_steps_are_tinted():
    healthy = draw(_lines(windows(12)), "run").pixels
    sick = draw(_lines(windows(12), "collapse", 6), "run").pixels
    assert healthy.shape[1] == sick.shape[1] == WIDTH
    red = (sick.astype(int)[..., 0] - sick.astype(int)[..., 2]) > 20
    assert red[200:, : WIDTH // 4].mean() < 0.05 < 0.2 < red[200:, 3 * WIDTH // 8 : 15 * WIDTH // 32].mean()


def test_any_figures_can_be_drawn():
    for rows in (
        [{"step": 0.0}], windows(1), windows(3, **{"G/gan": math.nan}), windows(5, gradient_D=0.0, update_D=0.0),
        windows(200, accuracy_a=0.5, accuracy_b=0.6, dependence_AtoB=0.3, checkerboard_BtoA=1.0),
        windows(4, **{f"G/loss{index}": 1e9 for index in range(12)}),
    ):  # fmt: skip
        picture = draw(_lines(rows), "a run of a rather long name " * 3)
        assert picture.pixels.shape[1:] == (WIDTH, 3)


def test_scales_hold_their_values_and_mark_round_ones():
    assert Scale(0, 10).place(2.5) == 0.25
    assert Scale(0, 2, log=True).place(10) == 0.5
    assert (Scale(0, 1).place(-3), Scale(0, 1).place(math.nan)) == (0, 1)
    assert Scale(0, 1000).ticks(5) == [(0, "0"), (200, "200"), (400, "400"), (600, "600"), (800, "800"), (1000, "1000")]
    assert [label for _, label in Scale(-2, 1, log=True).ticks(5)] == ["0.01", "0.1", "1", "10"]
    assert [label for _, label in Scale(0.2, 0.9).ticks(4)] == ["0.2", "0.4", "0.6", "0.8"]
    spread = Scale.of([1.0, 1.0])
    assert spread.low < 1 < spread.high


def test_figures_that_belong_to_another_are_no_curves_of_their_own():
    chart = next(chart for chart in CHARTS if "kid_random" in chart.names)
    (curve,) = curves(chart, windows(8))
    assert (curve.values, curve.low, curve.high) == ([1.0, 1.0], [0.8, 0.8], [1.2, 1.2])
    assert curve.steps == [100, 200]


def _lines(rows: Rows, verdict: str = "healthy", since: int = 0) -> list[dict[str, Any]]:
    return [
        {**row, "step": int(row["step"]), "verdict": verdict if index >= since else "healthy"}
        for index, row in enumerate(rows)
    ]
