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
    rows, columns = (min(wanted, have) for wanted, have in zip(grid, mean.shape[-2:], strict=True))
    top, left = ((mean.shape[-2] - rows) // 2, (mean.shape[-1] - columns) // 2) if centred else (0, 0)
    cut = mean[0, 0, top : top + rows, left : left + columns]
    return F.pad(cut[None, None], (0, grid[1] - columns, 0, grid[0] - rows), mode="replicate")[0, 0]


def generator(seed: int, *numbers: int) -> torch.Generator:
    """Draws that follow from the seed and the numbers alone."""
    mixed = seed
    for number in numbers:
        mixed = (mixed * _STRIDE + number + 1) % 2**61
    return torch.Generator().manual_seed(mixed)
