"""What this machine has for this process: processor cores, memory."""

import ctypes
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""As malloc.h numbers them."""
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


def cores() -> int:
    """Processor cores for this process: those it may use, shared with the others that torchrun started here."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def memory(device: torch.device, calls: int) -> int:
    """Bytes of memory that one of so many `calls` at a time may take: all together half of what there is.

    Of what there is in all, not what is free just now: which pictures are translated in tiles is to be the same every
    time. Processes that torchrun started here share the machine's memory, but each has a GPU of its own.
    """
    return whole_memory(device) // (2 * calls)


def whole_memory(device: torch.device) -> int:
    """Bytes of memory there are for this process: of its GPU, or its share of the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    limits = [_physical(), _limit()]
    with suppress(OSError, ValueError):  # no container, or one without a limit
        limits.append(int(_CONTAINER.read_text()))
    return min(limits) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16 * 2**30


def _limit() -> int:
    """The limit of the address space (ulimit -v), less what torch alone takes of it."""
    try:
        import resource
    except ImportError:
        return _physical()
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return _physical() if soft == resource.RLIM_INFINITY else max(2**29, soft - 2 * 2**30)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, for its next use of it, where the system's library is glibc.

    As it stands glibc gives every large tensor back and asks for it anew, page by page: 3 % of a CycleGAN step.
    """
    _set_malloc(mappings=0, trim=2**31 - 1)


def give_back_memory() -> None:
    """Give back what keep_freed_memory has kept, and keep no more."""
    library = _set_malloc(mappings=65_536, trim=128 * 2**10)
    if library:
        library.malloc_trim(0)


def _set_malloc(*, mappings: int, trim: int) -> Any:
    """Set how many mappings of their own large pieces may have, and how much may lie unused; None: no glibc."""
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    library.mallopt(_M_MMAP_MAX, mappings)
    library.mallopt(_M_TRIM_THRESHOLD, trim)
    return library
