"""Measuring the memory of steps, and telling from some of them what others would take."""

import io
import math
import re
import time
from collections.abc import Generator as Yielding
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from translate.data.batch import Batch
from translate.methods import Method
from translate.networks.blocks import Generator

LARGEST = 8192
"""Pixels of a side beyond which no crop is told of."""
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Measured:
    """Steps on `images` of `side` pixels: memory before them and at the peak, seconds a step, share of waiting."""

    images: int
    side: int
    before: int | None
    peak: int | None
    seconds: float
    waiting: float = 0.0
    steps: int = 0

    @property
    def pixels(self) -> int:
        return self.images * self.side**2


@dataclass(frozen=True)
class Line:
    """Memory as a fixed part and one that grows with the pixels of a step."""

    fixed: float
    slope: float

    def at(self, pixels: int) -> float:
        return self.fixed + self.slope * pixels


@dataclass(frozen=True)
class Limits:
    """What `room` bytes hold, by the `line` of what was measured; steps of `beyond` pixels were seen not to fit.

    Of what is asked, None: unknown; 0: none.
    """

    line: Line | None
    room: int
    beyond: int | None = None

    def pixels(self) -> int | None:
        """Pixels of the largest step."""
        if self.line is None:
            return None
        most = None if self.beyond is None else self.beyond - 1
        if self.line.slope <= 0:
            return 0 if self.line.fixed > self.room else most
        by_line = max(0, int((self.room - self.line.fixed) / self.line.slope))
        return by_line if most is None else min(by_line, most)

    def batch(self, side: int, images: int) -> int | None:
        """Images of the largest batch, of the `images` that there are."""
        pixels = self.pixels()
        if pixels is None:
            return 0 if self.beyond is not None and self.beyond <= side**2 else None
        return min(pixels // side**2, images)

    def side(self, batch_size: int, multiple: int, minimum: int) -> int | None:
        """Pixels of a side of the largest crop."""
        pixels = self.pixels()
        if pixels is None:
            return 0 if self.beyond is not None and self.beyond <= minimum**2 else None
        fitting = min(math.isqrt(pixels // batch_size), LARGEST) // multiple * multiple
        return fitting if fitting >= minimum else 0


def fitted(done: Sequence[Measured]) -> Line | None:
    """The line through the last two measurements, or through the last one and what was held before it."""
    points = [(each.pixels, each.peak) for each in done if each.peak is not None]
    if not points:
        return None
    pixels, peak = points[-1]
    slope = 0.0
    if len(points) > 1 and pixels != points[-2][0]:
        slope = (peak - points[-2][1]) / (pixels - points[-2][0])
    if slope <= 0:
        slope = max(0, peak - (done[-1].before or 0)) / pixels
    return Line(peak - slope * pixels, slope)


def cut(batch: Batch, images: int, side: int | None) -> Batch:
    """`images` of a batch, which come again if it has fewer, their corner of `side` pixels if one is given."""

    def taken(part: Tensor | None) -> Tensor | None:
        if part is None:
            return None
        many = torch.cat([part] * -(-images // len(part)))[:images]
        return many[..., :side, :side].contiguous() if many.dim() == 4 else many

    return Batch(cast(Tensor, taken(batch.a)), taken(batch.b), (batch.files * images)[:images], taken(batch.labels))


def sizes(method: Method) -> tuple[int, int, bool]:
    """Of what the crop must be a multiple, how small its networks let it be, and whether it may be another at all."""
    known = [network for network in method.generators().values() if isinstance(network, Generator)]
    multiple = math.lcm(*(network.multiple for network in known))
    minimum = max((int(getattr(network, "minimum", 1)) for network in [*known, *method.children()]), default=1)
    return multiple, -(-minimum // multiple) * multiple, type(method).any_size and bool(known)


def again(batch: Batch) -> Yielding[Batch, None, None]:
    while True:
        yield batch


def device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


def held(device: torch.device) -> int | None:
    """Bytes of memory held now; None: unknown."""
    return torch.cuda.memory_reserved(device) if device.type == "cuda" else _status("VmRSS")


def forget_peak(device: torch.device) -> None:
    """Count the peak of memory afresh; where a system does not let us, the peak is that of the whole process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        _RESET.write_text("5")


def peak(device: torch.device) -> int | None:
    """Bytes of memory held at the peak; None: unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return _status("VmHWM") if device.type == "cpu" else None


def _status(name: str) -> int | None:
    """Linux's own count of this process's memory."""
    with suppress(OSError):
        found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None


def now(device: torch.device) -> float:
    """Seconds, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


class Nowhere(io.RawIOBase):
    """Takes what is written and keeps nothing."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes
