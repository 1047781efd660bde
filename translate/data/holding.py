"""Holding images out of a single folder that has no split of its own."""

import os
import zlib
from dataclasses import replace

from translate.data.layout import Layout, Split

SHARE, MOST, LEAST = 0.05, 64, 8


def hold_out(layout: Layout) -> Layout:
    """`layout` of a single folder with a val split taken from train: one image in 20, at most 64.

    Which ones follows from the names alone, so that it stays when images come or go. Of fewer than 8 images none is
    taken.
    """
    images = layout.splits["train"].a
    if len(images) < LEAST:
        return layout
    count = min(MOST, max(1, round(SHARE * len(images))))
    order = sorted(images, key=lambda image: zlib.crc32(os.fsencode(image.path.relative_to(layout.root))))
    held = set(order[:count])
    parts = {"train": [image for image in images if image not in held], "val": [i for i in images if i in held]}
    return replace(layout, splits=layout.splits | {name: Split(tuple(part)) for name, part in parts.items()})
