"""The history of a run's health: the lines of health.jsonl, and what there is to tell of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from translate.errors import CheckpointError

HISTORY = "health.jsonl"
Line = Mapping[str, Any]


class Change(NamedTuple):
    """From `step` on the verdict was another; `back_to`: there the run went back from it."""

    step: int
    verdict: str
    cause: str = ""
    remedy: str = ""
    back_to: int | None = None


def read(run: Path) -> list[dict[str, Any]]:
    """The lines of `run`'s health.jsonl, at least one. Raises CheckpointError."""
    path = run / HISTORY
    if not path.exists():
        known = "was made before health was watched, or with health_every=0" if run.is_dir() else "is no folder"
        raise CheckpointError(f"There is no {path}: {run} {known}. `translate fit --resume` writes it from now on.")
    lines: list[dict[str, Any]] = []
    written = path.read_text(encoding="utf-8", errors="replace").splitlines()
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


def changes(lines: Sequence[Line]) -> list[Change]:
    """The verdicts that differ from the one before, with the first, and every time the run went back."""
    found: list[Change] = []
    before = None
    for line in lines:
        if line["verdict"] != before or "back_to" in line:
            found.append(
                Change(
                    line["step"], line["verdict"], line.get("cause", ""), line.get("remedy", ""), line.get("back_to")
                )
            )
        before = None if "back_to" in line else line["verdict"]
    return found


def latest(lines: Sequence[Line]) -> dict[str, tuple[int, float]]:
    """The last figure of every name, with the step it is of."""
    found: dict[str, tuple[int, float]] = {}
    for line in lines:
        for name, value in line.items():
            if isinstance(value, float) and name != "step":
                found[name] = (line["step"], value)
    return found


def table(lines: Sequence[Line]) -> str:
    """The changes of the verdict, with cause and remedy, and the last figures, in words."""
    told = []
    for change in changes(lines):
        back = f" (went back to step {change.back_to})" if change.back_to is not None else ""
        told.append(f"{change.step:>8}  {change.verdict}{back}")
        told += [f"{'':>10}{text}." for text in (change.cause, change.remedy) if text]
    figures = latest(lines)
    end = lines[-1]["step"]
    width = max((len(name) for name in figures), default=0)
    shown = [
        f"{'':>10}{name:<{width}}  {value:>10.4g}" + ("" if step == end else f"  (step {step})")
        for name, (step, value) in figures.items()
        if not name.endswith(("_low", "_high", "_error"))
    ]
    return "\n".join([f"{'step':>8}  verdict", *told, f"{end:>8}  last figures", *shown])
