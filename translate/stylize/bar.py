"""How a picture gets on that is being repainted, on the screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from translate.stylize.kinds import Progress


class Bar:
    """How a picture gets on that is being repainted, and how many of how many there are; for terminals only."""

    def __init__(self) -> None:
        self._shown: tuple[Live, RichProgress, TaskID] | None = None
        self._text, self._name, self._size = Text(), "", (0, 0)
        self._scale, self._count = 0, ""

    @contextmanager
    def on(self, console: Console) -> Iterator[Callable[[int, int | None], None]]:
        """Show it on `console`; gives the callback for pictures done, and in all."""
        if console.quiet or not console.is_terminal:
            yield lambda done, total: None
            return
        bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        with Live(Group(bar, self._text), console=console, refresh_per_second=4) as live:
            self._shown = (live, bar, bar.add_task("painting", total=1.0))
            try:
                yield self._counted
            finally:
                self._shown = None

    def follow(self, name: str, progress: Progress) -> None:
        """Show how far the picture `name` is."""
        shown = self._shown
        if shown is None:
            return
        live, bar, task = shown
        if name != self._name or progress.done <= 1:
            self._name, self._size, self._scale = name, (0, 0), 0
            bar.reset(task, total=1.0)
        if self._size != (progress.height, progress.width):
            self._size, self._scale = (progress.height, progress.width), self._scale + 1
        bar.update(task, completed=progress.share, description=f"{self._count}{name}")
        self._text = Text(described(progress, self._scale))
        live.update(Group(bar, self._text))

    def _counted(self, done: int, total: int | None) -> None:
        self._count = f"{done + 1}/{total} " if total and total > 1 and done < total else ""


def described(progress: Progress, scale: int) -> str:
    """Scale, step, size and the three losses, in one line."""
    place = f"scale {scale} ({progress.width} x {progress.height})  step {progress.done}/{progress.total}"
    return f"{place}  style {progress.style:.4f}  content {progress.content:.4f}  variation {progress.variation:.4f}"
