"""Holding images out of a single folder that has no split of its own."""

import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np

from translate import images
from translate.data.layout import Layout, Source, Split
from translate.errors import ImageError

SHARE, MOST, LEAST = 0.05, 64, 8


def hold_out(layout: Layout, unfit: Callable[[np.ndarray], str] | None = None) -> Layout:
    """`layout` of a single folder with a val split taken from train: one image in 20, at most 64.

    Which ones follows from the names alone, so that it stays when images come or go; but none that cannot be read or of
    which `unfit` says, as in `open_split`, that it is of no use. Of fewer than 8 images none is taken.
    """
    found = layout.splits["train"].a
    if len(found) < LEAST:
        return layout
    count = min(MOST, max(1, round(SHARE * len(found))))
    order = sorted(found, key=lambda image: zlib.crc32(os.fsencode(image.path.relative_to(layout.root))))
    held = set(islice((image for image in order if unfit is None or _is_fit(image, unfit)), count))
    if not held:
        return layout
    parts = {"train": [image for image in found if image not in held], "val": [i for i in found if i in held]}
    return replace(layout, splits=layout.splits | {name: Split(tuple(part)) for name, part in parts.items()})


def _is_fit(image: Source, unfit: Callable[[np.ndarray], str]) -> bool:
    try:
        return not unfit(images.read_pixels(image.path))
    except ImageError:
        return False  # it stays in train, where it is refused or left out as every other one
