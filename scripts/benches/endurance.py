"""Ten thousand steps of a tiny model through `translate fit`: are time and memory flat, and what does the rest cost.

Everything is as a user has it: reports, samples, validations, checkpoints, verdicts and probes as often as by default.
"""

import argparse
import functools
import gc
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch

import translate
from translate import rounds
from translate.config import TrainingSettings
from translate.data.drawn import make
from translate.display import Display
from translate.run import Run
from translate.training.trainer import Trainer
from translate.watch import Watch

DATA = {"pix2pix": "drawn-facades", "cycle": "drawn-seasons"}
BATCH = {"pix2pix": 4, "cycle": 1}
STEPS = "steps"
PARTS: dict[str, list[tuple[Any, str]]] = {
    STEPS: [(Trainer, "advance")],
    "waiting for data": [(rounds, "_taken")],
    "reports": [(Run, "_report"), (Display, "report"), (Display, "step")],
    "samples": [(Run, "sample")],
    "validations": [(Run, "validate")],
    "checkpoints": [(Run, "save")],
    "probes": [(Watch, "_probe")],
    "verdicts": [(Watch, "after_step")],
    "other bookkeeping": [(Run, "after_step")],
}
"""What time is spent on, by the functions that spend it; a part within another is not counted to the other."""
SMALL = ("reports", "samples")
MOST = 0.02
"""The share of the time that SMALL may take."""
SLOWER, LARGER = 0.05, 0.02
"""How much more the last stretch may take than the second, in time and in memory, and still be flat."""


class Clock:
    """Where time goes, and what each step took."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.spent: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self.steps: list[tuple[float, float]] = []
        """Wall and processor seconds of each step."""
        self.marks: list[tuple[int, float, int, int, int]] = []
        """After a stretch: steps, wall clock, bytes held, bytes held on the GPU, objects that Python tracks."""
        self.began = 0.0
        self._within: list[float] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        if name != STEPS:
            self._wait()  # what steps have left to do counts to them
        began, processor = time.perf_counter(), time.process_time()
        self.began = self.began or began
        self._within.append(0.0)
        try:
            yield
        finally:
            if name != STEPS:
                self._wait()
            took = time.perf_counter() - began
            self.spent[name] += took - self._within.pop()
            self.calls[name] += 1
            if self._within:
                self._within[-1] += took
            if name == STEPS:
                self.steps.append((took, time.process_time() - processor))

    def _wait(self) -> None:
        if self.device.type == "cuda":
            began = time.perf_counter()
            torch.cuda.synchronize(self.device)
            waited = time.perf_counter() - began
            self.spent[STEPS] += waited
            if self._within:
                self._within[-1] += waited

    def mark(self) -> None:
        gc.collect()
        on_gpu = torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0
        self.marks.append((len(self.steps), time.perf_counter(), resident(), on_gpu, len(gc.get_objects())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=DATA, default="pix2pix")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--stretch", type=int, help="steps in a row of the table; default: a tenth")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, help=f"default: {BATCH}")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="further settings of the run")
    given = parser.parse_args()
    stretch = given.stretch or max(1, given.steps // 10)
    if given.steps < 3 * stretch:
        parser.error("--steps is three stretches or more")
    clock = Clock(torch.device(given.device))
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder), given, clock, stretch)
    show(clock, given, stretch)


def train(folder: Path, given: argparse.Namespace, clock: Clock, stretch: int) -> None:
    root = make(DATA[given.mode], folder / "data", size=given.size)
    own: dict[str, Any] = {"blocks": 2} if given.mode == "cycle" else {}
    own |= {"batch_size": given.batch or BATCH[given.mode], "width": given.width, "width_d": given.width}
    own |= {name: value for name, _, value in (each.partition("=") for each in given.set)}
    with ExitStack() as stack:
        for name, places in PARTS.items():
            for owner, function in places:
                clocked = _clocked(getattr(owner, function), clock, name, stretch)
                stack.enter_context(mock.patch.object(owner, function, clocked))
        translate.fit(
            root, mode=given.mode, out=folder / "runs", name="run", steps=given.steps, size=given.size,
            device=given.device, threads=given.threads, quiet=True, **own,
        )  # fmt: skip
    if clock.marks[-1][0] < given.steps:
        clock.mark()


def _clocked(function: Any, clock: Clock, name: str, stretch: int) -> Any:
    @functools.wraps(function)
    def timed(*given: Any, **named: Any) -> Any:
        before = len(clock.steps)
        with clock.part(name):
            made = function(*given, **named)
        if name == STEPS and len(clock.steps) > before and len(clock.steps) % stretch == 0:
            began = time.perf_counter()
            clock.mark()
            clock.spent["this measurement"] += time.perf_counter() - began
        return made

    return timed


def show(clock: Clock, given: argparse.Namespace, stretch: int) -> None:
    usual = TrainingSettings.checked({"steps": 1})
    every = ("report_every", "sample_every", "save_every", "validate_every", "health_every", "probe_every")
    print(
        f"torch {torch.__version__}, {given.device}, load {os.getloadavg()[0]:.1f}; {given.mode}, width {given.width}"
    )
    print(", ".join(f"{name} {getattr(usual, name)}" for name in every), *given.set)
    print(f"\n{'steps':>7}{'median ms':>11}{'processor ms':>14}{'held MiB':>10}{'GPU MiB':>9}{'objects':>9}")
    rows = []
    for done, _, held, on_gpu, objects in clock.marks:
        part = clock.steps[done - stretch : done]
        wall, processor = (median(step[place] for step in part) * 1e3 for place in (0, 1))
        rows.append((wall, processor, held / 2**20))
        print(f"{done:>7}{wall:>11.2f}{processor:>14.2f}{held / 2**20:>10.1f}{on_gpu / 2**20:>9.1f}{objects:>9}")
    total = clock.marks[-1][1] - clock.began
    spent = dict(clock.spent)
    total -= spent.pop("this measurement", 0.0)
    spent["between them"] = total - sum(spent.values())
    print(f"\n{'':<20}{'calls':>8}{'ms each':>10}{'seconds':>10}{'share':>9}")
    for name, seconds in sorted(spent.items(), key=lambda each: -each[1]):
        calls = clock.calls.get(name, 0)
        each = f"{seconds / calls * 1e3:.3f}" if calls else ""
        print(f"{name:<20}{calls or '':>8}{each:>10}{seconds:>10.2f}{seconds / total:>9.2%}")
    share = sum(spent.get(name, 0.0) for name in SMALL) / total
    print(f"\n{' and '.join(SMALL)}: {share:.2%} of the time, {'good' if share < MOST else f'MORE than {MOST:.0%}'}")
    for name, place, most in (("step time", 0, SLOWER), ("processor time", 1, SLOWER), ("memory", 2, LARGER)):
        growth = rows[-1][place] / rows[1][place] - 1
        said = "flat" if growth <= most else "NOT FLAT"
        print(f"{name}: {growth:+.1%} from the second stretch to the last, {said}")


def resident() -> int:
    """Bytes that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
