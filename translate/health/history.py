"""The history of a run's health: the lines of health.jsonl, and what there is to tell of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from translate.errors import CheckpointError
from translate.health.rules import EARLY, sure

HISTORY, CONFIG, LOG = "health.jsonl", "config.json", "log.jsonl"
Line = Mapping[str, Any]


class Change(NamedTuple):
    """From `step` on the verdict was another; `back_to`: there the run went back from it, with rates x `rate_scale`."""

    step: int
    verdict: str
    cause: str = ""
    remedy: str = ""
    back_to: int | None = None
    rate_scale: float | None = None

    @property
    def back(self) -> str:
        """Where the run went, in words; empty: on."""
        rates = "" if self.rate_scale is None else f", rates x {self.rate_scale:g}"
        return "" if self.back_to is None else f" -> back to step {self.back_to}{rates}"


def read(run: Path) -> list[dict[str, Any]]:
    """The lines of `run`'s health.jsonl, at least one. Raises CheckpointError."""
    path = run / HISTORY
    if not path.exists():
        raise CheckpointError(_why_none(run))
    lines: list[dict[str, Any]] = []
    try:
        written = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}. It should be a file of lines.") from None
    for number, text in enumerate(written, 1):
        try:
            line = json.loads(text)
            lines.append(line | {"step": int(line["step"]), "verdict": str(line["verdict"])})
        except (ValueError, KeyError, TypeError):
            if number < len(written):  # the last one may be torn: the process was killed
                raise CheckpointError(f"{path}, line {number} is damaged: {text[:60]!r}. Delete that line.") from None
    if not lines:
        raise CheckpointError(f"{path} is empty: the first verdict comes after health_every steps.")
    return lines


def _why_none(run: Path) -> str:
    """Why there is no health.jsonl in `run`, and what to do about it."""
    if not run.is_dir():
        known = f"{run} is a file: give the folder it lies in" if run.exists() else f"There is no folder {run}"
        return f"{known}. `translate health` takes a run folder, as `translate fit` makes it."
    try:
        config = json.loads((run / CONFIG).read_text(encoding="utf-8"))
        training = dict(config["training"])
    except FileNotFoundError:
        return f"{run} is no run folder: it has no {CONFIG}. Give a folder that `translate fit` made."
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"There is no {HISTORY} in {run}, and its {CONFIG} cannot be read ({error})."
    if "health_every" not in training:
        return f"{run} was made before health was watched. `translate fit --resume` writes {HISTORY} from now on."
    if training["health_every"] == 0:
        return (
            f"{run} was trained with health_every=0, without verdicts. To have them from now on: `translate fit` with "
            "--resume --set health_every=25."
        )
    done = _last_step(run)
    steps = "has no step yet" if done is None else f"has {done} steps so far"
    return f"{run} {steps}, and the first verdict comes after health_every={training['health_every']}: train on."


def _last_step(run: Path) -> int | None:
    """The last step that the log tells of; None: of none."""
    try:
        told = (run / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for text in reversed(told):
        try:
            return int(json.loads(text)["step"])
        except (ValueError, KeyError, TypeError):
            continue  # the last line may be torn
    return None


def changes(lines: Sequence[Line]) -> list[Change]:
    """The verdicts that differ from the one before, with the first, and every time the run went back.

    A verdict on which the run went back is one change with that.
    """
    found: list[Change] = []
    before = None
    for line in lines:
        gone = "back_to" in line
        if gone or line["verdict"] != before:
            if gone and found and (found[-1].step, found[-1].verdict) == (line["step"], line["verdict"]):
                line = found.pop()._asdict() | {"back_to": line["back_to"], "rate_scale": line.get("rate_scale")}
            found.append(Change(**{name: line[name] for name in Change._fields if name in line}))
        before = None if gone else line["verdict"]
    return found


def standing(lines: Sequence[Line]) -> list[Line]:
    """The lines of what was not undone by going back; their steps rise."""
    found: list[Line] = []
    for line in lines:
        last = line.get("back_to", line["step"] - 1)
        while found and found[-1]["step"] > last:
            found.pop()
        if "back_to" not in line:
            found.append(line)
    return found


def now(lines: Sequence[Line]) -> tuple[int, str]:
    """How training stands after the last of `lines`: the step, and the verdict or EARLY."""
    kept = standing(lines)
    if not kept:
        return lines[-1].get("back_to", lines[-1]["step"]), EARLY
    step, verdict = lines[-1].get("back_to", kept[-1]["step"]), kept[-1]["verdict"]
    return step, EARLY if verdict == "healthy" and not sure(kept) else verdict


def latest(lines: Sequence[Line]) -> dict[str, tuple[int, float]]:
    """The last figure of every name, with the step it is of."""
    found: dict[str, tuple[int, float]] = {}
    for line in lines:
        for name, value in line.items():
            if isinstance(value, float) and name != "step":
                found[name] = (line["step"], value)
    return found


def table(lines: Sequence[Line]) -> str:
    """The changes of the verdict, with cause and remedy, the last figures, and how it stands now, in words."""
    told = []
    for change in changes(lines):
        told.append(f"{change.step:>8}  {change.verdict}{change.back}")
        told += [f"{'':>10}{text.rstrip('. ')}." for text in (change.cause, change.remedy) if text]
    kept = standing(lines)
    figures = latest(kept)
    end = kept[-1]["step"] if kept else 0
    step, verdict = now(lines)
    width = max((len(name) for name in figures), default=0)
    shown = [
        f"{'':>10}{name:<{width}}  {value:>10.4g}" + ("" if step == end else f"  (step {step})")
        for name, (step, value) in figures.items()
        if not name.endswith(("_low", "_high", "_error"))
    ]
    figured = [f"{end:>8}  last figures", *shown] if shown else []
    return "\n".join([f"{'step':>8}  verdict", *told, *figured, f"Health after step {step}: {verdict}"])
