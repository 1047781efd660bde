"""Planes that are kept between passes: in memory while they fit, else in an unlinked temporary file."""

import errno
import os
import tempfile
from typing import Protocol

import torch
from torch import Tensor

from translate.errors import DiskFullError, TranslateError
from translate.tiling.operations import Box
from translate.tiling.plan import FLOAT, Shape, plane_bytes

# Rows of a strip lie one after the other, so that a tile is read in few pieces whatever the width of the picture.
STRIP = 32


class Plane(Protocol):
    """Float32 values (channels, height, width). A box that was never written holds anything."""

    bytes: int
    """Of memory."""

    def read(self, box: Box) -> Tensor:
        """(1, channels, h, w); not to be written to."""
        ...

    def write(self, box: Box, values: Tensor) -> None:
        """Take over `values` (1, channels, h, w); on a MemoryError nothing has been written."""
        ...

    def close(self) -> None: ...


class InMemory:
    def __init__(self, shape: Shape) -> None:
        self.values = torch.empty(1, *shape)
        self.bytes = plane_bytes(shape)

    def read(self, box: Box) -> Tensor:
        return self.values[..., slice(*box[0]), slice(*box[1])]

    def write(self, box: Box, values: Tensor) -> None:
        self.values[..., slice(*box[0]), slice(*box[1])] = values

    def close(self) -> None:
        self.values = torch.empty(0)


class InFile:
    """Strips of STRIP columns, each as (height, channels, STRIP).

    Read and written plainly: a mapped file would count against a limit of address space.
    """

    bytes = 0

    def __init__(self, shape: Shape) -> None:
        self.channels, self.height, self.width = shape
        self.folder = tempfile.gettempdir()
        self.row = FLOAT * self.channels * STRIP
        try:
            self.file = tempfile.TemporaryFile(prefix="translate-", buffering=0)  # noqa: SIM115 (closed by `close`)
            os.ftruncate(self.file.fileno(), -(-self.width // STRIP) * self.height * self.row)
        except OSError as error:
            raise self._failure(error) from error

    def read(self, box: Box) -> Tensor:
        (top, bottom), (left, right) = box
        values = torch.empty(1, self.channels, bottom - top, right - left)
        for strip in range(left // STRIP, (right - 1) // STRIP + 1):
            first, last = max(left, strip * STRIP), min(right, (strip + 1) * STRIP)
            rows = self._rows(strip, top, bottom)[..., first - strip * STRIP : last - strip * STRIP]
            values[0, ..., first - left : last - left] = rows.permute(1, 0, 2)
        return values

    def write(self, box: Box, values: Tensor) -> None:
        (top, bottom), (left, right) = box
        ready = []
        for strip in range(left // STRIP, (right - 1) // STRIP + 1):
            first, last = max(left, strip * STRIP), min(right, (strip + 1) * STRIP)
            whole = first == strip * STRIP and last == min(self.width, (strip + 1) * STRIP)
            rows = torch.zeros(bottom - top, self.channels, STRIP) if whole else self._rows(strip, top, bottom)
            rows[..., first - strip * STRIP : last - strip * STRIP] = values[
                0, ..., first - left : last - left
            ].permute(1, 0, 2)
            ready.append((self._place(strip, top), rows.numpy().data.cast("B")))
        for place, data in ready:
            self._write(place, data)

    def close(self) -> None:
        self.file.close()

    def _place(self, strip: int, row: int) -> int:
        return (strip * self.height + row) * self.row

    def _rows(self, strip: int, top: int, bottom: int) -> Tensor:
        rows = torch.empty(bottom - top, self.channels, STRIP)
        data = rows.numpy().data.cast("B")
        place = self._place(strip, top)
        while data:
            try:
                count = os.preadv(self.file.fileno(), [data], place)
            except OSError as error:
                raise self._failure(error) from error
            if not count:
                raise TranslateError(f"A temporary file in {self.folder} is shorter than what was written to it.")
            data, place = data[count:], place + count
        return rows

    def _write(self, place: int, data: memoryview) -> None:
        while data:
            try:
                count = os.pwrite(self.file.fileno(), data, place)
            except OSError as error:
                raise self._failure(error) from error
            data, place = data[count:], place + count

    def _failure(self, error: OSError) -> TranslateError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return DiskFullError(
                f"No space left in {self.folder} for what does not fit into memory; "
                "free some space or name another folder in TMPDIR."
            )
        return TranslateError(f"Cannot use a temporary file in {self.folder}: {error.strerror or error}.")
