"""Where paintings go in a picture: parts that are painted one over the other, as layers are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from translate import images

_MARGIN = 64
"""Pixels around a masked region that are looked at with it."""


class Part(NamedTuple):
    """Paintings that go to the same place: their numbers, and where, (H, W) in [0, 1]; None: everywhere."""

    numbers: tuple[int, ...]
    mask: np.ndarray | None

    def window(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns that matter to it, of a picture of that size: its region and what lies around it."""
        if self.mask is None:
            return slice(0, height), slice(0, width)
        rows, columns = (np.flatnonzero(self.mask.max(axis=axis)) for axis in (1, 0))
        return _around(rows, height), _around(columns, width)


def parts_of(masks: Sequence[np.ndarray | None], count: int) -> list[Part]:
    """The parts of `count` paintings: those for everywhere first and together, then the masked ones in their order.

    Paintings of the same mask go together; a mask without any white is left out.
    """
    given = list(masks) or [None] * count
    everywhere = tuple(number for number, mask in enumerate(given) if mask is None)
    parts = [Part(everywhere, None)] if everywhere else []
    for number, mask in enumerate(given):
        if mask is None or not mask.any():
            continue
        same = next((at for at, part in enumerate(parts) if _same(part.mask, mask)), None)
        if same is None:
            parts.append(Part((number,), mask.astype(np.float32)))
        else:
            parts[same] = parts[same]._replace(numbers=(*parts[same].numbers, number))
    return parts


def resized(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """A mask (H, W) in [0, 1] in another size."""
    return images.resize(mask[..., None].astype(np.float32), height, width)[..., 0].clip(0, 1)


def _same(one: np.ndarray | None, other: np.ndarray) -> bool:
    return one is not None and np.array_equal(one, other.astype(np.float32))


def _around(places: np.ndarray, length: int) -> slice:
    return slice(max(0, int(places[0]) - _MARGIN), min(length, int(places[-1]) + 1 + _MARGIN))
