"""Gathers the signs of health between two verdicts, and keeps those that the next verdicts look back on."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from translate.health.rules import Row, diagnose
from translate.health.verdict import HEALTHY, Verdict
from translate.means import Means

KEPT = 64
"""Windows that verdicts look back on."""
WELL = 3
"""Windows in a row without a finding after which training is called healthy again."""
MARK = "health/"


class Monitor:
    """Takes every step's scalars, where they are; `judge` brings them over at once, as one row of means."""

    def __init__(self) -> None:
        self.rows: deque[Row] = deque(maxlen=KEPT)
        self.verdict: Verdict = HEALTHY
        self.finding: Verdict = HEALTHY
        """Of the last window alone; `verdict` stays until WELL windows were without one."""
        self._well = 0
        self._window = Means()

    def observe(self, scalars: Mapping[str, Tensor]) -> None:
        """Take one step's losses ("player/name") and signs ("health/name")."""
        self._window.add(scalars)

    def judge(self, step: int, found: Mapping[str, float]) -> Row:
        """Close the window after `step`, with what fixed inputs showed if they were looked at; every process must call.

        Returns the window's row: means by name, without "health/", and `step`. The verdict is in `verdict`.
        """
        means = {name.removeprefix(MARK): value for name, value in self._window.take().items()}
        self.rows.append({"step": float(step)} | means | dict(found))
        self.finding = diagnose(list(self.rows))
        self._well = self._well + 1 if self.finding.healthy else 0
        if not self.finding.healthy or self._well >= WELL:
            self.verdict = self.finding
        return self.rows[-1]

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to judge as one that was never stopped."""
        rows = [dict(row) for row in self.rows]
        verdict = tuple(self.verdict)
        return {"rows": rows, "verdict": verdict, "well": self._well, "window": self._window.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.rows = deque(state["rows"], maxlen=KEPT)
        self.verdict = Verdict(*state["verdict"])
        self.finding = HEALTHY
        self._well = state.get("well", 0)
        self._window.restore(state["window"])
