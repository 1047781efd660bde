"""Running means of scalars by name, left where they are until they are wanted."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from translate import distributed


class Means:
    """A name that did not come with every step has its mean over those with which it did."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        for name, value in scalars.items():
            # What was restored lies on the CPU until its next value comes.
            self._sums[name] = self._sums[name].to(value.device) + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means over all processes, each of which must call, by sorted name; begins anew."""
        names = sorted(self._sums)
        means = distributed.average([self._sums[name] / self._counts[name] for name in names])
        device = next((mean.device for mean in means if mean.device.type != "cpu"), torch.device("cpu"))
        together = [mean.to(device).double() for mean in means]  # one wait for all
        values = torch.stack(together).tolist() if together else []
        self.clear()
        return dict(zip(names, values, strict=True))

    def clear(self) -> None:
        self._sums, self._counts = {}, {}

    def state(self) -> dict[str, Any]:
        """What `restore` takes, in any process: sums are averaged over all, each of which must call."""
        names = sorted(self._sums)
        means = distributed.average([self._sums[name] for name in names])
        sums = {name: value.detach().cpu() for name, value in zip(names, means, strict=True)}
        return {"sums": sums, "counts": dict(self._counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
