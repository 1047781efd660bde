"""Frames of a clip: which ones the statistics are taken from, and how much pictures change from frame to frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from translate import images
from translate.convert.plan import Job
from translate.errors import TranslateError

_MOST = 16


def chosen_frames(jobs: Sequence[Job], how: Literal["first", "mean"]) -> list[Job]:
    """The frames whose statistics are locked: the first, or up to 16 spread evenly over the clip."""
    if how == "first" or len(jobs) < 2:
        return list(jobs[:1])
    places = np.linspace(0, len(jobs) - 1, min(_MOST, len(jobs))).round().astype(int)
    return [jobs[place] for place in places]


def flicker(jobs: Sequence[Job], side_by_side: bool = False) -> tuple[float, float] | None:
    """Mean absolute difference between successive frames, in 1/255: of the inputs, of the outputs.

    Looks at the files, so that frames count which an earlier run made. Pairs of which a file cannot be read, or whose
    sizes differ, are left out; None if no pair is left.
    """
    sums, pairs, last = np.zeros(2), 0, None
    for job in jobs:
        try:
            before, after = _values(job.source), _values(job.target)
        except TranslateError:
            last = None
            continue
        pair = [before, after[:, after.shape[1] // 2 :] if side_by_side else after]
        if last and all(old.shape == new.shape for old, new in zip(last, pair, strict=True)):
            sums += [np.abs(new - old).mean() for old, new in zip(last, pair, strict=True)]
            pairs += 1
        last = pair
    return None if not pairs else (float(sums[0] / pairs), float(sums[1] / pairs))


def _values(path: Path) -> np.ndarray:
    pixels = images.read(path).pixels
    return (images.to_depth(pixels, np.float32) + 1) * 127.5
