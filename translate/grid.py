"""Grids of images for people to look at: one row an example, one column a role, a title over each column."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from translate.images import Picture, to_array

GAP, BAND = 4, 18


def draw_grid(rows: Sequence[dict[str, Tensor]]) -> Picture:
    """Draw `rows`, each {title: (C, H, W) in [-1, 1]}, as one picture; all sizes and channel counts may differ."""
    cells = [{title: _as_rgb(image) for title, image in row.items()} for row in rows]
    titles = list(cells[0])
    widths = [max(row[title].shape[1] for row in cells) for title in titles]
    heights = [max(row[title].shape[0] for title in titles) for row in cells]
    canvas = np.full(
        (BAND + sum(heights) + GAP * len(rows), sum(widths) + GAP * (len(titles) - 1), 3), 255, dtype=np.uint8
    )
    x = 0
    for title, width in zip(titles, widths, strict=True):
        cv2.putText(canvas, title, (x + 2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
        y = BAND
        for row, height in zip(cells, heights, strict=True):
            image = row[title]
            canvas[y : y + image.shape[0], x : x + image.shape[1]] = image
            y += height + GAP
        x += width + GAP
    return Picture(pixels=canvas)


def draw_mosaic(images: Tensor, columns: int | None = None) -> Picture:
    """Draw `images` (N, C, H, W) in [-1, 1] edge to edge, in `columns` (default: about as many as rows)."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    cells = [_as_rgb(image) for image in images]
    height, width = cells[0].shape[:2]
    rows = math.ceil(len(cells) / columns)
    canvas = np.full((rows * height + (rows - 1) * 2, columns * width + (columns - 1) * 2, 3), 255, dtype=np.uint8)
    for place, cell in enumerate(cells):
        y, x = place // columns * (height + 2), place % columns * (width + 2)
        canvas[y : y + height, x : x + width] = cell
    return Picture(pixels=canvas)


def _as_rgb(image: Tensor) -> np.ndarray:
    """The first three channels as RGB; the first alone as grey if there are fewer than three."""
    shown = image[:3] if image.shape[0] >= 3 else image[:1].expand(3, -1, -1)
    return to_array(shown.float().cpu(), np.uint8)
