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
from translate.health.drawing import UNSURE, WIDTH, draw, sick_spans, unsure
from translate.health.rules import EARLY, diagnose


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
    [(None, "is no run folder.*config.json"), ("", "is empty"), ('{"step": 1}\n{"step": 2}\n', "line 1 is damaged")],
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


def test_why_there_is_no_history_is_told(tmp_path: Path):
    with pytest.raises(CheckpointError, match="There is no folder"):
        told.read(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="is no run folder"):
        told.read(tmp_path)
    (tmp_path / "a file").write_text("")
    with pytest.raises(CheckpointError, match="is a file: give the folder"):
        told.read(tmp_path / "a file")
    for config, said in (
        ({"training": {"health_every": 0}}, "health_every=0.*--set health_every=25"),
        ({"training": {"health_every": 40}}, "has 30 steps so far.*health_every=40"),
        ({"training": {}}, "made before health was watched"),
        ({}, "cannot be read"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "log.jsonl").write_text('{"step": 20}\n{"step": 30}\n{"st')
        with pytest.raises(CheckpointError, match=said):
            told.read(tmp_path)
    (tmp_path / told.HISTORY).mkdir()
    with pytest.raises(CheckpointError, match=r"Cannot read .*health\.jsonl"):
        told.read(tmp_path)


def test_early_health_is_told_as_such(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch):
    code, text = call(capsys, monkeypatch, run_folder(tmp_path / "short", windows(4)))
    assert code == 0
    assert f"Health after step 100: {EARLY}" in text
    _, text = call(capsys, monkeypatch, run_folder(tmp_path / "long", windows(20)))
    assert "Health after step 500: healthy" in text
    _, text = call(capsys, monkeypatch, run_folder(tmp_path / "sick", windows(6, low=0.0)))
    assert "Health after step 150: wrong range" in text
    assert (unsure(_lines(windows(4))), unsure(_lines(windows(30))), unsure([])) == (100, 475, 0)
    bar = draw(_lines(windows(40)), "run").pixels[50]
    assert (bar[100] == UNSURE).all()
    assert not (bar[1000] == UNSURE).all()


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
        (25, "healthy", None), (50, "exploding", 25), (50, "healthy", None), (75, "oscillating", None),
    ]  # fmt: skip
    assert [line["step"] for line in told.standing(lines)] == [25, 50, 75, 100]
    assert sick_spans(lines) == [(50, 100, "oscillating")]
    table = told.table(lines).splitlines()
    assert table[2:5] == ["      50  exploding -> back to step 25, rates x 0.5", " " * 10 + "c.", " " * 10 + "r."]
    assert table[-1] == "Health after step 100: oscillating"
    (curve,) = curves(next(chart for chart in CHARTS if "accuracy" in chart.names), told.standing(lines))
    assert (curve.steps, curve.values) == ([25, 50, 75, 100], [0.8, 0.7, 0.7, 0.7])
    picture = draw(lines, "run").pixels
    assert picture.dtype == np.uint8
    never_back = [lines[0], *lines[3:]]
    assert (picture[140:] != draw(never_back, "run").pixels[-len(picture[140:]) :]).any()


def test_a_run_that_has_just_gone_back_stands_where_it_went():
    lines: list[dict[str, Any]] = [
        {"step": 25, "verdict": "healthy", "accuracy": 0.8},
        {"step": 50, "verdict": "collapse", "cause": "c", "remedy": "r", "accuracy": 0.9},
        {"step": 50, "verdict": "collapse", "cause": "c", "back_to": 30, "rate_scale": 0.5},
    ]
    assert told.now(lines) == (30, EARLY)
    assert told.now([lines[1], lines[2] | {"back_to": 0}]) == (0, EARLY)
    for some in (lines, [lines[1], lines[2] | {"back_to": 0}]):
        assert "50  collapse -> back to step" in told.table(some)
        assert draw(some, "run").pixels.shape[1] == WIDTH


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
