"""Telling that memory ran out from other errors."""

import torch

PHRASES = (
    *("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory", "bad_alloc"),
    # What oneDNN and cuBLAS say when their own allocation failed.
    *("could not create a memory", "alloc_failed"),
)


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that there is not enough memory, of the machine or of the device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error).lower() for phrase in PHRASES)
