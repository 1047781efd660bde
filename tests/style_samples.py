"""Features drawn for tests of the losses of style, and those losses as the tests ask for them."""

import torch
from torch import Tensor

from translate.style import find_statistic


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Features with unequal variances and means that are not 0."""
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    channels = torch.arange(1, shape[1] + 1, dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 2))
    return (values * channels + channels / 2).to(dtype)


def loss_of(name: str, columns: Tensor, target: Tensor, weights: Tensor | None = None, *, paper: bool = False):
    statistic = find_statistic(name)
    loss = statistic.paper_loss if paper else statistic.loss
    generator = torch.Generator().manual_seed(7)
    return loss(statistic.summary(columns, weights), statistic.summary(target), generator)
