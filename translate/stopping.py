"""Ctrl-C, SIGTERM and SIGHUP as a question that training asks between two steps."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Give a question that is true once Ctrl-C, SIGTERM or SIGHUP came; a second one ends the process at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {int(number): signal.getsignal(number) for number in (getattr(signal, name) for name in names)}
    if before.get(getattr(signal, "SIGHUP", -1)) == signal.SIG_IGN:
        del before[signal.SIGHUP]  # nohup: the run is to outlive its terminal

    def note(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
