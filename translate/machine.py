"""What this machine has for this process: processor cores, memory."""

import os
from contextlib import suppress
from pathlib import Path

import torch

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
