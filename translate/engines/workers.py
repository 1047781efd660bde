"""Threads that compute side by side, each with its share of the processor."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import torch

from translate.errors import TranslateError

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """`count` threads, in each of which torch computes with `threads` of the caller's torch.get_num_threads().

    The number that other threads compute with is left alone: torch keeps it a thread.
    """

    def __init__(self, count: int) -> None:
        before = torch.get_num_threads()
        self.threads = max(1, before // count)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="translate-engine")
        meeting = threading.Barrier(count)

        def begin() -> None:
            torch.set_num_threads(self.threads)
            meeting.wait()  # so that every task starts a thread of its own

        try:
            for started in [self._pool.submit(begin) for _ in range(count)]:
                started.result()
            # set_num_threads also sets what threads yet to come begin with. A thread that ends at once sets that back.
            restoring = threading.Thread(target=torch.set_num_threads, args=(before,))
            restoring.start()
            restoring.join()
        except BaseException as error:
            meeting.abort()  # those that wait for one that never comes would wait for ever
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(before)
            if not isinstance(error, RuntimeError):
                raise
            raise TranslateError(
                f"The system gives no {count} threads to compute with ({error}). Raise its limit of processes and "
                "threads (ulimit -u, or that of the container), or compute less at once."
            ) from error
        # An engine in a cycle of references would keep its threads for as long as the process lives.
        weakref.finalize(self, self._pool.shutdown, wait=False)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in one of the threads and wait for what it returns or raises."""
        return self._pool.submit(function, *args, **kwargs).result()
