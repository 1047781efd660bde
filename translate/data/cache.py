"""Decoded images in memory that worker processes share, within a budget."""

import mmap
import os
import tempfile
from multiprocessing import reduction
from typing import Any

import numpy as np


class Cache:
    """Arrays by key, in one anonymous file that is mapped into memory and takes up only what was written.

    Workers map the same file, so that a cached image stands in memory once, whatever their number and however they
    were started. /dev/shm would do the same, but is 64 MiB in most containers.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._places: dict[tuple[int, int], tuple[int, tuple[int, ...], np.dtype]] = {}
        self._file = _anonymous_file(budget) if budget else -1
        self._map()

    def __contains__(self, key: tuple[int, int]) -> bool:
        return key in self._places

    def __getitem__(self, key: tuple[int, int]) -> np.ndarray:
        start, shape, dtype = self._places[key]
        array = np.ndarray(shape, dtype, self._memory, start)
        array.flags.writeable = False  # whoever changed it would change it for every epoch and worker
        return array

    def add(self, images: dict[tuple[int, int], np.ndarray]) -> bool:
        """Keep all of `images`, or none if they do not fit."""
        if self.used + sum(image.nbytes for image in images.values()) > self.budget:
            return False
        for key, image in images.items():
            self._places[key] = (self.used, image.shape, image.dtype)
            np.ndarray(image.shape, image.dtype, self._memory, self.used)[...] = image
            self.used += -(-image.nbytes // 8) * 8  # keep every array aligned
        return True

    def rename(self, keys: dict[tuple[int, int], tuple[int, int]]) -> None:
        """Keep only the images under `keys`, under the names they map to."""
        self._places = {keys[key]: place for key, place in self._places.items() if key in keys}

    def _map(self) -> None:
        self._memory = mmap.mmap(self._file, self.budget) if self.budget else memoryview(b"")

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_memory"]
        state["_file"] = reduction.DupFd(self._file) if self.budget else None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = state["_file"].detach() if self.budget else -1
        self._map()

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)


def _anonymous_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("translate-cache")
    else:
        handle, name = tempfile.mkstemp(prefix="translate-cache-")
        os.unlink(name)  # noqa: PTH108
        file = handle
    os.ftruncate(file, size)
    return file
