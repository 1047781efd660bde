"""Reading windows of training: the latest values of a sign, under every name that it has."""

from collections.abc import Iterator, Sequence
from statistics import fmean, median

Row = dict[str, float]
Rows = Sequence[Row]

LATELY = 150
"""Steps that a sign must have held before it counts."""
LEAST = 4
"""Windows, likewise."""


def lately(rows: Rows, steps: int = LATELY) -> Rows:
    """The windows of the last `steps` steps, at least LEAST of them and at most 48; none if the run is younger."""
    if len(rows) < LEAST:
        return []
    apart = max(rows[-1]["step"] - rows[-2]["step"], 1)
    count = min(max(round(steps / apart), LEAST), 48)
    return rows[-count:] if len(rows) >= count else []


def early(rows: Rows) -> Rows:
    """The first windows that are kept."""
    return rows[:LEAST]


def values(rows: Rows, name: str) -> list[float]:
    """`name` in all of `rows` that have it."""
    return [row[name] for row in rows if name in row]


def kinds(rows: Rows, sign: str) -> Iterator[str]:
    """What follows `sign` in the names of the last of `rows` that has it: "", or the domain or direction, as "_a"."""
    latest = next((row for row in reversed(rows) if any(name.startswith(sign) for name in row)), {})
    for name in latest:
        end = name.removeprefix(sign)
        if name.startswith(sign) and end in ("", "_a", "_b", "_AtoB", "_BtoA", "_noise"):
            yield end


def mean(rows: Rows, name: str) -> float | None:
    """The mean of `name` over `rows`; None: nowhere."""
    found = values(rows, name)
    return fmean(found) if found else None


def middle(rows: Rows, name: str) -> float | None:
    """The median of `name` over `rows`; None: nowhere."""
    found = values(rows, name)
    return median(found) if found else None


def judged(row: Row, kind: str) -> float | None:
    """What D loses by its answers in one window, without penalties; None: no window of D's."""
    own = [row[name] for name in (f"D/real{kind}", f"D/fake{kind}", f"D/pairs{kind}") if name in row]
    return sum(own) if own else None


def span(rows: Rows) -> str:
    """From which step to which, in words."""
    apart = rows[-1]["step"] - rows[-2]["step"] if len(rows) > 1 else rows[-1]["step"]
    return f"from step {max(rows[0]['step'] - apart, 0):.0f} to {rows[-1]['step']:.0f}"


def domain(kind: str) -> str:
    """What a verdict says of a sign that there is one of in each domain or direction."""
    return f" ({kind[1:]})" if kind else ""
