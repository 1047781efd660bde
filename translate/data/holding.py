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
"""Of the images; at most; and, where that share is less, so many or a fifth of all, to judge a set by."""


def hold_out(layout: Layout, unfit: Callable[[np.ndarray], str] | None = None) -> tuple[Layout, list[str]]:
    """`layout` of a single folder with a val split taken from train, unless it has a val or test split of some use.

    One image in 20 is taken, from 8 (or a fifth of them) to 64. Which ones follows from the names alone; none that
    cannot be read or of which `unfit` says, as in `open_split`, that it is of no use. Of fewer than 8 images none is
    taken, and most of those of use are left to train. Splits that hold only such images are left out. Also returns
    notices of what was done.
    """
    useless = [name for name, part in layout.splits.items() if name != "train" and not _has_fit(part, unfit)]
    notices = [f"The {name} split holds nothing to validate with and is not used." for name in useless]
    splits = {name: part for name, part in layout.splits.items() if name not in useless}
    layout = replace(layout, splits=splits)
    found = splits["train"].a if "train" in splits else ()
    if set(splits) != {"train"} or len(found) < LEAST:
        return layout, notices
    count = min(MOST, max(min(LEAST, len(found) // 5), round(SHARE * len(found))))
    order = sorted(found, key=lambda image: zlib.crc32(os.fsencode(image.path.relative_to(layout.root))))
    fit = list(islice((image for image in order if _is_fit(image, unfit)), 2 * count))
    held = set(fit[:count] if len(fit) == 2 * count else fit[: len(fit) // 5])
    if not held:
        return layout, notices
    parts = {"train": [image for image in found if image not in held], "val": [i for i in found if i in held]}
    notices.append(f"There is no val split: {len(held)} of {len(found)} images are held out, chosen by name.")
    return replace(layout, splits={name: Split(tuple(part)) for name, part in parts.items()}), notices


def _has_fit(split: Split, unfit: Callable[[np.ndarray], str] | None) -> bool:
    return any(_is_fit(image, unfit) for image in split.a)


def _is_fit(image: Source, unfit: Callable[[np.ndarray], str] | None) -> bool:
    try:
        return not (unfit and unfit(images.read_pixels(image.path)))
    except ImageError:
        return False  # it stays in train, where it is refused or left out as every other one
