"""Reading, computing and writing at the same time, with bounded memory: three kinds of threads and what lies between.

Knows nothing of images: an item is read, computed together with items of its kind, written; an error is the item's own
and the others go on, unless the disk takes nothing more.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from translate.convert.shelf import Budget, Shelf
from translate.errors import UnwritableError

_WAIT = 0.2
"""Seconds between two looks at whether something else has happened."""


class Item(Protocol):
    """What goes through: items of one `kind` may share a batch."""

    @property
    def kind(self) -> Hashable: ...


Task = TypeVar("Task")
Work = TypeVar("Work", bound=Item)


@dataclass(frozen=True)
class Outcome(Generic[Task]):
    """What became of a task: it failed with `error`, or it is done; `needed` is False if nothing had to be done."""

    task: Task
    error: Exception | None = None
    needed: bool = True


@dataclass(frozen=True)
class Threads:
    """How many threads read, compute and write; how many items share a batch; how many bytes may be held at once.

    `chained` items are taken up one after another, each when what came of the one before is known.
    """

    readers: int
    streams: int
    writers: int
    batch: int
    memory: int
    chained: bool = False


class Pipeline(Generic[Task, Work]):
    """Runs tasks through `read`, `compute` (a list of one kind) and `write`.

    `read` returns None for a task that needs nothing done.
    """

    def __init__(
        self,
        tasks: Iterator[Task],
        read: Callable[[Task], Work | None],
        compute: Callable[[list[Work]], None],
        write: Callable[[Work], None],
        threads: Threads,
        weigh: Callable[[Task], int] = lambda task: 0,
    ) -> None:
        """`weigh` says how many bytes a task will hold from when it is read until it is written."""
        self._tasks, self._read, self._compute, self._write = tasks, read, compute, write
        self._weigh = weigh
        self._threads = threads
        self._next = threading.Lock()
        self._shelf = Shelf[tuple[Task, Work, int]](threads.batch)
        self._memory = Budget(threads.memory)
        most = threads.batch * threads.streams + threads.readers + threads.writers
        self._computed: queue.Queue[tuple[Task, Work, int] | None] = queue.Queue(maxsize=most)
        self._slots = threading.Semaphore(1 if threads.chained else 2 * most)
        self._outcomes: queue.Queue[Outcome[Task] | BaseException | None] = queue.Queue()
        self._stopping, self._ending = threading.Event(), threading.Event()

    def run(self, idle: Callable[[], None] = lambda: None) -> Iterator[Outcome[Task]]:
        """Give the outcomes as they come; `idle` is called while none comes.

        Raises what `tasks` raise, and UnwritableError of `write`, at once. Closing the iterator stops everything;
        items that are being worked on are dropped whole or finished.
        """
        phases = [
            (self._threads.readers, self._reading, self._shelf.close),
            (self._threads.streams, self._computing, lambda: self._hang_up(self._threads.writers)),
            (self._threads.writers, self._writing, lambda: self._outcomes.put(None)),
        ]
        started: list[threading.Thread] = []
        patience: float | None = None
        try:
            for count, work, end in phases:
                self._start(count, work, end, started)
            while (outcome := self._next_outcome(idle)) is not None:
                if isinstance(outcome, BaseException):
                    raise outcome
                self._slots.release()
                yield outcome
        except KeyboardInterrupt:
            patience = _WAIT  # the user will not wait, and what is half made never takes its place
            raise
        finally:
            self.stop()
            self._stopping.set()
            self._drain()
            for thread in started:
                thread.join(patience)

    def stop(self) -> None:
        """Begin no more: only what is being computed or written now is finished."""
        self._ending.set()

    def _next_outcome(self, idle: Callable[[], None]) -> Outcome[Task] | BaseException | None:
        while True:
            with contextlib.suppress(queue.Empty):
                return self._outcomes.get(timeout=_WAIT)
            idle()

    def _start(
        self, count: int, work: Callable[[], None], end: Callable[[], None], started: list[threading.Thread]
    ) -> None:
        """Threads that do `work`; the last of them to end calls `end`."""
        left = [count]
        lock = threading.Lock()

        def body() -> None:
            try:
                work()
            finally:
                with lock:
                    left[0] -= 1
                    last = left[0] == 0
                if last:
                    end()

        for _ in range(count):
            thread = threading.Thread(target=body, daemon=True)
            thread.start()
            started.append(thread)

    def _reading(self) -> None:
        while not (self._stopping.is_set() or self._ending.is_set()):
            self._slots.acquire()
            if self._stopping.is_set() or self._ending.is_set():
                return
            try:
                with self._next:
                    task = next(self._tasks, None)
                if task is None:
                    self._slots.release()
                    return
                self._read_one(task)
            except BaseException as error:
                self._fail(error)

    def _read_one(self, task: Task) -> None:
        size = self._weigh(task)
        self._memory.take(size)
        try:
            item = self._read(task)
        except UnwritableError:
            raise
        except Exception as error:
            self._memory.give(size)
            self._end(task, error)
            return
        if item is None:
            self._memory.give(size)
            self._end(task, None, needed=False)
            return
        self._shelf.put((task, item, size), item.kind)

    def _computing(self) -> None:
        while batch := self._shelf.take():
            if self._stopping.is_set() or self._ending.is_set():
                for _, _, size in batch:
                    self._memory.give(size)
                    self._slots.release()
                continue
            try:
                for (task, item, size), error in self._computed_alone_if_it_fails(batch):
                    if error:
                        self._memory.give(size)
                        self._end(task, error)
                    else:
                        self._computed.put((task, item, size))
            except BaseException as error:
                self._fail(error)
            del batch

    def _computed_alone_if_it_fails(
        self, batch: list[tuple[Task, Work, int]]
    ) -> Iterator[tuple[tuple[Task, Work, int], Exception | None]]:
        try:
            self._compute([item for _, item, _ in batch])
        except UnwritableError:
            raise
        except Exception as error:
            if len(batch) == 1:
                yield batch[0], error
                return
            for one in batch:  # so that one image does not fail the others
                yield from self._computed_alone_if_it_fails([one])
        else:
            for one in batch:
                yield one, None

    def _writing(self) -> None:
        while (entry := self._computed.get()) is not None:
            if self._stopping.is_set():
                continue
            task, item, size = entry
            del entry
            try:
                self._write(item)
            except UnwritableError as error:
                self._fail(error)
            except Exception as error:
                self._end(task, error)
            except BaseException as error:
                self._fail(error)
            else:
                self._end(task, None)
            finally:
                del item
                self._memory.give(size)

    def _fail(self, error: BaseException) -> None:
        """Something that concerns all: everything ends, and `run` raises it."""
        self._stopping.set()
        self._outcomes.put(error)

    def _end(self, task: Task, error: Exception | None, needed: bool = True) -> None:
        self._outcomes.put(Outcome(task, error, needed))

    def _hang_up(self, count: int) -> None:
        for _ in range(count):
            self._computed.put(None)

    def _drain(self) -> None:
        """Free threads that wait for room, so that they see that it is over."""
        self._memory.give_all()
        for _ in range(self._threads.readers):
            self._slots.release()
        self._shelf.hurry()
