"""Squared Wasserstein-2 distance of features taken as Gaussians (Dowson and Landau, J. Multivariate Analysis, 1982)."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from translate.style.base import Statistic, Target, exact, floored, full
from translate.style.summing import check_target, moments, sums

NOISE = 1e-5
"""Variance of the noise, as a part of the target's mean variance of a feature."""


class Wasserstein(Statistic):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C2^(1/2) C1 C2^(1/2))^(1/2)) of means m and covariances C over places.

    Departs from the paper in this: both sides are taken with independent noise on each feature, of variance 1e-5 of the
    target's mean variance. It stays a squared distance, 0 where mean and covariance are equal, and becomes smooth also
    where covariances are singular, as they are of fewer places than features and of features that never fire.

    The root is computed in float64: its eigenvalues are those of a product of covariances, of twice their range.
    """

    name: ClassVar[str] = "wasserstein"
    sampled: ClassVar[bool] = False

    def summary(self, columns: Tensor, weights: Tensor | None = None) -> Tensor:
        return sums(columns, weights)

    def prepare(self, target: Tensor) -> Target:
        with torch.no_grad(), exact(target):
            target = full(target.detach())
            check_target(target)
            mean, covariance = _gaussian(target)
            variance = _trace(covariance)
            scale = floored(variance, mean.square().sum(dim=1))
            noise = NOISE * scale / mean.shape[1]
            values, vectors = torch.linalg.eigh(covariance)
            root = vectors * (values.clamp(min=0) + noise[:, None]).sqrt()[:, None]
            return Target(target, scale.to(target.dtype).to(target.device), (mean, variance, root, noise))

    def paper_loss(self, summary: Tensor, target: Tensor | Target, generator: torch.Generator | None = None) -> Tensor:
        """The squared distance, with the noise: (N,). `loss` is relative to tr C2.

        tr C2 counts as at least 1e-3 |m2|^2, and as 1e-8. NaN where features are not finite, for all N.
        """
        with exact(summary):
            summary = full(summary)
            mean, covariance = _gaussian(summary)
            goal, spread, root, noise = (part.to(mean) for part in self.prepared(target).parts)
            shared = _RootTrace.apply(covariance, root, noise)
            noises = 2 * noise * mean.shape[1]
            distance = (mean - goal).square().sum(dim=1) + _trace(covariance) + spread + noises - 2 * shared
            distance = distance.clamp(min=0)  # rounding takes it below 0 where they are equal
            return distance.to(summary.dtype).to(summary.device)


class _RootTrace(torch.autograd.Function):
    """tr((R^T (C + noise) R)^(1/2)) of covariances C (N, C, C), where R R^T (1 or N, C, C) is the target's: (N,).

    The gradient is 1/2 R (R^T (C + noise) R)^(-1/2) R^T. Going through that of `eigh` would divide by differences of
    eigenvalues, which are 0 where two are equal; a function of the eigenvalues alone has no need of them.
    """

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, root: Tensor, noise: Tensor) -> Tensor:
        noisy = covariance + torch.diag_embed(noise[:, None].expand(-1, covariance.shape[1]))
        product = root.mT @ noisy @ root
        if not bool(product.isfinite().all()):  # `eigh` would raise; the other statistics give NaN
            ctx.save_for_backward(torch.full_like(product, math.nan))
            return product.new_full((len(product),), math.nan)
        values, vectors = torch.linalg.eigh((product + product.mT) / 2)
        values = values.clamp(min=noise.square()[:, None]).sqrt()  # none is less, but for rounding
        ctx.save_for_backward(root @ (vectors * values.rsqrt()[:, None]))
        return values.sum(dim=1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (half,) = ctx.saved_tensors
        return grads[0][:, None, None] / 2 * (half @ half.mT), None, None


def _gaussian(summary: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C) and covariance (N, C, C) of features from their sums, in float64."""
    mean, square = moments(_where_float64_is(summary).double())
    return mean, square - mean[:, :, None] * mean[:, None]


def _where_float64_is(values: Tensor) -> Tensor:
    return values.cpu() if values.device.type == "mps" else values


def _trace(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=1, dim2=2).sum(dim=1)
