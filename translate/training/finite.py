"""Sees that losses and gradients are finite, and says of what is not in which step and on which files it was."""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from translate.errors import TrainingError


class Looked(NamedTuple):
    """What one step left to be looked at: `finite` (M,) says of each of `names` whether it was."""

    step: int
    files: tuple[str, ...]
    names: tuple[str, ...]
    finite: Tensor
    arrived: torch.cuda.Event | None


class FiniteCheck:
    """Holds what steps left until it is looked at: a GPU is not waited for, its answers travel while it goes on."""

    def __init__(self) -> None:
        self._left: deque[Looked] = deque()

    def leave(self, step: int, files: tuple[str, ...], names: tuple[str, ...], finite: Tensor) -> None:
        """Take the answers of `step`, wherever they lie."""
        arrived = None
        if finite.is_cuda:
            there = torch.empty(finite.shape, dtype=finite.dtype, pin_memory=True)
            there.copy_(finite, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
            finite = there
        self._left.append(Looked(step, files, names, finite, arrived))

    def look(self, *, wait: bool) -> None:
        """Raise TrainingError for the first step that had something not finite; without `wait`, of what has arrived."""
        while self._left and (wait or self._left[0].arrived is None or self._left[0].arrived.query()):
            looked = self._left.popleft()
            if looked.arrived is not None:
                looked.arrived.synchronize()
            refuse(looked.step, looked.files, looked.names, looked.finite)

    def forgive(self) -> None:
        """Forget what was not looked at."""
        self._left.clear()


def refuse(step: int, files: tuple[str, ...], names: tuple[str, ...], finite: Tensor) -> None:
    """Raise TrainingError if one of `names` was not `finite` (M,), a tensor on the CPU."""
    if bool(finite.all()):
        return
    bad = [name for name, fine in zip(names, finite.tolist(), strict=True) if not fine]
    shown = ", ".join(files[:8]) + (f" and {len(files) - 8} more" if len(files) > 8 else "")
    raise TrainingError(
        f"Step {step}: {', '.join(bad)} is not finite, on {shown}. Nothing was saved since the last "
        "checkpoint, which is good: --resume it with --set clip=1, a lower learning_rate, or --precision 32."
    )
