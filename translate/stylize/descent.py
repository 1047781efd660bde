"""Going downhill: Adam, L-BFGS or plain gradient descent on a picture, with averaged iterates and a way back.

A loss that is not finite, or has grown to more than GROWN times what it was at first, sends the descent back to the
best picture so far, with half the step. The average of the iterates weighs later ones more (Polyak and Juditsky 1992;
exponential, its bias corrected as in Adam): it is smoother than the last one.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.optim import LBFGS, SGD, Adam, Optimizer

from translate.errors import NotFiniteError

RATES = {"adam": 0.06, "lbfgs": 1.0, "gd": 0.06}
"""Adam: how far a value in [-1, 1] moves in a step. gd: how far the root mean square value moves in the first."""
GROWN = 3.0
_HALVINGS = 20
_FAINT = 1.0
"""Adam's epsilon, for gradients times the number of values: where there is next to none, no step. Where few places are
drawn at a time, each has a gradient now and then: with a small epsilon all those would be full steps, and noise."""
_TRIED = 12
"""Pictures that one line search of L-BFGS looks at, at most."""
_LAST = 0.1
"""What is left of the rate at the last step of a scale."""


class Measured(NamedTuple):
    """The loss at a picture: its parts, weighted, and the gradient (1, 3, h, w) of their sum."""

    parts: dict[str, float]
    gradient: Tensor

    @property
    def total(self) -> float:
        return sum(self.parts.values())


Energy = Callable[[Tensor, int], Measured]
"""Measures a picture (1, 3, h, w) at a step; what it draws follows from the step."""
Told = Callable[[int, Measured, Callable[[], Tensor]], None]
"""Hears of each step: its number from 1, what was measured before it, and how the picture can be had now."""


def descend(
    energy: Energy, start: Tensor, *, optimizer: str, steps: int, average: float, rate: float | None = None, told: Told
) -> Tensor:
    """The picture that `steps` steps lead to from `start` (1, 3, h, w), which it overwrites; values stay in [-1, 1].

    Raises NotFiniteError if the loss is not finite however small the steps are made.
    """
    going = _Going(energy, start, optimizer, steps, RATES[optimizer] if rate is None else rate, average)
    for step in range(steps):
        measured = going.step(step)
        told(step + 1, measured, going.picture)
    return going.result()


class _Going:
    """One descent under way."""

    def __init__(self, energy: Energy, start: Tensor, optimizer: str, steps: int, rate: float, average: float) -> None:
        self.energy, self.kind, self.steps, self.rate = energy, optimizer, steps, rate
        self.decay = 0.0 if optimizer == "lbfgs" else average
        self.values = start.detach().requires_grad_()
        self.first: float | None = None
        self.best, self.lowest = start.detach().clone(), math.inf
        self.halvings = 0
        self.spread: float | None = None
        self._begin()

    def picture(self) -> Tensor:
        """The average of the iterates, or the last one where there is no average."""
        if not self.decay or self.weight == 0:
            return self.values.detach().clone()
        return self.mean / self.weight

    def result(self) -> Tensor:
        """What has come of it; the best picture of those that were measured, if that did not make it any better."""
        made = self.picture()
        measured = self.energy(made, 0)
        better = self.first is not None and measured.total < self.first
        return made if better else self.best

    def step(self, step: int) -> Measured:
        if self.kind == "lbfgs":
            return self._line_searched()
        measured = self.energy(self.values.detach(), step)
        while self._blown_up(measured):
            self._back()
            measured = self.energy(self.values.detach(), step)
        self._keep(measured, self.values)
        for group in self.made.param_groups:
            group["lr"] = self._length(measured) * (1 - (1 - _LAST) * step / max(1, self.steps - 1))
        self.values.grad = self._scaled(measured.gradient)
        self.made.step()
        self._bound()
        return measured

    def _line_searched(self) -> Measured:
        """One step of L-BFGS, line search included; what is drawn stays as it is, or no line could be searched."""
        found: list[Measured] = []
        before = self.values.detach().clone()

        def closure() -> Tensor:
            measured = self.energy(self.values.detach(), 0)
            found.append(measured)
            self.values.grad = self._scaled(measured.gradient)
            return self.values.new_tensor(measured.total * self.values.numel(), dtype=torch.float64)

        self.made.step(cast(Any, closure))  # its own type says float, and a float would not do
        if self._blown_up(found[0]):
            self._back()
            return self.energy(self.values.detach(), 0)
        self._keep(found[0], before)
        if not bool(torch.isfinite(self.values).all()):
            self._back()
        self._bound()
        return found[0]

    def _scaled(self, gradient: Tensor) -> Tensor:
        """By the number of values: of the same order whatever the size."""
        return gradient.mul_(self.values.numel())

    def _length(self, measured: Measured) -> float:
        if self.kind == "adam":
            return self.rate
        if self.spread is None:
            self.spread = self.values.numel() * float(measured.gradient.square().mean().sqrt()) or 1.0
        return self.rate / self.spread

    def _begin(self) -> None:
        self.mean, self.weight = torch.zeros_like(self.best), 0.0
        self.spread = None
        self.made = _optimizer(self.kind, self.values, self.rate)

    def _keep(self, measured: Measured, at: Tensor) -> None:
        self.first = measured.total if self.first is None else self.first
        if measured.total < self.lowest:
            self.lowest = measured.total
            self.best.copy_(at.detach())

    def _bound(self) -> None:
        with torch.no_grad():
            self.values.clamp_(-1, 1)
            if self.decay:
                self.mean.mul_(self.decay).add_(self.values, alpha=1 - self.decay)
                self.weight = self.weight * self.decay + 1 - self.decay

    def _blown_up(self, measured: Measured) -> bool:
        if not math.isfinite(measured.total) or not bool(torch.isfinite(measured.gradient).all()):
            return True
        return self.first is not None and measured.total > GROWN * self.first

    def _back(self) -> None:
        """To the best picture so far, with half the step."""
        self.halvings += 1
        if self.first is None or self.halvings > _HALVINGS:
            raise NotFiniteError("the loss of the painting is not finite, or grows however small the steps are")
        self.rate /= 2
        with torch.no_grad():
            self.values.copy_(self.best)
        self._begin()


def _optimizer(kind: str, values: Tensor, rate: float) -> Optimizer:
    if kind == "adam":
        return Adam([values], lr=rate, betas=(0.9, 0.99), eps=_FAINT, fused=True)
    if kind == "gd":
        return SGD([values], lr=rate)
    return LBFGS([values], lr=rate, max_iter=1, max_eval=_TRIED, history_size=20, line_search_fn="strong_wolfe")
