"""Watches over the health of a run: looks at fixed inputs, has the verdict made, and writes health.jsonl."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from translate import distributed, files
from translate.config import Role, TrainingSettings
from translate.data.batch import Batch
from translate.health import Monitor, Verdict
from translate.training.trainer import Trainer
from translate.validation import HeldOut

HEALTH = "health.jsonl"


class Watch:
    """Takes every step's scalars; every `health_every` steps there is a verdict. Only the main process writes.

    `finished` makes the generators as they are used. Lines of health.jsonl hold the window's means by name, `step`,
    `verdict`, `cause` and `remedy`; the probes' figures where fixed inputs were looked at.
    """

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        settings: TrainingSettings,
        held_out: HeldOut,
        finished: Callable[[], Mapping[Role, nn.Module]],
    ) -> None:
        self.path = folder / HEALTH
        self.trainer = trainer
        self.settings = settings
        self.held_out = held_out
        self.finished = finished
        self.monitor = Monitor()
        self.lines = 0
        self._fixed: tuple[list[Batch], list[Batch]] | None = None

    @property
    def verdict(self) -> Verdict:
        """The last one."""
        return self.monitor.verdict

    @property
    def finding(self) -> Verdict:
        """Of the last window alone."""
        return self.monitor.finding

    def due(self, step: int) -> bool:
        """Whether a verdict falls on `step`; the same in every process."""
        return self.settings.health_every > 0 and step % self.settings.health_every == 0

    def after_step(self, step: int, scalars: Mapping[str, Tensor]) -> Verdict | None:
        """Take a step's scalars; returns the verdict if one was due and differs from the one before."""
        if not self.settings.health_every:
            return None
        self.monitor.observe(scalars)
        if not self.due(step):
            return None
        before = self.monitor.verdict
        row = self.monitor.judge(step, self._probe(step))
        self.write({**row, "step": step, **_worded(self.verdict)})
        return self.verdict if self.verdict.name != before.name else None

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line to health.jsonl."""
        if not distributed.is_main():
            return
        self.lines += 1
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise files.failure(self.path, error) from error

    @torch.no_grad()
    def _probe(self, step: int) -> dict[str, float]:
        """What fixed inputs show, where a look at them has come due since the last verdict; on the main process."""
        every = self.settings.probe_every
        if not every or step // every == (step - self.settings.health_every) // every or not distributed.is_main():
            return {}
        if self._fixed is None:
            count = self.trainer.method.probe_images
            seen = list(self.held_out.seen(count)) if self.held_out.seen else []
            self._fixed = seen, list(self.held_out.batches(count))
        seen, held = ([self._moved(batch) for batch in part] for part in self._fixed)
        self.trainer.method.eval()
        return self.trainer.method.probe(seen, held, self.finished())

    def _moved(self, batch: Batch) -> Batch:
        return batch.to(self.trainer.device, self.trainer.dtype, self.trainer.memory_format)

    def state(self) -> dict[str, Any]:
        return self.monitor.state() | {"lines": self.lines}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.monitor.restore(state)
        self.lines = state["lines"]

    def drop_lines(self) -> None:
        """Take away from health.jsonl what a killed run wrote after the state that was restored."""
        if distributed.is_main() and self.path.exists():
            kept = self.path.read_text(encoding="utf-8", errors="replace").splitlines()[: self.lines]
            files.write_bytes(self.path, "".join(line + "\n" for line in kept).encode())


def _worded(verdict: Verdict) -> dict[str, str]:
    return {"verdict": verdict.name} | ({} if verdict.healthy else {"cause": verdict.cause, "remedy": verdict.remedy})
