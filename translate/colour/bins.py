"""Chroma as classes: the bins of the (a*, b*) plane that sRGB reaches (Zhang, Isola, Efros, ECCV 2016).

A class is a point of a grid of 10 units. A colour is encoded softly, over its five nearest points (section 2.1 of the
paper); a distribution is decoded by its annealed mean (section 2.3), which lies between the mean (temperature 1), dull
where colours compete, and the mode (towards 0), which flickers from place to place.

Where we depart: a class is a cell that holds a colour of sRGB, 260 of them (the paper's list has 313); the prior is a
running one and not smoothed beyond the soft encoding. The paper's
temperature is 0.38, ours 0.05: of two opposite colours that are as likely as each other it keeps 0.7 of the
colourfulness, where 0.2 keeps less than half; on photographs it costs 0.2 dB against that.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.colour.lab import to_lab

GRID = 10.0
NEIGHBOURS = 5
SIGMA = 5.0


@lru_cache(maxsize=1)
def centres() -> Tensor:
    """The points of the grid whose cell holds a colour of sRGB: (Q, 2), sorted, float32 on the CPU."""
    with torch.device("cpu"):  # whatever device networks are being made on
        levels = torch.linspace(-1, 1, 52)
        grid = torch.stack(torch.meshgrid(levels, levels, levels, indexing="ij")).flatten(1)
        _, chroma = to_lab(grid.view(1, 3, 1, -1))
        return (chroma[0, :, 0].T / GRID).round().unique(dim=0) * GRID


def encode(chroma: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest five of `points` (Q, 2) for chroma (N, 2, H, W): indices and weights, (N, 5, H, W) each.

    Weights are Gaussian in the distance, with a deviation of 5, and sum to 1.
    """
    flat = chroma.movedim(1, -1).reshape(-1, 2)
    # Distances from squares, not torch.cdist, which takes its own road in reduced precisions.
    squares = flat.square().sum(1, keepdim=True) - 2 * flat @ points.T + points.square().sum(1)
    nearest, indices = squares.topk(NEIGHBOURS, dim=1, largest=False)
    weights = torch.softmax(-nearest / (2 * SIGMA**2), dim=1)
    shape = (chroma.shape[0], *chroma.shape[2:], NEIGHBOURS)
    return indices.view(shape).movedim(-1, 1), weights.view(shape).movedim(-1, 1)


def decode(logits: Tensor, points: Tensor, temperature: float) -> Tensor:
    """The annealed mean of the distributions softmax(logits), (N, Q, H, W): chroma (N, 2, H, W)."""
    shares = torch.softmax(logits.float() / temperature, dim=1).to(points.dtype)
    return F.conv2d(shares, points.t()[:, :, None, None])  # a matrix product that every exporter knows


def rebalanced(prior: Tensor, mix: float) -> Tensor:
    """What each class weighs in the loss, so that rare colours count (section 2.2): (Q,), 1 on average over `prior`.

    `prior` (Q,) sums to 1; it is mixed with the uniform distribution: `mix` 0 weighs by 1 / prior, 1 all alike.
    """
    mixed = (1 - mix) * prior + mix / len(prior)
    weights = 1 / mixed.clamp(min=torch.finfo(mixed.dtype).tiny)  # with mix 0 a class that was never seen has no share
    return weights / (weights * prior).sum()
