"""Which figures of health.jsonl are drawn together, and on which scale."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from translate.health.history import Line

MOST = 6
"""Curves in a chart."""


class Curve(NamedTuple):
    """`values` over `steps`; `low` and `high` are the ends of their interval, where they have one."""

    name: str
    steps: list[float]
    values: list[float]
    low: list[float]
    high: list[float]


class Scale(NamedTuple):
    """From values to places in [0, 1]; what lies beyond is drawn at the edge."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def of(cls, values: Sequence[float], *, log: bool = False, tight: bool = False) -> "Scale":
        """A scale that holds all of `values` but the farthest outliers, with some air unless `tight`."""
        kept = np.array([value for value in values if math.isfinite(value) and (value > 0 or not log)] or [1.0])
        kept = np.log10(kept) if log else kept
        low, high = (kept.min(), kept.max()) if tight or len(kept) < 20 else np.percentile(kept, [0.5, 99.5])
        air = 0.0 if tight else 0.06 * (high - low)
        least = 1e-3 if log else 1e-6 * max(abs(low), abs(high), 1e-6)
        if high - low < least:
            low, high = low - max(0.5 * abs(low), least), high + max(0.5 * abs(high), least)
        return cls(float(low - air), float(high + air), log)

    def place(self, value: float) -> float:
        if not math.isfinite(value):
            return 1.0
        inner = math.log10(max(value, 1e-30)) if self.log else value
        return min(max((inner - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Round values within the scale, about `most` of them at most, with their labels."""
        if self.log:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            for steps in ((1, 2, 5), (1, 3), (1,)):
                found = [step * 10.0**power for power in decades for step in steps]
                found = [value for value in found if self.low <= math.log10(value) <= self.high]
                if len(found) <= most + 1:
                    break
            if len(found) > most + 1:
                found = found[:: math.ceil(len(found) / most)]
            return [(value, _plain(value)) for value in found]
        apart = _round_up((self.high - self.low) / most)
        first, last = math.ceil(self.low / apart - 1e-9), math.floor(self.high / apart + 1e-9)
        digits = max(0, -math.floor(math.log10(apart) + 1e-9))
        places = [index * apart for index in range(first, last + 1)]
        return [(place, f"{place + 0.0:.{digits}f}" if digits < 6 else f"{place:.1e}") for place in places]


class Chart(NamedTuple):
    """Figures by the beginnings of their names; `fixed` are the ends of the scale, `guide` a value worth a line."""

    title: str
    names: tuple[str, ...]
    log: bool = False
    fixed: tuple[float, float] | None = None
    guide: float | None = None

    def scale(self, found: Sequence[Curve]) -> Scale:
        if self.fixed:
            return Scale(*self.fixed)
        values = [value for curve in found for part in (curve.values, curve.low, curve.high) for value in part]
        return Scale.of(values, log=self.log)


CHARTS = (
    Chart("losses", ("D/", "G/")),
    Chart("D's mean answer", ("score_real", "score_fake")),
    Chart("pairs in which D is right", ("accuracy",), fixed=(0.0, 1.03), guide=0.5),
    Chart("norm of gradients", ("gradient_",), log=True),
    Chart("way of the weights a step", ("update_",), log=True),
    Chart("variety, of the real images'", ("spread", "diversity", "coverage", "recall"), fixed=(0.0, 1.25), guide=1.0),
    Chart("KID in random features", ("kid_random",)),
    Chart("outputs follow inputs", ("dependence", "luminance"), fixed=(-1.03, 1.03), guide=0.0),
    Chart("checkerboard", ("checkerboard",), log=True),
    Chart("D prefers what it was trained on", ("gap",), fixed=(0.0, 1.03), guide=0.5),
)
BESIDE = ("_low", "_high", "_error")
"""Ends of names of figures that belong to another."""


def curves(chart: Chart, lines: Sequence[Line]) -> list[Curve]:
    """The curves of `chart`, those with the most figures of all if there are too many."""
    names = sorted({name for line in lines for name in line if name.startswith(chart.names)}, key=_order(chart))
    found = [_curve(name, lines) for name in names if not name.endswith(BESIDE)]
    return [curve for curve in found if curve.steps][:MOST]


def _order(chart: Chart) -> Callable[[str], tuple[int, str]]:
    return lambda name: (next(i for i, start in enumerate(chart.names) if name.startswith(start)), name)


def _curve(name: str, lines: Sequence[Line]) -> Curve:
    rows = [line for line in lines if isinstance(line.get(name), int | float)]
    ends = [[float(row[name + end]) for row in rows if name + end in row] for end in ("_low", "_high")]
    low, high = ends if all(len(end) == len(rows) for end in ends) else ([], [])
    return Curve(name, [float(row["step"]) for row in rows], [float(row[name]) for row in rows], low, high)


def _round_up(value: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def _plain(value: float) -> str:
    """A power of ten, or a few times it, as short as it can be read."""
    return f"{value:g}" if 1e-4 < value < 1e5 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
