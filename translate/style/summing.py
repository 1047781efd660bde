"""Sums over places of products of features: what Gram matrices and covariances are made of."""

from typing import Any

import torch
from torch import Tensor

from translate.style.base import check_columns, exact, full


def sums(columns: Tensor, weights: Tensor | None = None) -> Tensor:
    """sum_i w_i [x_i; 1] [x_i; 1]^T of columns x (N, C, n), weights (n,) or (N, n) or all 1: (N, C + 1, C + 1).

    Its corner is the weights' sum. In float64, but where there is none. Has a gradient in the columns, none in the
    weights. Raises ValueError for other shapes.
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
    """`sums` with weights (N, 1, n); its gradient takes one product of matrices where autograd takes two.

    Products are of what deviates from the mean, in single precision; what the mean adds is added in double. Sums of raw
    products would lose, to the mean's square, the digits that a covariance is made of.
    """

    @staticmethod
    def forward(ctx: Any, columns: Tensor, weights: Tensor | None) -> Tensor:
        if columns.shape[2] == 0:
            mean = columns.new_zeros(*columns.shape[:2], 1)
        else:
            mean = columns.mean(dim=2, keepdim=True)
        ctx.save_for_backward(columns, weights, mean)
        off = columns - mean
        weighted = off if weights is None else off * weights
        precise = _precise(columns)
        mean, first = mean.to(precise), weighted.sum(dim=2, keepdim=True, dtype=precise)
        places = first.new_full((len(columns), 1, 1), columns.shape[2])
        total = places if weights is None else weights.sum(dim=2, keepdim=True, dtype=precise)
        second = (weighted @ off.mT).to(precise)
        crossed = first @ mean.mT
        second = second + crossed + crossed.mT + total * (mean @ mean.mT)
        first = first + total * mean
        return torch.cat([torch.cat([second, first], dim=2), torch.cat([first.mT, total], dim=2)], dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        columns, weights, mean = ctx.saved_tensors
        both = grads[0] + grads[0].mT
        products, own = both[:, :-1, :-1], both[:, :-1, -1:]
        shift = (products @ mean.to(both) + own).to(columns)
        grad = torch.baddbmm(shift, products.to(columns), columns - mean)
        return (grad if weights is None else grad * weights), None


def _precise(values: Tensor) -> torch.dtype:
    return values.dtype if values.device.type == "mps" else torch.float64
