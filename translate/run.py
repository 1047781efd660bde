"""A run folder while it is trained: log, samples, validation, checkpoints; what is on disk is good at any moment."""

import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from translate import checkpoint, distributed, files, images
from translate.checkpoint import About
from translate.config import Role, TrainingSettings
from translate.data.batch import Batch
from translate.errors import CheckpointError
from translate.health import Verdict
from translate.log import Log
from translate.methods import Held
from translate.recovery import Recovery
from translate.report import Report, Window
from translate.training.trainer import Trainer
from translate.validation import HeldOut, deployed, score
from translate.watch import Watch

ROLLBACKS = 3


class Run:
    """Keeps a run folder. Only the main process writes; the others keep step.

    `about` is what the model files say of themselves, `fingerprint` says which data is trained on.
    """

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        settings: TrainingSettings,
        about: About,
        held_out: HeldOut,
        fingerprint: str = "",
    ) -> None:
        self.folder = folder
        self.trainer = trainer
        self.settings = settings
        self.about = about
        self.held_out = held_out
        self.fingerprint = fingerprint
        self.notices: list[str] = []
        self.best = -math.inf
        self.scores: dict[str, float] = {}
        self.history: list[Held] = []
        self.watch = Watch(folder, trainer, settings, held_out, self._finished)
        self.troubles: list[Verdict] = []
        """Verdicts that are news, for who plays the rounds to tell and to take away."""
        self.rollbacks = 0
        self.recovery = Recovery(folder, settings)
        self._saved_at: int | None = None
        self._log: Log | None = None
        self._lock: int | None = None
        self._window = Window()

    def open(self, config: dict[str, Any]) -> None:
        """Take up what the folder holds, or begin it, with `config` for its config.json.

        Raises CheckpointError, before anything is written, if another process trains here, if the files do not fit, or
        if the run is longer already than it should become.
        """
        if distributed.is_main():
            files.make_folder(self.folder)
            self._lock = lock(self.folder)
        last = self.folder / checkpoint.LAST
        resumed = last.exists()
        if resumed:
            self._restore(last)
        distributed.barrier()  # no process writes before all have looked
        if distributed.is_main():
            files.remove_partial(self.folder)
            checkpoint.save_config(self.folder, config)
            (self.folder / "samples").mkdir(exist_ok=True)
            self._log = Log(self.folder, self.trainer.step, self.settings.tensorboard)
        if not resumed:
            self.save()
        if self.settings.on_trouble == "act":
            state = self._state()
            if distributed.is_main():
                self.recovery.begin(state, self.watch.verdict)

    def _restore(self, last: Path) -> None:
        state = checkpoint.load_state(last)
        try:
            self.trainer.restore(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{last} does not fit this run: {' '.join(str(error).split())[:200]}") from None
        if self.trainer.step > self.trainer.total:
            raise CheckpointError(
                f"{self.folder} has {self.trainer.step} steps already, more than {self.trainer.total}: "
                "give more --steps or --epochs to make it longer."
            )
        self._take_up(state)
        self.watch.drop_lines()
        self.rollbacks = state.get("rollbacks", 0)
        self.recovery.candidate = state.get("candidate")
        if self.rollbacks:
            self.notices.append(
                f"The learning rates are multiplied by {self.trainer.rate_scale:g}: the run went back {self.rollbacks} "
                f"of {ROLLBACKS} times."
            )
        self._refuse_other_labels()
        self.best = self._best_so_far()
        if state.get("execution", str(self.trainer.execution)) != str(self.trainer.execution):
            self.notices.append(
                f"The run was executed otherwise, with {state['execution']}: it does not go on exactly."
            )
        if state["fingerprint"] != self.fingerprint:
            self.notices.append("The data set has changed since the run was saved: it does not go on exactly.")
        if len(state["processes"]) != distributed.world():
            self.notices.append(
                f"The run was saved by {len(state['processes'])} processes and goes on with {distributed.world()}: "
                "not exactly."
            )

    def _take_up(self, state: dict[str, Any]) -> None:
        """What the run itself, besides the trainer, has in a checkpoint."""
        self.scores = state["scores"]
        self.history = [Held(*held) for held in state.get("history", [])]
        if state.get("health"):
            self.watch.restore(state["health"])

    def _refuse_other_labels(self) -> None:
        path = self.folder / checkpoint.MODEL
        before = checkpoint.read_header(path).get("labels", []) if path.exists() else []
        if before and tuple(before) != self.about.labels:
            raise CheckpointError(
                f"{self.folder} was trained on the classes {', '.join(before)}, not on {', '.join(self.about.labels)}: "
                "choose another --name."
            )

    def _best_so_far(self) -> float:
        """The score of best.safetensors, which may be newer than last.pt."""
        path = self.folder / checkpoint.BEST
        if not path.exists():
            return -math.inf
        return self.trainer.method.quality(checkpoint.read_header(path)["scores"])

    @property
    def over(self) -> bool:
        """Whether the held-out images say that training has done what it can; the main process knows."""
        return self.trainer.method.over(self.history)

    def after_step(self, losses: dict[str, Tensor], images: int, data_seconds: float) -> Report | None:
        """Record a step; report, validate, sample and save when due. Returns the report if one was due."""
        self._window.add(losses, images, data_seconds)
        step, ends = self.trainer.step, self.trainer.step == self.trainer.total
        validates = _due(step, self.settings.validate_every, ends) or self.trainer.method.looks(step)
        samples = _due(step, self.settings.sample_every, ends)
        if validates or samples or self.watch.due(step) or step % self.settings.report_every == 0:
            self.trainer.check_finite()
        report = self._report() if ends or step % self.settings.report_every == 0 else None
        began = time.perf_counter()
        if verdict := self.watch.after_step(step, losses):
            self.troubles.append(verdict)
        if validates:
            self.validate()
        if samples:
            self.sample()
        if _due(step, self.settings.save_every, ends):
            self.save()
        self._window.leave_out(time.perf_counter() - began)
        return report

    def close(self) -> None:
        """Report and save what is not yet, and close the log."""
        if self._window.steps:
            self._report()
        if self._saved_at != self.trainer.step:
            self.save()
        if self.over and distributed.is_main() and (self.folder / checkpoint.BEST).exists():
            # What ended the run is that later models are worse.
            files.write_bytes(self.folder / checkpoint.MODEL, (self.folder / checkpoint.BEST).read_bytes())
        self.release()

    def release(self) -> None:
        """Close the log, saving nothing."""
        if self._log:
            self._log.close()
        if self._lock is not None:
            os.close(self._lock)
        self._log = self._lock = None

    def save(self) -> None:
        """Write last.pt and model.safetensors, each whole or not at all."""
        self.trainer.check_finite()
        self._saved_at = self.trainer.step
        state = self._state()
        if not distributed.is_main():
            return
        self.recovery.keep(state, self.watch.verdict)
        checkpoint.save_state(self.folder / checkpoint.LAST, state | {"candidate": self.recovery.candidate})
        self._save_model(checkpoint.MODEL)

    def _state(self) -> dict[str, Any]:
        """All that a resumed run needs; every process must ask."""
        return self.trainer.state() | {
            "scores": self.scores,
            "fingerprint": self.fingerprint,
            "history": [tuple(held) for held in self.history],
            "rollbacks": self.rollbacks,
            "health": self.watch.state(),
        }

    def roll_back(self, verdict: Verdict) -> bool:
        """Go back to the last healthy checkpoint with half the learning rate; False: there is none, or it was tried.

        Every process must call. The log forgets what came after; health.jsonl tells of it.
        """
        state = self.recovery.load() if self.rollbacks < ROLLBACKS else None
        distributed.barrier()  # nobody writes before all have read
        if state is None:
            return False
        tried, scale, lines, sick = self.rollbacks + 1, self.trainer.rate_scale / 2, self.watch.lines, self.trainer.step
        self.trainer.restore(state)
        self.trainer.forgive()
        self._take_up(state)
        self.rollbacks, self.trainer.rate_scale, self.watch.lines = tried, scale, lines
        acted = {"step": sick, "verdict": verdict.name, "cause": verdict.cause}
        self.watch.write(acted | {"back_to": self.trainer.step, "rate_scale": scale})
        if distributed.is_main():
            self.recovery.drop()
        self._window = Window()
        self.save()
        if self._log:
            self._log.close()
            self._log = Log(self.folder, self.trainer.step, self.settings.tensorboard)
        return True

    def _save_model(self, name: str) -> None:
        about = replace(self.about, step=self.trainer.step, scores=self.scores)
        checkpoint.save_model(self.folder / name, self.trainer.finished(), about)

    @torch.no_grad()
    def validate(self) -> None:
        """Score held-out images against their truth, log it, and keep the best model beside the last."""
        if not self.held_out.truth or not distributed.is_main():
            return
        some = self.held_out.batches(self.settings.validate_images)
        self.scores = score(some, self._finished(), self.trainer)
        self._write({"step": self.trainer.step, **self.scores})
        self.history.append(Held(self.trainer.step, self.scores))
        value = self.trainer.method.quality(self.scores)
        if value > self.best:
            self.best = value
            self._save_model(checkpoint.BEST)

    @torch.no_grad()
    def sample(self) -> None:
        """Draw samples/NNNNNN.png from the first held-out images."""
        if not distributed.is_main():
            return
        batches = [self._moved(batch) for batch in self.held_out.batches(4)]
        picture = self.trainer.method.picture(batches, self._finished())
        images.write(self.folder / "samples" / f"{self.trainer.step:06d}.png", picture)

    def _finished(self) -> dict[Role, nn.Module]:
        return deployed(self.trainer.finished(), self.about)

    def _moved(self, batch: Batch) -> Batch:
        return batch.to(self.trainer.device, self.trainer.dtype, self.trainer.memory_format)

    def _report(self) -> Report:
        verdict = self.watch.verdict
        report = self._window.report(self.trainer, "" if verdict.healthy else verdict.name)
        self._write(report.line())
        self._window = Window()
        return report

    def _write(self, line: dict[str, Any]) -> None:
        if self._log:
            self._log.write(line)


def lock(folder: Path) -> int | None:
    """Make sure that no other process trains in `folder`, as files.lock does; raises CheckpointError."""
    try:
        return files.lock(folder)
    except BlockingIOError:
        raise CheckpointError(f"Another process is training in {folder}. Wait for it, or use another --name.") from None


def _due(step: int, every: int, ends: bool) -> bool:
    return ends or (every > 0 and step % every == 0)
