"""Sums over places of products of features: what Gram matrices and covariances are made of."""

from typing import Any

import torch
from torch import Tensor

from translate.style.base import check_columns, exact, full


def sums(columns: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum_i w_i [x_i; 1] [x_i; 1]^T of columns x (N, C, n), weights (n,) or (N, n) or all 1: (N, C + 1, C + 1).

    Its corner is the weights' sum. Has a gradient in the columns, none in the weights. Raises ValueError for other
    shapes.
    """
    check_columns(columns, weights)
    with exact(columns):
        columns = full(columns)
        if weights is not None:
            weights = weights.detach().to(columns).expand(len(columns), columns.shape[2])[:, None]
        return _Sums.apply(columns, weights)


def moments(summary: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and mean square, not centred, (N, C, C) of features from their `sums`."""
    means = summary[:, :-1] / summary[:, -1:, -1:]
    return means[:, :, -1], means[:, :, :-1]


def check_target(summary: Tensor) -> None:
    """Raise ValueError unless sums (N, C + 1, C + 1) are finite and of at least one place."""
    if not bool(summary.isfinite().all()):
        raise ValueError("the target's features are not finite")
    if not bool((summary[:, -1, -1] > 0).all()):
        raise ValueError("the target has no place: all its weights are 0")


class _Sums(torch.autograd.Function):
    """`sums` with weights (N, 1, n); its gradient takes one product of matrices where autograd takes two."""

    @staticmethod
    def forward(ctx: Any, columns: Tensor, weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(columns, weights)
        weighted = columns if weights is None else columns * weights
        first = weighted.sum(dim=2, keepdim=True)
        places = first.new_full((len(columns), 1, 1), columns.shape[2])
        total = places if weights is None else weights.sum(dim=2, keepdim=True)
        second = weighted @ columns.mT
        return torch.cat([torch.cat([second, first], dim=2), torch.cat([first.mT, total], dim=2)], dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        columns, weights = ctx.saved_tensors
        both = grads[0] + grads[0].mT
        grad = torch.baddbmm(both[:, :-1, -1:], both[:, :-1, :-1], columns)
        return (grad if weights is None else grad * weights), None
