"""The sizes a picture is painted at, smallest first, and how many steps each of them takes."""

import math
from typing import NamedTuple

_FEWEST = 0.25
"""Share of the first scale's steps that every scale takes at least."""
_BEGIN = 2
"""Scales that a frame goes through which begins where the one before ended."""


class Scale(NamedTuple):
    """Pixels of the picture, pixels of the longer side of the whole that it is a part of, and steps."""

    height: int
    width: int
    side: int
    steps: int

    @property
    def work(self) -> int:
        """Pixels computed in all steps together: what time is proportional to."""
        return self.height * self.width * self.steps


def plan_scales(height: int, width: int, side: int, smallest: int, steps: int, *, late: bool = False) -> list[Scale]:
    """The scales of a picture, each sqrt(2) times as large as the one before; the last is its own size.

    The first has a longer side `side` (of the whole that the picture is a part of) of `smallest` pixels or a little
    more, and `steps` steps; the steps of later ones fall as their sides grow, to a quarter. `late` keeps only the last.
    """
    count = max(0, math.floor(2 * math.log2(max(1, side / smallest))))
    scales = []
    for place in range(count, -1, -1):
        factor = math.sqrt(0.5) ** place
        first = math.sqrt(0.5) ** count
        taken = max(1, round(steps * max(_FEWEST, first / factor)))
        scales.append(
            Scale(max(1, round(height * factor)), max(1, round(width * factor)), max(1, round(side * factor)), taken)
        )
    return scales[-_BEGIN:] if late else scales
