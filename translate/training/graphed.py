"""Rounds as CUDA graphs: recorded once, then started by one call, so that no time goes into starting kernels."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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
"""Rounds of a shape that are played before one is recorded: in them libraries choose their kernels and take memory."""
MOST = 8
"""Graphs that are kept; what comes in further shapes is played as it is."""


class Graphs:
    """Plays `round_` as it is until a kind of round on batches of one shape has come often enough, then as a graph.

    All that a recorded round reads must lie where it did: networks, optimizers' state and rates are changed in place
    only, or `forget` is called. What is not finite is refused by the caller, who is told of it in Played.
    """

    def __init__(self, round_: Round, record: Record | None = None) -> None:
        self._round = round_
        self._record = record or Recorder()
        self._graphs: dict[Hashable, tuple[list[Batch], Callable[[], None], Played]] = {}
        self._seen: Counter[Hashable] = Counter()
        self._notice = ""
        self._over = False

    def __call__(self, batches: Sequence[Batch], kind: Hashable) -> Played:
        shapes = tuple(shape for batch in batches for shape in _shapes(batch))
        key = (kind, shapes)
        if key not in self._graphs and not self._recorded(key, batches, kind, shapes):
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

    def take_notice(self) -> str:
        """Why rounds are played as they are, in a sentence, where that is news; else ""."""
        taken, self._notice = self._notice, ""
        return taken

    def _warm(self, shapes: Hashable) -> bool:
        if len(self._seen) >= 4 * MOST and shapes not in self._seen:
            return False  # sizes that hardly ever come again need not be counted
        self._seen[shapes] += 1
        return self._seen[shapes] > WARM_UP

    def _recorded(self, key: Hashable, batches: Sequence[Batch], kind: Hashable, shapes: Hashable) -> bool:
        if self._over or not self._warm(shapes):
            return False
        if len(self._graphs) == MOST:
            self._over = True
            self._notice = f"batches come in more shapes than the {MOST} that have CUDA graphs; others run eagerly."
            return False
        held = [_like(batch) for batch in batches]
        try:
            self._graphs[key] = (held, *self._record(lambda: self._round(held, kind)))
        except RuntimeError as error:
            self._over = True
            self._notice = f"no CUDA graph from here on, {' '.join(str(error).split())[:200]}."
            self._graphs.clear()
            return False
        return True


class Recorder:
    """Records CUDA graphs. All share their memory: they follow each other, and what they leave is copied at once."""

    def __init__(self) -> None:
        self._memory: Any = None

    def __call__(self, call: Callable[[], Played]) -> tuple[Callable[[], None], Played]:
        """Record `call`; raises RuntimeError if it does what a graph cannot hold."""
        graph = torch.cuda.CUDAGraph()
        self._memory = self._memory or torch.cuda.graph_pool_handle()
        stream = torch.cuda.current_stream()
        torch.cuda.synchronize()
        try:
            # Thread by thread: another one that pins batches meanwhile has nothing to do with it.
            with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
                played = call()
        except RuntimeError as error:
            # Up to torch 2.11 a capture that fails leaves its stream in use and the generator in its midst.
            torch.cuda.set_stream(stream)
            generator = torch.cuda.default_generators[torch.cuda.current_device()]
            generator.graphsafe_set_state(generator.clone_state())
            raise RuntimeError(str(error.__context__ or error)) from error
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
