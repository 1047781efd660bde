"""Counts the steps of a repainting over all its scales and parts; time is proportional to pixels, not to steps."""

from collections.abc import Callable, Iterable

import numpy as np

from translate.stylize.descent import Measured
from translate.stylize.kinds import Progress, Watch
from translate.stylize.scales import Scale


class Course:
    """What is to be done, what is done, and who hears of it."""

    def __init__(self, scales: Iterable[Scale], watch: Watch | None) -> None:
        planned = list(scales)
        self._watch = watch
        self._steps, self._work = sum(scale.steps for scale in planned), sum(scale.work for scale in planned)
        self._done = self._pixels = 0

    def skip(self, scale: Scale) -> None:
        """Nothing is left to do at that scale."""
        self._done, self._pixels = self._done + scale.steps, self._pixels + scale.work

    def tell(self, scale: Scale, measured: Measured, image: Callable[[], np.ndarray]) -> None:
        """A step has been done."""
        self._done, self._pixels = self._done + 1, self._pixels + scale.height * scale.width
        if self._watch:
            style, content, variation = (measured.parts.get(name, 0.0) for name in ("style", "content", "variation"))
            share, size = self._pixels / self._work, (scale.height, scale.width)
            self._watch(Progress(self._done, self._steps, share, *size, style, content, variation, image))
