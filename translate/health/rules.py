"""The rules by which windows of training are judged: one function each, the gravest first.

A rule speaks only when it is sure: what it names must have held over many steps, so that noise and the first steps of
a healthy run are never named. None knows the objective: a D that ranks real above made in all pairs, as the critic of
a Wasserstein GAN should, is no fault in itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from translate.health import adversaries, numbers, outcomes
from translate.health.reading import LEAST, LONGEST, Row, Rows, lately
from translate.health.verdict import HEALTHY, Verdict

Rule = Callable[[Rows], Verdict | None]

EARLY = "too early to tell"
"""What to say of training that is healthy so far, where `sure` says no."""

RULES: dict[str, Rule] = {
    "exploding": numbers.exploding,
    "wrong range": numbers.wrong_range,
    "dead discriminator": adversaries.dead,
    "frozen discriminator": adversaries.frozen,
    "ignoring its input": outcomes.ignoring,
    "collapse": outcomes.collapse,
    "inverted": adversaries.swapped,
    "inverted light": outcomes.inverted,
    "saturated discriminator": adversaries.saturated,
    "runaway generator": adversaries.runaway,
    "oscillating": adversaries.oscillating,
    "overfitted discriminator": outcomes.overfitted,
}


def diagnose(rows: Rows) -> Verdict:
    """The verdict on `rows`, the windows so far, the newest last."""
    if not rows:
        return HEALTHY
    return next((verdict for rule in RULES.values() if (verdict := rule(rows))), HEALTHY)


def sure(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether `rows`, each with its `step`, are enough for every rule that needs no look at fixed inputs to speak."""
    steps = [{"step": float(row["step"])} for row in rows]
    return len(steps) >= 2 * LEAST and bool(lately(steps, LONGEST))


__all__ = ["EARLY", "RULES", "Row", "Rule", "diagnose", "sure"]
