"""A run folder while it is trained: log, samples, validation, checkpoints; what is on disk is good at any moment."""

import math
import os
import time
from dataclasses import dataclass, replace
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
from translate.means import Means
from translate.methods import Held
from translate.trainer import Trainer
from translate.validation import HeldOut, deployed, score
from translate.watch import Watch

ROLLBACKS = 3


@dataclass(frozen=True)
class Report:
    """One line of the log: mean losses since the last, rates, speed and where the time went."""

    step: int
    epoch: float
    losses: dict[str, float]
    rates: dict[str, float]
    images_per_second: float
    steps_per_second: float
    data_share: float
    verdict: str = ""


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
        self._saved_at: int | None = None
        self._log: Log | None = None
        self._lock: int | None = None
        self._reset_window()

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
        self.best = self._best_so_far()
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
        self.rollbacks = state.get("rollbacks", 0)
        self.watch.restore(state.get("health"))

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
        self._count(losses, images, data_seconds)
        step, ends = self.trainer.step, self.trainer.step == self.trainer.total
        if verdict := self.watch.after_step(step, losses):
            self.troubles.append(verdict)
        report = self._report() if ends or step % self.settings.report_every == 0 else None
        began = time.perf_counter()
        if _due(step, self.settings.validate_every, ends) or self.trainer.method.looks(step):
            self.validate()
        if _due(step, self.settings.sample_every, ends):
            self.sample()
        if _due(step, self.settings.save_every, ends):
            self.save()
        self._since += time.perf_counter() - began  # speeds are those of training
        return report

    def close(self) -> None:
        """Report and save what is not yet, and close the log."""
        if self._window:
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
        state = self.trainer.state() | {"rollbacks": self.rollbacks, "health": self.watch.state()}
        if not distributed.is_main():
            return
        state |= {"scores": self.scores, "fingerprint": self.fingerprint, "history": [tuple(h) for h in self.history]}
        checkpoint.save_state(self.folder / checkpoint.LAST, state)
        if self.settings.on_trouble == "act" and self.watch.verdict.healthy:
            checkpoint.save_state(self.folder / checkpoint.HEALTHY, state)
        self._save_model(checkpoint.MODEL)

    def roll_back(self, verdict: Verdict) -> bool:
        """Go back to the last healthy checkpoint with half the learning rate; False: there is none, or it was tried.

        Every process must call. The log forgets what came after; health.jsonl tells of it.
        """
        path = self.folder / checkpoint.HEALTHY
        if self.rollbacks >= ROLLBACKS or not path.exists():
            return False
        tried, scale, lines, sick = self.rollbacks + 1, self.trainer.rate_scale / 2, self.watch.lines, self.trainer.step
        state = checkpoint.load_state(path)
        self.trainer.restore(state)
        self.trainer.forgive()
        self._take_up(state | {"health": None})
        self.watch.monitor.forget()
        self.rollbacks, self.trainer.rate_scale, self.watch.lines = tried, scale, lines
        acted = {"step": sick, "verdict": verdict.name, "cause": verdict.cause}
        self.watch.write(acted | {"back_to": self.trainer.step, "rate_scale": scale})
        if self._log:
            self._log.close()
            self._log = Log(self.folder, self.trainer.step, self.settings.tensorboard)
        self._reset_window()
        distributed.barrier()  # nobody writes before all have read
        self.save()
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

    def _reset_window(self) -> None:
        self._means = Means()
        self._window = self._images = 0
        self._data_seconds = 0.0
        self._since = time.perf_counter()

    def _count(self, losses: dict[str, Tensor], images: int, data_seconds: float) -> None:
        self._means.add(losses)
        self._window += 1
        self._images += images
        self._data_seconds += data_seconds

    def _report(self) -> Report:
        losses = self._means.take()
        elapsed = time.perf_counter() - self._since
        report = Report(
            step=self.trainer.step,
            epoch=self.trainer.epoch,
            losses=losses,
            rates=self.trainer.current_rates(),
            images_per_second=self._images / elapsed,
            steps_per_second=self._window / elapsed,
            data_share=self._data_seconds / elapsed,
            verdict="" if self.watch.verdict.healthy else self.watch.verdict.name,
        )
        rates = {f"{player}/learning_rate": rate for player, rate in report.rates.items()}
        self._write(
            {
                "step": report.step,
                "epoch": round(report.epoch, 4),
                **report.losses,
                **rates,
                "images_per_second": round(report.images_per_second, 3),
                "data_share": round(report.data_share, 4),
            }
        )
        self._reset_window()
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
