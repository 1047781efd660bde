"""What a run would take before it is begun: memory, time, and how much larger it could be."""

import gc
import os
import time
from collections.abc import Generator as Yielding
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, cast

import torch

from translate import checkpoint, machine, rounds
from translate.data.batch import Batch
from translate.display import clock
from translate.errors import ConfigError
from translate.methods import Method
from translate.preparing import Prepared, prepared
from translate.tiling.memory import ran_out
from translate.training import gauge
from translate.training.counting import count_step
from translate.training.gauge import Limits, Measured
from translate.training.trainer import Trainer
from translate.validation import deployed

ROOM = 0.9
"""Share of the memory that a run may be planned with: of the rest the system and the loaders live."""
NARROW = 0.85
"""Share of that from which on it is said what would spare memory."""
ENOUGH = 10.0
"""Seconds, or steps, after which measuring ends."""
PLACES = 4
"""Places along the run whose operations are counted, since a run may begin otherwise than it goes on."""
CACHED = 0.05
"""Share of that from which on decoded images are worth a word."""
GIB = 2**30
MISSING = "not measured: no step fits"


@dataclass(frozen=True)
class Preflight:
    """What a run would take. Bytes, seconds; `memory`, `largest_batch` and `largest_size` None: unknown.

    `operations` are those of a step. `tried`: measured as asked for; else estimated from less, because it would not fit
    (`fits`), or did not. What is told of time is None where not even the smallest step fitted. `waiting` is the share
    of time spent waiting for images, of which there are `images`. `largest_batch` holds at this size, `largest_size` at
    this batch; both are estimates, 0: none fits.
    """

    device: str
    execution: str
    batch_size: int
    size: int
    images: int
    operations: float
    seconds: float | None
    images_per_second: float | None
    waiting: float
    memory: int | None
    room: int
    fits: bool
    tried: bool
    largest_batch: int | None
    largest_size: int | None
    steps: int
    total_seconds: float | None
    ends: datetime | None
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        step, speed, whole = [MISSING] * 3
        if self.seconds is not None and self.images_per_second is not None:
            step = f"{self.seconds:.3g} s ({self.operations / max(self.seconds, 1e-9) / 1e9:.4g} G/s)"
            speed = f"{self.images_per_second:.3g} images/s, {self.waiting:.0%} of the time waiting for images"
        if self.total_seconds is not None and self.ends is not None:
            whole = f"{clock(self.total_seconds)} with samples, scores and checkpoints; begun now, it ends "
            whole += f"{self.ends:%Y-%m-%d %H:%M}"
        batch = {None: "unknown", 0: "none fits", self.images: f"{self.images}, as many as the set has,"}
        size = {None: "unknown, or none other", 0: "none fits"}
        lines = {
            "device": ", ".join(filter(None, (self.device, self.execution))),
            "a step": f"{self.operations / 1e9:.4g} G operations, {step}",
            "speed": speed,
            "memory": f"{self._memory()} of {self.room / GIB:.1f} GiB",
            "largest batch": f"{batch.get(self.largest_batch, f'about {self.largest_batch}')} at {self.size} pixels",
            "largest crop": f"{size.get(self.largest_size, f'about {self.largest_size} pixels')} at batch "
            f"{self.batch_size}",
            "whole run": f"{self.steps} steps, {whole}",
        }
        return "\n".join([f"{name:<15}{text}" for name, text in lines.items()] + list(self.hints))

    def _memory(self) -> str:
        if self.memory is None:
            return "more than is free" if self.seconds is None else "unknown on this system"
        return f"{self.memory / GIB:.2f} GiB at the peak{'' if self.tried else ' (estimated, not tried)'}"


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
        try:
            return _Flight(ready, begin).report()
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise ConfigError("Not even the networks fit into memory: use smaller ones, or a smaller cache.") from error


class _Flight:
    """Measures the run `ready` from step `begin` on."""

    def __init__(self, ready: Prepared, begin: int) -> None:
        self.ready = ready
        self.begin = begin
        self.left = max(0, ready.total - begin)
        self.data = ready.chosen.data
        self.training = ready.chosen.training
        self.room = int(machine.whole_memory(ready.device) * ROOM)
        self.side = round((ready.first.a.shape[-1] * ready.first.a.shape[-2]) ** 0.5)
        self.execution = ""
        self.beyond: int | None = None
        """Pixels of the smallest step that memory did not hold."""
        self.extra = 0.0
        """Seconds that samples, scores and checkpoints of the whole run take."""
        self.hints: list[str] = []

    def report(self) -> Preflight:
        method = self.ready.method()
        multiple, minimum, any_size = gauge.sizes(method)
        small = min(self.side, max(minimum, -(-min(self.side, 256) // multiple) * multiple)) if any_size else self.side
        operations, later = self._operations(method)
        del method
        ladder = sorted({(1, small), (1, self.side), (self.data.batch_size, self.side)})
        done = self._climb(ladder)
        last = done[-1] if done else None
        wanted = self.data.batch_size * self.side**2
        tried = last is not None and last.pixels == wanted
        if len(done) == 1 and tried and self._may_try(done, 2 * wanted):
            done += self._try(2 * self.data.batch_size, self.side)
        limits = Limits(line := gauge.fitted(done), self.room, self.beyond)
        seconds = None if last is None else last.seconds * wanted / last.pixels
        memory = None if line is None or last is None else (last.peak if tried else int(line.at(wanted)))
        fits = tried and (memory is None or memory <= self.room)
        total = None if seconds is None else self.left * seconds * later + self.extra
        return Preflight(
            device=gauge.device_name(self.ready.device),
            execution=self.execution,
            batch_size=self.data.batch_size,
            size=self.side,
            images=len(self.ready.train),
            operations=operations,
            seconds=seconds,
            images_per_second=self.data.batch_size * self.training.accumulate / seconds if seconds else None,
            waiting=last.waiting if last else 0.0,
            memory=memory,
            room=machine.whole_memory(self.ready.device),
            fits=fits,
            tried=tried,
            largest_batch=limits.batch(self.side, len(self.ready.train)),
            largest_size=limits.side(self.data.batch_size, multiple, minimum) if any_size else None,
            steps=self.left,
            total_seconds=total,
            ends=None if total is None else datetime.now() + timedelta(seconds=total),
            hints=tuple(self.hints) + self._hints(fits, memory, self.side >= minimum + multiple),
        )

    def _operations(self, method: Method) -> tuple[float, float]:
        """Operations of the first step that is left, and what a step has on average in proportion to it."""
        places = {self.begin + int(max(1, self.left) * (2 * place + 1) / (2 * PLACES)) for place in range(PLACES)}
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
            more = self._try(images, side) if self._may_try(done, images * side**2) else []
            if not more:
                break
            done += more
        return done

    def _may_try(self, done: list[Measured], pixels: int) -> bool:
        if self.ready.device.type == "cuda" or not done:
            return True
        line = gauge.fitted(done)
        return line is None or line.at(pixels) <= self.room

    def _try(self, images: int, side: int) -> list[Measured]:
        try:
            return [self._measure(images, side)]
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            self.beyond = images * side**2
            whose = "The GPU's memory" if self.ready.device.type == "cuda" else "Memory"
            self.hints.append(f"{whose} does not hold a step of {images} x {side} x {side} pixels.")
            return []
        finally:
            gc.collect()
            if self.ready.device.type == "cuda":
                torch.cuda.empty_cache()

    def _measure(self, images: int, side: int) -> Measured:
        whole = (images, side) == (self.data.batch_size, self.side)
        trainer = self.ready.trainer(self.ready.display if whole else None)
        trainer.step = self.begin
        before = gauge.held(trainer.device)
        gauge.forget_peak(trainer.device)
        waited = 0.0
        steps = 0
        with closing(self._batches(trainer, images, side, whole)) as batches:
            for _ in range(1 if trainer.device.type == "cpu" else 8):  # a graph is recorded after three rounds
                trainer.advance([next(batches) for _ in range(self.training.accumulate)])
            began = gauge.now(trainer.device)
            while steps < 2 or (steps < ENOUGH and gauge.now(trainer.device) - began < ENOUGH):
                asked = time.perf_counter()
                taken = [next(batches) for _ in range(self.training.accumulate)]
                waited += time.perf_counter() - asked
                trainer.advance(taken)
                steps += 1
            elapsed = gauge.now(trainer.device) - began
        highest = gauge.peak(trainer.device)
        self.execution = str(trainer.execution)
        if whole:
            self.extra = self._extra(trainer)
        return Measured(images, side, before, highest, elapsed / steps, waited / elapsed, steps)

    def _batches(self, trainer: Trainer, images: int, side: int, whole: bool) -> Yielding[Batch, None, None]:
        if whole:
            return rounds.training_stream(self.ready.train, self.ready.chosen, trainer)
        return gauge.again(gauge.cut(self.ready.first, images, side if side != self.side else None))

    @torch.no_grad()
    def _extra(self, trainer: Trainer) -> float:
        """Seconds of all samples, validations and checkpoints that are left, from one sheet and one checkpoint."""
        about = self.ready.about(trainer.method)
        began = gauge.now(trainer.device)
        seen = [batch.to(trainer.device, trainer.dtype, trainer.memory_format) for batch in self.ready.held.batches(4)]
        trainer.method.picture(seen, deployed(trainer.finished(), about))
        sheet = gauge.now(trainer.device) - began
        began = gauge.now(trainer.device)
        torch.save(trainer.state(), cast(Any, gauge.Nowhere()))
        saved = gauge.now(trainer.device) - began
        looked = min(self.training.validate_images, self.ready.held.count)
        scored = looked / max(1, len(seen)) if self.ready.held.truth else 0.0
        plan = (
            (self.training.sample_every, sheet),
            (self.training.validate_every, sheet * scored),
            (self.training.save_every, saved),
        )
        return sum(seconds * (self.left // every + 1 if every else 1) for every, seconds in plan)

    def _hints(self, fits: bool, memory: int | None, smaller: bool) -> tuple[str, ...]:
        """What would help where memory does not suffice, or only just does; `smaller`: images may be."""
        if fits and (memory is None or memory <= NARROW * self.room):
            return ()
        smaller_batch = "a smaller --batch-size (with --set accumulate=N for as large a step)"
        ways = [smaller_batch] if self.data.batch_size > 1 else []
        ways += [] if self.training.checkpointing else ["--set checkpointing=True"]
        ways += ["--precision bf16"] if self.training.precision in ("32", "64") else []
        ways += ["a smaller --size" if smaller else "smaller networks"]
        # What is not filled takes address space only, which a limit may be of.
        cached = self.data.cache << 20 if self.beyond is not None else self.ready.train.cache.used
        if self.ready.device.type == "cpu" and cached > CACHED * self.room:
            ways.append(f"a smaller cache (--set cache=N, now {self.data.cache})")
        return (f"It {'only just fits' if fits else 'does not fit'}: use {', '.join(ways)}.",)
