"""Places of a layer's grid: which are drawn, and what a region of the picture says of each."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

_STRIDE = 1_000_003


def draw_places(grid: tuple[int, int], most: int, weights: Tensor | None, draw: torch.Generator) -> Tensor:
    """Up to `most` places of a grid, or all of them if they are no more, each as likely as its weight says."""
    count = grid[0] * grid[1]
    if weights is None:
        return torch.arange(count) if count <= most else torch.randint(count, (most,), generator=draw)
    odds = weights.detach().cpu().double().cumsum(0)
    drawn = torch.rand(min(most, count), generator=draw, dtype=torch.float64) * odds[-1]
    return torch.searchsorted(odds, drawn, right=True).clamp_(max=count - 1)


def region_of(region: Tensor, grid: Sequence[int], stride: int, centred: bool) -> Tensor:
    """A map (1, 1, H, W) of weights on the grid of a layer, (rows, columns): means over `stride` pixels a side.

    `centred`: a place stands for a patch that begins there, so the weight is that of its middle.
    """
    mean = F.avg_pool2d(region, stride, ceil_mode=True, count_include_pad=False) if stride > 1 else region
    made = mean[0, 0]
    for _ in range(2):  # rows, then, turned, columns
        made = _fitted(made, grid[0], centred).mT
        grid = grid[::-1]
    return made


def _fitted(values: Tensor, count: int, centred: bool) -> Tensor:
    """Rows (h, w) as `count` of them: those beyond the first and last place count with those, so that none is lost."""
    have = len(values)
    if have <= count:
        return torch.cat([values, values[-1:].expand(count - have, -1)])
    first = (have - count) // 2 if centred else 0
    made = values[first : first + count].clone()
    made[0] = values[: first + 1].amax(dim=0)
    made[-1] = torch.maximum(made[-1], values[first + count - 1 :].amax(dim=0))
    return made


def generator(seed: int, *numbers: int) -> torch.Generator:
    """Draws that follow from the seed and the numbers alone."""
    mixed = seed
    for number in numbers:
        mixed = (mixed * _STRIDE + number + 1) % 2**61
    return torch.Generator().manual_seed(mixed)
