"""Gram matrices (Gatys, Ecker, Bethge, Image style transfer using convolutional neural networks, CVPR 2016)."""

from typing import ClassVar

import torch
from torch import Tensor

from translate.style.base import SMALLEST, Statistic, Target, exact, full
from translate.style.summing import check_target, moments, sums


class Gram(Statistic):
    """The mean over places of products of two features, not centred: (C, C).

    The paper's Gram matrices, eq. (3), are sums over the M places of a layer of N features. Ours are divided each by
    the number of its own places, or by their weights' sum, so that picture and painting may differ in size.
    """

    name: ClassVar[str] = "gram"
    sampled: ClassVar[bool] = False

    def summary(self, columns: Tensor, weights: Tensor | None = None) -> Tensor:
        return sums(columns, weights)

    def prepare(self, target: Tensor) -> Target:
        with torch.no_grad(), exact(target):
            target = full(target.detach())
            check_target(target)
            gram = moments(target)[1]
            scale = gram.square().sum(dim=(1, 2)) / _halves(gram)
            return Target(target, scale.clamp(min=SMALLEST / _halves(gram)), (gram,))

    def paper_loss(self, summary: Tensor, target: Tensor | Target, generator: torch.Generator | None = None) -> Tensor:
        """E_l of eq. (4), 1 / (4 N^2 M^2) sum (G - A)^2 with sums G and A over M places: (N,).

        As ours are means, M cancels, and it is |G - A|^2 / (4 N^2). Equal to the paper's where picture and painting
        have as many places; the sum over layers, eq. (5), is the caller's. `loss` is |G - A|^2 / |A|^2 (Frobenius
        norms), with |A|^2 >= 1e-8.
        """
        with exact(summary):
            (goal,) = self.prepared(target).parts
            gram = moments(full(summary))[1]
            return (gram - goal.to(gram)).square().sum(dim=(1, 2)) / _halves(gram)


def _halves(gram: Tensor) -> int:
    return 4 * gram.shape[-1] ** 2
