"""What a statistic of style is: features at many places as one summary, and how far two summaries are apart."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

FLATTEST = 1e-3
"""A target that deviates by less than this part of its mean square counts as deviating by so much."""

SMALLEST = 1e-8
"""What a loss is relative to is never less than this, so that a target of zeros does not divide by 0."""


class Target(NamedTuple):
    """What `Statistic.loss` needs of a painting, made once by `Statistic.prepare`."""

    summary: Tensor
    """As it was given, in the precision it is computed in."""
    scale: Tensor
    """(N,), what the loss is relative to; above 0."""
    parts: tuple[Tensor, ...] = ()
    """What else depends on the target alone."""


class Statistic(ABC):
    """One way to say what of features (N, C, n) at n places is style, wherever in the picture they are.

    All is computed in the precision of what is given, float32 or float64; in float32 for others and under autocast.
    """

    name: ClassVar[str]
    sampled: ClassVar[bool]
    """The summary is the columns themselves."""

    @abstractmethod
    def summary(self, columns: Tensor, weights: Tensor | None = None) -> Tensor:
        """Of columns (N, C, n), with weights (n,) or (N, n) >= 0: sums over places, or the columns where `sampled`.

        The sums are those of `summing.sums`. They add: those of two halves of the places make that of the whole, and
        those of no place are 0. Raises ValueError for other shapes.
        """

    @abstractmethod
    def prepare(self, target: Tensor) -> Target:
        """A target's summary (1 or N, ...) with what follows from it; has no gradient. Call it once for many losses.

        Raises ValueError where the summary is not finite, or of no place at all.
        """

    @abstractmethod
    def paper_loss(self, summary: Tensor, target: Tensor | Target, generator: torch.Generator | None = None) -> Tensor:
        """(N,): the loss as published, in units of features; NaN of no place, and of features that are not finite."""

    def loss(self, summary: Tensor, target: Tensor | Target, generator: torch.Generator | None = None) -> Tensor:
        """(N,): 0 where equal, about 1 far away: relative to a scale of the target, without unit.

        Features times a constant, in both, and weights times one, in either, change nothing.
        `target` is as `prepare` made it, or a summary, which is then prepared each time.
        """
        prepared = self.prepared(target)
        return self.paper_loss(summary, prepared, generator) / prepared.scale.to(summary.device)

    def prepared(self, target: Tensor | Target) -> Target:
        """`target`, prepared where it is not."""
        return target if isinstance(target, Target) else self.prepare(target)


def check_columns(columns: Tensor, weights: Tensor | None) -> None:
    """Raise ValueError unless columns are (N, C, n) and weights, if any, (n,) or (N, n)."""
    if columns.dim() != 3:
        raise ValueError(f"columns (N, C, n) of features at n places are needed, not {tuple(columns.shape)}")
    count, _, places = columns.shape
    if weights is not None and tuple(weights.shape) not in ((places,), (1, places), (count, places)):
        raise ValueError(f"weights ({places},) or ({count}, {places}) are needed, not {tuple(weights.shape)}")


def floored(deviation: Tensor, size: Tensor) -> Tensor:
    """A mean square deviation from the mean, at least FLATTEST of the mean square `size` and at least SMALLEST."""
    return torch.maximum(deviation, FLATTEST * size).clamp(min=SMALLEST)


def exact(like: Tensor) -> AbstractContextManager[None]:
    """Compute losses in full precision, whatever networks are computed in."""
    return torch.autocast(like.device.type, enabled=False)


def full(values: Tensor) -> Tensor:
    """`values`, in float32 if they are neither that nor float64."""
    return values if values.dtype == torch.float64 else values.float()
