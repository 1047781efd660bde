"""Rounds as CUDA graphs: recorded once, then started by one call, so that no time goes into starting kernels."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from translate.data.batch import Batch


class Played(NamedTuple):
    """What a round leaves: its scalars (K,) by name, and of each thing checked whether it was finite (M,)."""

    names: tuple[str, ...]
    values: Tensor
    checked: tuple[str, ...]
    finite: Tensor


Round = Callable[[Sequence[Batch], Hashable], Played]
"""Plays a round of the given kind on batches that lie on the device."""

Record = Callable[[Callable[[], Played]], tuple[Callable[[], None], Played]]
"""Records what a call does, without doing it: what does it again, and where the results will then lie."""

WARM_UP = 3
"""Rounds of a kind that are played before it is recorded: in them libraries choose their kernels and take memory."""
MOST = 8
"""Graphs that are kept; each holds the memory of a round."""


class Graphs:
    """Plays `round_` as it is until a kind of round on batches of one shape has come often enough, then as a graph.

    All that a recorded round reads must lie where it did: networks, optimizers' state and rates are changed in place
    only, or `forget` is called. What is not finite is refused by the caller, who is told of it in Played.
    """

    def __init__(self, round_: Round, record: Record | None = None) -> None:
        self._round = round_
        self._record = record or record_on_gpu
        self._graphs: dict[Hashable, tuple[list[Batch], Callable[[], None], Played]] = {}
        self._seen: Counter[Hashable] = Counter()
        self.failure = ""
        """Why there are no more graphs, if there are not; rounds are then played as they are."""

    def __call__(self, batches: Sequence[Batch], kind: Hashable) -> Played:
        key = (kind, tuple(shape for batch in batches for shape in _shapes(batch)))
        if key not in self._graphs:
            self._seen[key] += 1
            if self.failure or self._seen[key] <= WARM_UP or not self._recorded(key, batches, kind):
                return self._round(batches, kind)
        held, replay, played = self._graphs[key]
        for own, given in zip(held, batches, strict=True):
            _fill(own, given)
        replay()
        return played._replace(values=played.values.clone(), finite=played.finite.clone())

    def forget(self) -> None:
        """Drop all graphs: what they read lies elsewhere now."""
        self._graphs.clear()
        self._seen.clear()

    def _recorded(self, key: Hashable, batches: Sequence[Batch], kind: Hashable) -> bool:
        if len(self._graphs) == MOST:
            self.failure = f"rounds come in more than {MOST} shapes"
            return False
        held = [_like(batch) for batch in batches]
        try:
            self._graphs[key] = (held, *self._record(lambda: self._round(held, kind)))
        except RuntimeError as error:
            self.failure = " ".join(str(error).split())[:200]
            self.forget()
            return False
        return True


def record_on_gpu(call: Callable[[], Played]) -> tuple[Callable[[], None], Played]:
    """Record `call` as a CUDA graph; raises RuntimeError if it does what a graph cannot hold."""
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    # Thread by thread: another one that pins batches meanwhile has nothing to do with it.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        played = call()
    return graph.replay, played


def _shapes(batch: Batch) -> list[Hashable]:
    return [None if part is None else (part.shape, part.dtype) for part in (batch.a, batch.b, batch.labels)]


def _like(batch: Batch) -> Batch:
    b, labels = (None if part is None else part.clone() for part in (batch.b, batch.labels))
    return replace(batch, a=batch.a.clone(), b=b, labels=labels)


def _fill(held: Batch, given: Batch) -> None:
    for own, part in ((held.a, given.a), (held.b, given.b), (held.labels, given.labels)):
        if own is not None and part is not None:
            own.copy_(part, non_blocking=True)
