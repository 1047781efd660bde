"""Several things at once, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(work: Callable[[Given], Made], stream: Iterable[Given], count: int) -> Iterator[Made]:
    """`work` of each of `stream`, in its order, `count` at a time; takes from the stream no more than it needs."""
    with ThreadPoolExecutor(count) as pool:
        begun: deque[Future[Made]] = deque()
        try:
            for given in stream:
                begun.append(pool.submit(work, given))
                if len(begun) > count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
