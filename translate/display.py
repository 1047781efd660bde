"""Progress on the screen: a live bar where there is a terminal, plain lines where there is none."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from translate.report import Report


class Screen(Console):
    """A console on standard error that falls silent when nobody reads it any more: training goes on."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False)

    def print(self, *objects: Any, **options: Any) -> None:
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Display:
    """Shows notices, preparation and training. `quiet` shows nothing but what `note` is forced to."""

    def __init__(self, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self.console = console or Screen()
        self._live: Live | None = None
        self._bar = Progress(
            TextColumn("[bold]step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=self.console,
        )
        self._task: TaskID | None = None

    def note(self, text: str) -> None:
        """Print one sentence for the user."""
        if not self.quiet:
            self.console.print(text, markup=False, soft_wrap=True)

    def preparing(self, what: str) -> "Counting":
        """A bar for work that counts up; use it as a context manager that gives the progress callback."""
        return Counting(what, self.console, self.quiet)

    def start(self, done: int, total: int) -> None:
        if self.quiet or not self.console.is_terminal:
            return
        self._task = self._bar.add_task("", total=total, completed=done)
        self._live = Live(self._bar, console=self.console, refresh_per_second=4)
        self._live.start()

    def step(self, done: int) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=done)

    def report(self, report: Report, total: int) -> None:
        text = describe(report)
        if self._live:
            self._live.update(Group(self._bar, Text(text)))  # below the bar, where it may wrap
        elif not self.quiet:
            left = (total - report.step) / max(report.steps_per_second, 1e-9)
            self.console.print(f"step {report.step}/{total}  {text}  left {clock(left)}", markup=False, soft_wrap=True)

    def stop(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


class Counting:
    """A bar that counts up to a total, for terminals only."""

    def __init__(self, what: str, console: Console, quiet: bool = False) -> None:
        self._shown = not quiet and console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Callable[[int, int | None], None]:
        if self._shown:
            self._bar.start()
        return lambda done, total: self._bar.update(self._task, completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._bar.stop()


def describe(report: Report) -> str:
    """Losses, speed and how the step divides, in one line."""
    shown = {name: value for name, value in report.losses.items() if not name.startswith("health/")}
    losses = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
    times = f"data {report.data_share:.0%}, compute {1 - report.data_share:.0%}"
    sick = f"  {report.verdict}" if report.verdict else ""
    return f"epoch {report.epoch:.1f}  {losses}  {report.images_per_second:.3g} images/s ({times}){sick}"


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


__all__ = ["Counting", "Display", "clock", "describe"]
