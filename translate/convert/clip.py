"""Frames of a clip: which ones the statistics are taken from, and how much pictures change from frame to frame."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from translate import images
from translate.config import ConvertSettings
from translate.convert.plan import Job
from translate.errors import TranslateError
from translate.machine import cores
from translate.streams import in_order

_MOST = 16
_PAIRS = 200


def chosen_frames(jobs: Sequence[Job], how: Literal["first", "mean"]) -> list[Job]:
    """The frames whose statistics are locked: the first, or up to 16 spread evenly over the clip."""
    if how == "first" or len(jobs) < 2:
        return list(jobs[:1])
    places = np.linspace(0, len(jobs) - 1, min(_MOST, len(jobs))).round().astype(int)
    return [jobs[place] for place in places]


def flicker(
    jobs: Sequence[Job], settings: ConvertSettings, stop: Callable[[], bool] = lambda: False
) -> tuple[float, float] | None:
    """Mean absolute difference between successive frames, in 1/255: of the inputs, of the outputs.

    Looks at the files, so that frames count which an earlier run made, and at up to 200 pairs, spread evenly. Pairs
    of which a file cannot be read, or whose sizes differ, are left out; None if no pair is left.
    """
    count = max(0, len(jobs) - 1)
    places = np.unique(np.linspace(0, max(0, count - 1), min(_PAIRS, count)).round().astype(int))
    pairs = (jobs[place : place + 2] for place in places if not stop())
    measured = [change for change in in_order(lambda pair: _change(pair, settings), pairs, cores()) if change]
    return None if not measured else (float(np.mean(measured, axis=0)[0]), float(np.mean(measured, axis=0)[1]))


def _change(pair: Sequence[Job], settings: ConvertSettings) -> tuple[float, float] | None:
    try:
        before, after = ([_values(getattr(job, end), settings) for job in pair] for end in ("source", "target"))
    except TranslateError:
        return None
    if settings.side_by_side:
        after = [values[:, values.shape[1] // 2 :] for values in after]
    if before[0].shape != before[1].shape or after[0].shape != after[1].shape:
        return None
    return float(np.abs(before[1] - before[0]).mean()), float(np.abs(after[1] - after[0]).mean())


def _values(path: Path, settings: ConvertSettings) -> np.ndarray:
    pixels = images.read(path, most_pixels=2 * settings.max_pixels).pixels
    return (images.to_depth(pixels, np.float32) + 1) * 127.5
