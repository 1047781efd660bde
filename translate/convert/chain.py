"""Of a clip whose frames follow from each other: what the next one begins with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from translate import images
from translate.convert.plan import Job
from translate.errors import TranslateError
from translate.images import Picture

FAILED = "begun afresh: the frame before could not be made"
UNREADABLE = "begun afresh: the frame before cannot be read"
OTHER_SIZE = "begun afresh: the frame before is of another size"

Pair = tuple[np.ndarray, np.ndarray]


class Chain:
    """Which frame stands. Jobs come in the order of the clip, each when the one before is done or has failed."""

    def __init__(self, side_by_side: bool) -> None:
        self._side_by_side = side_by_side
        self._stands: Path | None = None

    def begin(self, job: Job) -> Path | None:
        """The output of the frame before `job`: None of the first one, and where that failed. `job` stands not yet."""
        earlier = job.before[1] if job.before and job.before[1] == self._stands else None
        self._stands = None
        return earlier

    def done(self, job: Job) -> None:
        self._stands = job.target

    def pair(
        self, job: Job, earlier: Path | None, read: Callable[[Path], Picture], shape: tuple[int, ...]
    ) -> tuple[Pair | None, str]:
        """The frame before `job`, by `read`, and what was made of it, at `earlier`; else None, and why.

        Both are of `shape` (H, W), as a model is to see them.
        """
        if job.before is None or earlier is None:
            return None, FAILED if job.before else ""
        try:
            # As it lies on the disk, so that a clip that is taken up again goes on from the same numbers.
            before, made = images.to_model(read(job.before[0])), images.to_model(images.read(earlier))
        except TranslateError:
            return None, UNREADABLE
        if self._side_by_side:
            made = made[:, made.shape[1] // 2 :]
        return ((before, made), "") if before.shape[:2] == made.shape[:2] == shape else (None, OTHER_SIZE)
