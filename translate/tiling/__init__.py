"""Translate a picture that is too large for memory tile by tile, with the result of the untiled network.

Every tile is computed from exactly the values that the untiled network would compute it from, borders and all, and a
norm by the image's own statistics gets those of the whole picture: one pass over the picture for each such norm. Means
and variances of tiles combine as in Chan et al. 1979.
"""

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import nn

from translate.errors import ConfigError
from translate.networks.blocks import Generator
from translate.tiling.engine import Engine
from translate.tiling.operations import Padded
from translate.tiling.plan import shapes_of, untiled_bytes
from translate.tiling.trace import Node, trace


def translate_tiled(
    network: nn.Module,
    pixels: np.ndarray,
    *,
    tile: int = 1024,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    memory: int = 2 * 2**30,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """What `translate_any_size` makes of `pixels`, (H, W, C) of uint8, uint16 or float32 in about [-1, 1]; H, W >= 1.

    The result is (H, W, C') of the same type; floats are clipped neither before nor after. Beside the two arrays it
    takes `memory` bytes for planes between the passes (the rest of them goes into a temporary file) and what `tile` by
    `tile` pixels take in an untiled forward. Where memory runs out, tiles get smaller, down to 64 pixels. Convolutions
    compute in `dtype`, all else in float32. `progress` gets work done and work in all.

    Raises ConfigError, naming the operation, for a network that cannot be tiled, DiskFullError for a full temporary
    folder, NotFiniteError if the network gives such values, TranslateError if memory does not suffice even for tiles of
    64 pixels.
    """
    if tile < 1:
        raise ConfigError(f"tile is {tile}; it must be 1 or more.")
    own = cast(Generator, network)
    height, width, channels = pixels.shape
    nodes = trace(network, torch.device(device), dtype)
    tall, wide = (-(-max(side, own.minimum) // own.multiple) * own.multiple for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    if (tall, wide) != (height, width):
        nodes = _padded(nodes, (top, left), (tall - height - top, wide - width - left))
    with (
        torch.no_grad(),
        Engine(nodes, shapes_of(nodes, channels, height, width), torch.device(device), memory) as engine,
    ):
        return engine.run(pixels, (top, left), tile, progress)


def bytes_per_pixel(network: nn.Module) -> int:
    """Bytes of float32 values that live at once, at most, for each pixel in an untiled forward of `network`."""
    own = cast(Generator, network)
    nodes = trace(network, torch.device("cpu"), torch.float32)
    # Large, so that what is put around the picture does not count.
    side = own.multiple * math.ceil(max(4096, own.minimum) / own.multiple)
    convolutions = (each for each in network.modules() if isinstance(each, nn.Conv2d))
    channels = own.arguments.get("in_channels") or next(convolutions).in_channels
    return math.ceil(untiled_bytes(nodes, shapes_of(nodes, channels, side, side)) / side**2)


def _padded(nodes: list[Node], before: tuple[int, int], after: tuple[int, int]) -> list[Node]:
    """The same network behind a padding of its input."""
    image = Node(nodes[0].operation, ())
    changed = {nodes[0]: Node(Padded("reflect", before, after), (image,))}
    for node in nodes[1:]:
        changed[node] = Node(node.operation, tuple(changed[each] for each in node.inputs), node.depth)
    return [image, *changed.values()]


__all__ = ["bytes_per_pixel", "translate_tiled"]
