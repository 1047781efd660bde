"""A picture in tiles whose features are those of the whole: windows with as much around them as features depend on."""

from collections.abc import Collection, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from translate.features import Features

_PROBE = 64
_LEAST = 64
"""Pixels a side of the smallest tile: below it nearly all would be border."""
Span = tuple[int, int]


class Tile(NamedTuple):
    """Rows and columns of pixels that a tile answers for (`core`), and those that it looks at (`seen`)."""

    core: tuple[Span, Span]
    seen: tuple[Span, Span]

    def look(self, planes: Tensor) -> Tensor:
        """What it sees of (..., H, W)."""
        (top, bottom), (left, right) = self.seen
        return planes[..., top:bottom, left:right]

    def spans(self, extent: Sequence[int], grid: Sequence[int], stride: int) -> tuple[Span, Span]:
        """The rows and columns it answers for, of a layer's `grid` over a picture of `extent`."""
        rows, columns = (
            (first // stride, size if last == length else min(size, last // stride))
            for (first, last), length, size in zip(self.core, extent, grid, strict=True)
        )
        return rows, columns

    def cut(self, values: Tensor, spans: tuple[Span, Span], stride: int) -> Tensor:
        """The part `spans` of the whole map, out of `values`, the map of what the tile sees."""
        (top, bottom), (left, right) = (
            (first - start // stride, last - start // stride)
            for (first, last), (start, _) in zip(spans, self.seen, strict=True)
        )
        return values[..., top:bottom, left:right]


def plan_tiles(features: Features, layers: Collection[str], height: int, width: int, budget: int) -> list[Tile]:
    """The tiles of a picture whose features, with what their gradient needs, take no more than `budget` bytes each.

    One tile if the whole does. A tile is never smaller than 64 pixels a side, whatever the budget.
    """
    deepest = max(features.stride(layer) for layer in layers)
    reach = -(-max(features.reach(layer) for layer in layers) // deepest) * deepest
    affordable = budget / bytes_a_pixel(features, layers)
    if height * width <= affordable:
        return [Tile(((0, height), (0, width)), ((0, height), (0, width)))]
    side = max(_LEAST, int(affordable**0.5) - 2 * reach)
    side = max(deepest, side // deepest * deepest)
    return [
        Tile((rows, columns), (_around(rows, height, reach), _around(columns, width, reach)))
        for rows in _cores(height, side, deepest)
        for columns in _cores(width, side, deepest)
    ]


@torch.no_grad()
def grids(features: Features, layers: Sequence[str], height: int, width: int) -> dict[str, tuple[int, int]]:
    """Rows and columns of each layer's map of a picture: found on two strips of it."""
    thin = max(features.minimum(layers), *(features.stride(layer) for layer in layers))
    like = _like(features)
    tall, wide = (
        features(torch.zeros(1, 3, *size, device=like.device, dtype=like.dtype), layers)
        for size in ((height, thin), (thin, width))
    )
    return {layer: (tall[layer].shape[-2], wide[layer].shape[-1]) for layer in layers}


def bytes_a_pixel(features: Features, layers: Collection[str]) -> float:
    """What the features of a pixel take in memory while their gradient is computed."""
    side = max(_PROBE, features.minimum(layers))
    like = _like(features)
    own = {each.data_ptr() for each in (*features.parameters(), *features.buffers())}
    held: dict[int, int] = {}

    def hold(values: Tensor) -> Tensor:
        storage = values.untyped_storage()
        if values.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return values

    image = torch.zeros(1, 3, side, side, device=like.device, dtype=like.dtype, requires_grad=True)
    with saved_tensors_hooks(hold, lambda values: values):
        maps = features(image, list(layers))
    for values in maps.values():
        hold(values)
    # The gradients of two maps at a time, and what a convolution needs to work with.
    return (sum(held.values()) + 3 * max(held.values(), default=0)) / side**2


def _like(features: Features) -> Tensor:
    """A tensor where features are computed, of their type."""
    return next((each for each in chain(features.parameters(), features.buffers())), torch.zeros(()))


def _cores(length: int, side: int, step: int) -> list[Span]:
    """Cores of about one length, no longer than `side`, all but the last a multiple of `step`."""
    count = -(-length // side)
    each = -(-length // (count * step)) * step
    return [(first, min(length, first + each)) for first in range(0, length, each)]


def _around(core: Span, length: int, reach: int) -> Span:
    return max(0, core[0] - reach), min(length, core[1] + reach)
