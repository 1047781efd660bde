"""Reading windows of training: the latest values of a sign, under every name that it has."""

from collections.abc import Iterator, Sequence
from statistics import fmean, median

Row = dict[str, float]
Rows = Sequence[Row]

LATELY = 150
"""Steps that a sign must have held before it counts."""
LEAST = 4
"""Windows, likewise."""
LONGEST = 500
"""Steps that the slowest sign must have held."""
MOST = 48
"""Windows that `lately` looks back on."""


def lately(rows: Rows, steps: int = LATELY) -> Rows:
    """The windows of the last `steps` steps, at least LEAST of them and at most MOST; none if the run is younger."""
    if len(rows) < LEAST:
        return []
    count = min(max(round(steps / _apart(rows)), LEAST), MOST)
    return rows[-count:] if len(rows) >= count else []


def looks(rows: Rows, name: str, steps: int = 100) -> Rows:
    """The last of the `rows` with `name`, over at least `steps` steps (or MOST windows); none if there are not two."""
    found = [row for row in rows if name in row]
    if len(found) < 2:
        return []
    reach = min(steps, (MOST - 1) * _apart(rows))
    first = next((i for i in range(len(found) - 2, -1, -1) if found[i]["step"] <= found[-1]["step"] - reach), None)
    return [] if first is None else found[first:]


def mostly(rows: Rows, name: str, bound: float) -> bool:
    """Whether `name` is above `bound` in size in three of four of `rows`."""
    found = [abs(value) > bound for value in values(rows, name)]
    return bool(found) and 4 * sum(found) >= 3 * len(found)


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


def _apart(rows: Rows) -> float:
    return max(rows[-1]["step"] - rows[-2]["step"], 1)


def span(rows: Rows) -> str:
    """From which step to which, in words."""
    apart = rows[-1]["step"] - rows[-2]["step"] if len(rows) > 1 else rows[-1]["step"]
    return f"from step {max(rows[0]['step'] - apart, 0):.0f} to {rows[-1]['step']:.0f}"


def domain(kind: str) -> str:
    """What a verdict says of a sign that there is one of in each domain or direction."""
    return f" ({kind[1:]})" if kind else ""
