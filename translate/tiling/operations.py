"""What a traced network is made of: each operation knows which part of its input a part of its output needs.

Everywhere a span is the half-open range [first, last) of rows or columns, a box is a span of rows and one of columns,
and `axis` is 0 for rows and 1 for columns. A span of the output may only be asked for inside the plane.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Span = tuple[int, int]
Box = tuple[Span, Span]
Pair = tuple[int, int]


class Operation(Protocol):
    """Channels and size of the output, what it needs, and how to compute it."""

    def channels(self, inputs: list[int]) -> int: ...

    def side(self, size: int, axis: int) -> int:
        """Length of the output where the input is `size` long."""
        ...

    def need(self, span: Span, size: int, axis: int) -> Span:
        """What of an input `size` long a `span` of the output is computed from."""
        ...

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        """Compute `box` from `inputs` (1, C, h, w), each the box `have` that `need` named, of planes of `sizes`."""
        ...

    @property
    def work(self) -> float:
        """Multiply-adds for a value of the output."""
        ...


@dataclass(frozen=True)
class Window:
    """A convolution or pooling: zeros around the plane, none around a tile that lies inside it."""

    call: Callable[[Tensor, Pair], Tensor]
    """Takes values (1, C, h, w) and the zeros to put (above and below, left and right)."""
    kernel: Pair
    stride: Pair
    before: Pair
    after: Pair
    dilation: Pair
    outputs: int | None
    """Channels; None: as many as come in."""
    work: float

    def channels(self, inputs: list[int]) -> int:
        return inputs[0] if self.outputs is None else self.outputs

    def side(self, size: int, axis: int) -> int:
        return (size + self.before[axis] + self.after[axis] - self._reach(axis)) // self.stride[axis] + 1

    def need(self, span: Span, size: int, axis: int) -> Span:
        first, last = self._seen(span, axis)
        return clip((first, last), size)

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        seen = [self._seen(box[axis], axis) for axis in (0, 1)]
        zeros = [(have[axis][0] - seen[axis][0], seen[axis][1] - have[axis][1]) for axis in (0, 1)]
        # Zeros that the convolution adds itself spare a copy; at the far end it may add more than it then uses.
        same = (zeros[0][0], zeros[1][0])
        made = [
            (have[axis][1] - have[axis][0] + 2 * same[axis] - self._reach(axis)) // self.stride[axis] + 1
            for axis in (0, 1)
        ]
        if made == [last - first for first, last in box]:
            return self.call(inputs[0], same)
        return self.call(fit(inputs[0], [*zeros[1], *zeros[0]]), (0, 0))

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def _seen(self, span: Span, axis: int) -> Span:
        """The input that `span` sees, zeros beyond the border included."""
        first = span[0] * self.stride[axis] - self.before[axis]
        return first, (span[1] - 1) * self.stride[axis] - self.before[axis] + self._reach(axis)


@dataclass(frozen=True)
class Transposed:
    """A transposed convolution: run without padding on what the span sees, then cut to the span."""

    weight: Tensor
    bias: Tensor | None
    stride: Pair
    padding: Pair
    extra: Pair
    """Rows and columns that output_padding adds at the far end."""
    dilation: Pair
    groups: int

    def channels(self, inputs: list[int]) -> int:
        return self.weight.shape[1] * self.groups

    def side(self, size: int, axis: int) -> int:
        return (size - 1) * self.stride[axis] - 2 * self.padding[axis] + self._reach(axis) + self.extra[axis]

    def need(self, span: Span, size: int, axis: int) -> Span:
        padding, stride = self.padding[axis], self.stride[axis]
        first = -(-(span[0] + padding - self._reach(axis) + 1) // stride)
        last = (span[1] - 1 + padding) // stride + 1
        return clip((first, max(last, first + 1)), size)

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        values = inputs[0].to(self.weight.dtype)
        made = F.conv_transpose2d(values, self.weight, None, self.stride, 0, 0, self.groups, self.dilation)
        pads: list[int] = []
        for axis in (1, 0):
            start = have[axis][0] * self.stride[axis] - self.padding[axis]
            pads += (start - box[axis][0], box[axis][1] - start - made.shape[2 + axis])
        made = fit(made, pads).float()
        return made if self.bias is None else made + self.bias.float()[:, None, None]

    @property
    def work(self) -> float:
        return self.weight[:, 0].numel() / (self.groups * self.stride[0] * self.stride[1])

    def _reach(self, axis: int) -> int:
        return self.dilation[axis] * (self.weight.shape[2 + axis] - 1) + 1


@dataclass(frozen=True)
class Enlarged:
    """Every pixel becomes `factor` by `factor`; interpolation also sees `halo` pixels around."""

    call: Callable[[Tensor], Tensor]
    factor: Pair
    halo: int
    shrink: int = 1
    """What the channels are divided by."""
    work: float = 1.0

    def channels(self, inputs: list[int]) -> int:
        return inputs[0] // self.shrink

    def side(self, size: int, axis: int) -> int:
        return size * self.factor[axis]

    def need(self, span: Span, size: int, axis: int) -> Span:
        factor = self.factor[axis]
        return clip((span[0] // factor - self.halo, (span[1] - 1) // factor + 1 + self.halo), size)

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        starts = [have[axis][0] * self.factor[axis] for axis in (0, 1)]
        (top, bottom), (left, right) = ((a - start, b - start) for (a, b), start in zip(box, starts, strict=True))
        return self.call(inputs[0])[..., top:bottom, left:right]


@dataclass(frozen=True)
class Padded:
    """The plane continued on all sides: mirrored about its border pixels, by repeating them, or by a value."""

    mode: str
    before: Pair
    after: Pair
    value: float = 0.0
    work: float = 0.0

    def channels(self, inputs: list[int]) -> int:
        return inputs[0]

    def side(self, size: int, axis: int) -> int:
        return size + self.before[axis] + self.after[axis]

    def need(self, span: Span, size: int, axis: int) -> Span:
        if self.mode == "constant":
            return clip((span[0] - self.before[axis], span[1] - self.before[axis]), size)
        places = self._places(span, size, axis)
        return int(places.min()), int(places.max()) + 1

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        values = inputs[0]
        if self.mode == "constant":
            pads: list[int] = []
            for axis in (1, 0):
                first, last = (place - self.before[axis] for place in box[axis])
                pads += (have[axis][0] - first, last - have[axis][1])
            return fit(values, pads, self.value)
        places = [self._places(box[axis], sizes[axis], axis) - have[axis][0] for axis in (0, 1)]
        border = [self._border(box[axis], have[axis], axis) for axis in (0, 1)]
        if all(np.array_equal(_continued(have[axis], border[axis], self.mode), places[axis]) for axis in (0, 1)):
            # Far faster than indexing.
            return F.pad(values, (*border[1], *border[0]), self.mode) if any(map(any, border)) else values
        for axis in (0, 1):
            values = values.index_select(2 + axis, torch.from_numpy(places[axis]).to(values.device))
        return values

    def _border(self, span: Span, have: Span, axis: int) -> Pair:
        """How many pixels of `span` lie before and after the input `have`."""
        first, last = (place - self.before[axis] for place in span)
        return max(0, have[0] - first), max(0, last - have[1])

    def _places(self, span: Span, size: int, axis: int) -> np.ndarray:
        """The pixel of the input that each pixel of `span` shows: a triangle wave, or the nearest."""
        places = np.arange(span[0] - self.before[axis], span[1] - self.before[axis])
        if self.mode == "replicate" or size == 1:
            return places.clip(0, size - 1)
        places %= 2 * (size - 1)
        return np.minimum(places, 2 * (size - 1) - places)


@dataclass(frozen=True)
class Pointwise:
    """Each pixel from the same pixel of one or more planes; as many channels as come in, or their sum."""

    call: Callable[[list[Tensor]], Tensor]
    joins: bool = False
    work: float = 1.0

    def channels(self, inputs: list[int]) -> int:
        return sum(inputs) if self.joins else max(inputs)

    def side(self, size: int, axis: int) -> int:
        return size

    def need(self, span: Span, size: int, axis: int) -> Span:
        return span

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        return self.call(inputs)


@dataclass(frozen=True)
class Norm:
    """Subtract a mean, divide by a deviation, known or of the plane; shared by `groups` of channels if set."""

    weight: Tensor | None
    bias: Tensor | None
    eps: float
    running: tuple[Tensor, Tensor] | None
    """Mean and variance of each channel, float64 on the CPU as weight and bias; None: those of the plane."""
    groups: int | None = None
    work: float = 1.0

    def channels(self, inputs: list[int]) -> int:
        return inputs[0]

    def side(self, size: int, axis: int) -> int:
        return size

    def need(self, span: Span, size: int, axis: int) -> Span:
        return span

    def run(self, inputs: list[Tensor], have: Box, sizes: Pair, box: Box) -> Tensor:
        assert self.running is not None
        mean, variance = self.running
        if self.groups:
            means = mean.reshape(self.groups, -1)
            shared = means.mean(1, keepdim=True)
            spread = (variance.reshape(self.groups, -1) + (means - shared).square()).mean(1, keepdim=True)
            mean, variance = shared.expand_as(means).flatten(), spread.expand_as(means).flatten()
        scale = torch.rsqrt(variance + self.eps) * (1 if self.weight is None else self.weight)
        shift = (0 if self.bias is None else self.bias) - mean * scale
        scale, shift = (each.float()[:, None, None].to(inputs[0].device) for each in (scale, shift))
        return torch.addcmul(shift, inputs[0], scale)


def clip(span: Span, size: int) -> Span:
    """`span` cut to a plane `size` long; never empty, so that there is always something to compute with."""
    first = min(max(span[0], 0), size - 1)
    return first, max(min(span[1], size), first + 1)


def _continued(span: Span, border: Pair, mode: str) -> np.ndarray:
    """Which pixels torch's padding of a tile would show; nothing where it would refuse to pad."""
    length = span[1] - span[0]
    if mode == "reflect" and max(border) >= length:
        return np.empty(0)
    return np.pad(np.arange(length), border, mode="reflect" if mode == "reflect" else "edge")


def fit(values: Tensor, pads: list[int], value: float = 0.0) -> Tensor:
    """F.pad by (left, right, top, bottom), except that what is cut away may be more than there was before padding."""
    if max(pads) > 0:
        values = F.pad(values, [max(0, pad) for pad in pads], value=value)
    left, right, top, bottom = (max(0, -pad) for pad in pads)
    return values[..., top : values.shape[-2] - bottom, left : values.shape[-1] - right]
