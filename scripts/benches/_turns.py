"""Processes that each keep one training step warm and do it when it is their turn, with the memory that it takes."""

import multiprocessing
import os
import resource
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from _steps import Row, make_step, peak, timed

from translate.config import TrainingSettings
from translate.training.execution import configure_backends

MARGIN = 2**30
"""Bytes of the machine's memory that are left to others."""
PEAK = "peak"
"""Name of the row that measures products of matrices in place of a step."""


class Ready(NamedTuple):
    """A step that has been done a few times: what it computes, and what the process has held at most for it."""

    precision: str
    words: str
    """How it is computed."""
    notices: list[str]
    first: float
    """Seconds of the first steps, with all that is done once."""
    memory: int
    """Bytes beyond what was held before the networks were made; on a GPU, taken from the device."""
    held: int
    """Bytes of the machine's memory that the process keeps between its turns, less than at most."""


class Turn(NamedTuple):
    """Seconds and processor seconds of one step."""

    seconds: float
    processor: float


class DoesNotFitError(Exception):
    """There is not enough memory for a row."""


class BrokenRowError(Exception):
    """A row's own error, with its traceback."""


class Player:
    """One row's process. Raises DoesNotFitError where memory runs out, BrokenRowError for any other error in it."""

    def __init__(self, row: Row, warmup: int) -> None:
        self.row = row
        limit = available() - MARGIN
        if limit < MARGIN:
            raise DoesNotFitError("no memory is left")
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, row, warmup, limit))
        self._process.start()
        theirs.close()
        self.ready: Any = self._answer()

    def turn(self, times: int) -> Turn:
        """Do `times` steps; their mean."""
        self._pipe.send(times)
        return Turn(*self._answer())

    def peaks(self, best: dict[str, float]) -> dict[str, float]:
        """`best`, operations a second of a matrix product by precision, or better ones; asked of PEAK's process."""
        self._pipe.send(1)
        return {precision: max(value, best.get(precision, 0.0)) for precision, value in self._answer().items()}

    def stop(self) -> None:
        self._pipe.close()
        self._process.join(timeout=20)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def _answer(self) -> Any:
        try:
            kind, value = self._pipe.recv()
        except EOFError:
            self._process.join()
            kind, value = "memory", f"the process ended with code {self._process.exitcode}"
        if kind == "good":
            return value
        self.stop()
        if kind == "memory":
            raise DoesNotFitError(value)
        raise BrokenRowError(value)


def available() -> int:
    """Bytes of memory that the machine could still give."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def _work(pipe: Connection, row: Row, warmup: int, limit: int) -> None:
    if row.device == "cpu":  # an allocation beyond it fails, where the kernel would else end some process
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        _serve(pipe, row, warmup)
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        pass
    except (MemoryError, torch.OutOfMemoryError) as error:
        pipe.send(("memory", str(error).splitlines()[0]))
    except Exception as error:
        kind = "memory" if "allocate memory" in str(error) else "bad"
        pipe.send((kind, str(error).splitlines()[0] if kind == "memory" else traceback.format_exc()))


def _serve(pipe: Connection, row: Row, warmup: int) -> None:
    device = torch.device(row.device)
    if row.threads:
        torch.set_num_threads(row.threads)
    if row.variant == PEAK:
        configure_backends(TrainingSettings.checked({}), device)
        pipe.send(("good", None))
        while pipe.recv():
            pipe.send(("good", {precision: peak(precision, device) for precision in ("32", "bf16")}))
    before = _status("VmRSS")
    began = time.perf_counter()
    step, precision, words, notices = make_step(row)
    for _ in range(warmup):
        step()
    timed(lambda: None, device)
    first = time.perf_counter() - began
    _forget_peak(device)
    timed(step, device)
    memory = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else _status("VmHWM") - before
    held = max(0, _status("VmHWM") - _status("VmRSS"))
    pipe.send(("good", Ready(precision, words, notices(), first, memory, held)))
    while True:
        times = pipe.recv()
        if device.type == "cuda":
            step()  # takes again what was given back
        spent = time.process_time()
        seconds = timed(step, device, times)
        pipe.send(("good", (seconds, (time.process_time() - spent) / times)))
        if device.type == "cuda":
            torch.cuda.empty_cache()  # for the others


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    """Bytes, from a line of this process's status."""
    lines = Path(f"/proc/{os.getpid()}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
