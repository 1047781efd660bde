"""Where items wait between threads: in groups of a kind, and within a budget of memory."""

import threading
import time
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

_PATIENCE = 0.02
"""Seconds that an incomplete batch waits for others of its kind."""
Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """Things in groups of a kind; `take` gives whole batches, or what there is once nothing has come for a while."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._groups: dict[Hashable, deque[tuple[float, Thing]]] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, thing: Thing, kind: Hashable) -> None:
        with self._changed:
            self._groups.setdefault(kind, deque()).append((time.monotonic(), thing))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    hurry = close

    def take(self) -> list[Thing]:
        """The next batch; empty once the shelf is closed and empty."""
        with self._changed:
            while True:
                full = next((kind for kind, group in self._groups.items() if len(group) >= self._batch), None)
                if full is not None:
                    return self._cut(full)
                if self._groups:
                    oldest = min(self._groups, key=lambda kind: self._groups[kind][0][0])
                    left = self._groups[oldest][0][0] + _PATIENCE - time.monotonic()
                    if self._closed or left <= 0:
                        return self._cut(oldest)
                    self._changed.wait(left)
                elif self._closed:
                    return []
                else:
                    self._changed.wait()

    def _cut(self, kind: Hashable) -> list[Thing]:
        group = self._groups[kind]
        batch = [group.popleft()[1] for _ in range(min(self._batch, len(group)))]
        if not group:
            del self._groups[kind]
        return batch


class Budget:
    """Bytes that may be held; something larger than all of it gets it alone."""

    def __init__(self, limit: int) -> None:
        self._limit, self._used, self._open = limit, 0, False
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open or not self._used or self._used + size <= self._limit)
            self._used += size

    def give(self, size: int) -> None:
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def give_all(self) -> None:
        with self._changed:
            self._open = True
            self._changed.notify_all()
