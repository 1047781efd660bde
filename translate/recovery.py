"""The checkpoint to go back to when training falls sick: one after which it is known to have stayed healthy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate import checkpoint
from translate.config import TrainingSettings
from translate.health.verdict import Verdict

LOOK_BACK, WINDOWS, PROBES = 150, 8, 2
"""How long trouble may last before it is named: in steps, in windows, in looks at fixed inputs."""


class Recovery:
    """Keeps healthy.pt and candidate.pt where on_trouble is act, for the main process; else removes them.

    A verdict comes late. So what is saved is a candidate first, and takes its place as healthy.pt only when no
    trouble was named for as long as naming takes.
    """

    def __init__(self, folder: Path, settings: TrainingSettings) -> None:
        self.healthy = folder / checkpoint.HEALTHY
        self.waiting = folder / checkpoint.CANDIDATE
        self.active = settings.on_trouble == "act"
        self.span = max(LOOK_BACK, WINDOWS * settings.health_every, PROBES * settings.probe_every)
        self.candidate: int | None = None
        """The step of candidate.pt, to be saved and restored."""

    def begin(self, state: Mapping[str, Any], verdict: Verdict) -> None:
        """Have something to go back to from the first step on: what a run begins with, or is resumed with."""
        if self.active and verdict.healthy and not self.healthy.exists():
            checkpoint.save_state(self.healthy, state)

    def keep(self, state: Mapping[str, Any], verdict: Verdict) -> None:
        """Take the state that is saved; to be called before last.pt is written, which holds `candidate`."""
        if not self.active:
            self.healthy.unlink(missing_ok=True)
        if not self.active or not verdict.healthy:
            self.drop()
            return
        if self.candidate is not None and self.waiting.exists():
            if state["step"] - self.candidate < self.span:
                return
            self.waiting.replace(self.healthy)
        checkpoint.save_state(self.waiting, state)
        self.candidate = state["step"]

    def drop(self) -> None:
        """Give the candidate up."""
        self.waiting.unlink(missing_ok=True)
        self.candidate = None

    def load(self) -> dict[str, Any] | None:
        """The state to go back to, if there is one; raises CheckpointError if it cannot be read."""
        return checkpoint.load_state(self.healthy) if self.healthy.exists() else None
