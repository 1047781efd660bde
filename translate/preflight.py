"""What a run would take before it is begun: memory, time, and how much larger it could be."""

import gc
import math
import os
import time
from collections.abc import Generator as Yielding
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, cast

import torch
from torch import nn

from translate import checkpoint, machine, rounds
from translate.config import TrainingSettings
from translate.counting import count_step
from translate.data.batch import Batch
from translate.display import clock
from translate.errors import ConfigError
from translate.gauge import Line, Measured, Nowhere, again, cut, fitted, forget_peak, held, now, peak
from translate.methods import Method
from translate.networks.blocks import Generator
from translate.preparing import Prepared, prepared
from translate.trainer import Trainer
from translate.validation import deployed

ROOM = 0.9
"""Share of the memory that a run may be planned with: of the rest the system and the loaders live."""
NARROW = 0.85
"""Share of that from which on it is said what would spare memory."""
LARGEST = 8192
ENOUGH = 10.0
"""Seconds, or steps, after which measuring ends."""
PLACES = 4
"""Places along the run whose operations are counted, since a run may begin otherwise than it goes on."""
GIB = 2**30


@dataclass(frozen=True)
class Preflight:
    """What a run would take. Bytes, seconds; `memory`, `largest_batch` and `largest_size` None: unknown.

    `operations` are those of a step. `tried`: measured as asked for; else estimated from less, because it would not fit
    (`fits`), or, on a GPU, did not. `waiting` is the share of time spent waiting for images. `largest_batch` holds at
    this size, `largest_size` at this batch; both are estimates.
    """

    device: str
    execution: str
    batch_size: int
    size: int
    operations: float
    seconds: float
    images_per_second: float
    waiting: float
    memory: int | None
    room: int
    fits: bool
    tried: bool
    largest_batch: int | None
    largest_size: int | None
    steps: int
    total_seconds: float
    ends: datetime
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        memory = "unknown on this system" if self.memory is None else f"{self.memory / GIB:.2f} GiB at the peak"
        batch = "unknown" if self.largest_batch is None else f"about {self.largest_batch}"
        size = "unknown, or none other" if self.largest_size is None else f"about {self.largest_size} pixels"
        rate = self.operations / max(self.seconds, 1e-9) / 1e9
        lines = {
            "device": f"{self.device}, {self.execution}",
            "a step": f"{self.operations / 1e9:.4g} G operations, {self.seconds:.3g} s ({rate:.4g} G/s)",
            "speed": f"{self.images_per_second:.3g} images/s, {self.waiting:.0%} of the time waiting for images",
            "memory": f"{memory} of {self.room / GIB:.1f} GiB" + ("" if self.tried else "; estimated, not tried"),
            "largest batch": f"{batch} at {self.size} pixels (estimated)",
            "largest crop": f"{size} at batch {self.batch_size} (estimated)",
            "whole run": f"{self.steps} steps, {clock(self.total_seconds)} with samples, scores and checkpoints; begun "
            f"now, it ends {self.ends:%Y-%m-%d %H:%M}",
        }
        return "\n".join([f"{name:<15}{text}" for name, text in lines.items()] + list(self.hints))


def preflight(
    dataset: str | PathLike[str],
    *,
    mode: str,
    name: str | None = None,
    out: str | PathLike[str] = "checkpoints",
    resume: bool = False,
    config: str | PathLike[str] | None = None,
    quiet: bool = False,
    **asked: Any,
) -> Preflight:
    """Measure some steps of the run that `translate.fit` would do with the same arguments; nothing is written.

    What would not fit into memory is not tried on a CPU, where the machine would swap, but estimated from less. Of a
    run to `resume` it tells what is left. Raises what `translate.fit` raises before its first step, and ConfigError if
    there are several processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("A preflight measures one process: start it without torchrun, with one process's batch_size.")
    with prepared(
        dataset, mode=mode, name=name, out=out, resume=resume, config=config, quiet=quiet, asked=asked
    ) as ready:
        begin = int(checkpoint.load_state(ready.folder / checkpoint.LAST)["step"]) if resume else 0
        return _Flight(ready, begin).report()


class _Flight:
    """Measures the run `ready` from step `begin` on."""

    def __init__(self, ready: Prepared, begin: int) -> None:
        self.ready = ready
        self.begin = begin
        self.data = ready.chosen.data
        self.training = ready.chosen.training
        self.room = int(machine.whole_memory(ready.device) * ROOM)
        self.side = round((ready.first.a.shape[-1] * ready.first.a.shape[-2]) ** 0.5)
        self.execution = ""
        self.extra = 0.0
        """Seconds that samples, scores and checkpoints of the whole run take."""
        self.hints: list[str] = []

    def report(self) -> Preflight:
        method = self.ready.method()
        multiple, minimum, sizes = _sizes(method.generators().values(), type(method).any_size)
        small = min(self.side, max(minimum, -(-min(self.side, 256) // multiple) * multiple)) if sizes else self.side
        operations, later = self._operations(method)
        del method
        ladder = sorted({(1, small), (1, self.side), (self.data.batch_size, self.side)})
        done = self._climb(ladder)
        last = done[-1]
        wanted = self.data.batch_size * self.side**2
        tried = last.pixels == wanted
        if len(done) == 1 and tried and self._may_try(done, 2 * last.pixels):
            done += self._try(2 * self.data.batch_size, self.side)
        line = fitted(done)
        seconds = last.seconds * (1 if tried else wanted / max(1, last.pixels))
        memory = None if line is None else (last.peak if tried else int(line.at(wanted)))
        fits = tried and (memory is None or memory <= self.room)
        left = max(0, self.ready.total - self.begin)
        total = left * seconds * later + self.extra
        return Preflight(
            device=_device_name(self.ready.device),
            execution=self.execution,
            batch_size=self.data.batch_size,
            size=self.side,
            operations=operations,
            seconds=seconds,
            images_per_second=self.data.batch_size * self.training.accumulate / max(seconds, 1e-9),
            waiting=last.waiting,
            memory=memory,
            room=machine.whole_memory(self.ready.device),
            fits=fits,
            tried=tried,
            largest_batch=self._largest_batch(line),
            largest_size=self._largest_size(line, multiple, minimum) if sizes else None,
            steps=left,
            total_seconds=total,
            ends=datetime.now() + timedelta(seconds=total),
            hints=tuple(self.hints) + _hints(fits, memory, self.room, self.training, self.data.batch_size),
        )

    def _operations(self, method: Method) -> tuple[float, float]:
        """Operations of the first step that is left, and what a step has on average in proportion to it."""
        left = max(1, self.ready.total - self.begin)
        places = {self.begin + int(left * (2 * place + 1) / (2 * PLACES)) for place in range(PLACES)}
        first = count_step(method, self.ready.first, self.begin)
        # What can be recorded as a graph depends on the variant alone.
        kinds = {place: method.variant(place) if method.graphable else place for place in sorted(places)}
        found = {method.variant(self.begin) if method.graphable else self.begin: first}
        found |= {
            kind: count_step(method, self.ready.first, place) for place, kind in kinds.items() if kind not in found
        }
        counts = [found[kind] for kind in kinds.values()]
        share = sum(counts) / len(counts) / first if first else 1.0
        return first * self.training.accumulate, share

    def _climb(self, ladder: Sequence[tuple[int, int]]) -> list[Measured]:
        """Measure steps of ever more images or pixels, as long as the next ones will fit."""
        done: list[Measured] = []
        for images, side in ladder:
            if not self._may_try(done, images * side**2):
                break
            more = self._try(images, side)
            if not more:
                break
            done += more
        return done or [Measured(0, self.side, None, None, 0.0)]

    def _may_try(self, done: list[Measured], pixels: int) -> bool:
        if self.ready.device.type == "cuda" or not done:
            return True
        line = fitted(done)
        return line is None or line.at(pixels) <= self.room

    def _try(self, images: int, side: int) -> list[Measured]:
        try:
            return [self._measure(images, side)]
        except torch.OutOfMemoryError:
            self.hints.append(f"The GPU's memory does not hold a step of {images} images of {side} pixels.")
            return []
        finally:
            gc.collect()
            if self.ready.device.type == "cuda":
                torch.cuda.empty_cache()

    def _measure(self, images: int, side: int) -> Measured:
        whole = (images, side) == (self.data.batch_size, self.side)
        trainer = self.ready.trainer(self.ready.display if whole else None)
        trainer.step = self.begin
        before = held(trainer.device)
        forget_peak(trainer.device)
        waited = 0.0
        steps = 0
        with closing(self._batches(trainer, images, side, whole)) as batches:
            for _ in range(1 if trainer.device.type == "cpu" else 8):  # a graph is recorded after three rounds
                trainer.advance([next(batches) for _ in range(self.training.accumulate)])
            began = now(trainer.device)
            while steps < 2 or (steps < ENOUGH and now(trainer.device) - began < ENOUGH):
                asked = time.perf_counter()
                taken = [next(batches) for _ in range(self.training.accumulate)]
                waited += time.perf_counter() - asked
                trainer.advance(taken)
                steps += 1
            elapsed = now(trainer.device) - began
        highest = peak(trainer.device)
        self.execution = str(trainer.execution)
        if whole:
            self.extra = self._extra(trainer)
        return Measured(images, side, before, highest, elapsed / steps, waited / elapsed, steps)

    def _batches(self, trainer: Trainer, images: int, side: int, whole: bool) -> Yielding[Batch, None, None]:
        if whole:
            return rounds.training_stream(self.ready.train, self.ready.chosen, trainer)
        return again(cut(self.ready.first, images, side if side != self.side else None))

    @torch.no_grad()
    def _extra(self, trainer: Trainer) -> float:
        """Seconds of all samples, validations and checkpoints that are left, from one sheet and one checkpoint."""
        about = self.ready.about(trainer.method)
        began = now(trainer.device)
        seen = [batch.to(trainer.device, trainer.dtype, trainer.memory_format) for batch in self.ready.held.batches(4)]
        trainer.method.picture(seen, deployed(trainer.finished(), about))
        sheet = now(trainer.device) - began
        began = now(trainer.device)
        torch.save(trainer.state(), cast(Any, Nowhere()))
        saved = now(trainer.device) - began
        scored = self.training.validate_images / max(1, len(seen)) if self.ready.held.truth else 0.0
        plan = (
            (self.training.sample_every, sheet),
            (self.training.validate_every, sheet * scored),
            (self.training.save_every, saved),
        )
        left = max(0, self.ready.total - self.begin)
        return sum(seconds * (left // every + 1 if every else 1) for every, seconds in plan)

    def _largest_batch(self, line: Line | None) -> int | None:
        if line is None or line.slope <= 0:
            return 0 if line and line.fixed > self.room else None
        most = int((self.room - line.fixed) / (line.slope * self.side**2))
        return max(0, min(most, len(self.ready.train)))

    def _largest_size(self, line: Line | None, multiple: int, minimum: int) -> int | None:
        if line is None or line.slope <= 0:
            return 0 if line and line.fixed > self.room else None
        side = (max(0.0, self.room - line.fixed) / (line.slope * self.data.batch_size)) ** 0.5
        fitting = int(min(side, LARGEST)) // multiple * multiple
        return fitting if fitting >= minimum else 0


def _sizes(generators: Iterable[nn.Module], any_size: bool) -> tuple[int, int, bool]:
    """Of what the crop must be a multiple, how small it may be, and whether it may be another at all."""
    known = [network for network in generators if isinstance(network, Generator)]
    multiple = math.lcm(*(network.multiple for network in known))
    return multiple, max((network.minimum for network in known), default=1), any_size and bool(known)


def _hints(fits: bool, memory: int | None, room: int, training: TrainingSettings, batch_size: int) -> tuple[str, ...]:
    """What would help where memory does not suffice, or only just does."""
    if memory is None or memory <= NARROW * room:
        return () if fits else ("Use a smaller --size or --batch-size.",)
    ways = [] if batch_size == 1 else ["a smaller --batch-size (with --set accumulate=N for as large a step)"]
    ways += [] if training.checkpointing else ["--set checkpointing=True"]
    ways += ["--precision bf16"] if training.precision in ("32", "64") else []
    return (f"It {'only just fits' if fits else 'does not fit'}: use {', '.join([*ways, 'a smaller --size'])}.",)


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
