"""Running means of scalars by name, left where they are until they are wanted."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from translate import distributed


class Means:
    """A name that did not come with every step has its mean over those with which it did.

    What comes together is added together, in one operation: the names of a step are few kinds of sets.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        names = tuple(scalars)
        if not names:
            return
        values = torch.stack(list(scalars.values()))
        if names in self._sums:
            # What was restored lies on the CPU until its next value comes.
            values = self._sums[names].to(values.device) + values
        self._sums[names] = values
        self._counts[names] = self._counts.get(names, 0) + 1

    def take(self) -> dict[str, float]:
        """The means over all processes, each of which must call, by sorted name; begins anew."""
        sums, counts = self._by_name()
        names = sorted(sums)
        means = distributed.average([sums[name] / counts[name] for name in names])
        device = next((mean.device for mean in means if mean.device.type != "cpu"), torch.device("cpu"))
        together = [mean.to(device).double() for mean in means]  # one wait for all
        values = torch.stack(together).tolist() if together else []
        self.clear()
        return dict(zip(names, values, strict=True))

    def clear(self) -> None:
        self._sums, self._counts = {}, {}

    def state(self) -> dict[str, Any]:
        """What `restore` takes, in any process: sums are averaged over all, each of which must call."""
        groups = sorted(self._sums)
        means = distributed.average([value for names in groups for value in self._sums[names].unbind()])
        rest = iter(means)
        sums = [[next(rest).detach().cpu() for _ in names] for names in groups]
        return {"names": [list(names) for names in groups], "sums": sums, "counts": [self._counts[n] for n in groups]}

    def restore(self, state: Mapping[str, Any]) -> None:
        groups = [tuple(names) for names in state["names"]]
        self._sums = {names: torch.stack(sums) for names, sums in zip(groups, state["sums"], strict=True)}
        self._counts = dict(zip(groups, state["counts"], strict=True))

    def _by_name(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for names, values in self._sums.items():
            for name, value in zip(names, values.unbind(), strict=True):
                sums[name] = sums[name].to(value.device) + value if name in sums else value
                counts[name] = counts.get(name, 0) + self._counts[names]
        return sums, counts
