"""Features of a convolutional network that is a chain of stages; where a stage looks follows from its window."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.features.base import Features, key_of


class Window(NamedTuple):
    """What one place of a stage sees of the map before it, and how many places that makes."""

    kernel: int
    stride: int = 1
    padding: int = 0
    ceil: bool = False
    """A last window that is partly beyond the border counts, as in pooling with ceil_mode."""
    least: int = 1
    """Reflection needs one value more than it pads."""

    def places(self, size: int) -> int:
        """Places of a map of `size`: 0 if there is none."""
        if size < self.least:
            return 0
        room = size + 2 * self.padding - self.kernel
        count = (-(-room // self.stride) if self.ceil else room // self.stride) + 1
        # A window that would begin beyond the border is left out.
        return count - 1 if self.ceil and (count - 1) * self.stride >= size + self.padding else max(count, 0)


class Stage(nn.Module):
    """One link of a chain: a map (N, C, h, w) to the next."""

    window: Window


class Convolution(Stage):
    """A square convolution of given weights and, unless `bare`, ReLU; `padding` is in values, `mode` how it is filled.

    Reflect, as some weights were trained, or replicate. Zeros, as torchvision has, would tell the network where the
    border is, and what stands in a painting's corner would come back in every picture's.

    Weights are buffers: they move with the network and take no gradient, and no random number is drawn to make them.
    """

    weight: Tensor
    bias: Tensor

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        stride: int = 1,
        padding: int = 0,
        mode: str = "replicate",
        bare: bool = False,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().float().contiguous())
        self.register_buffer("bias", bias.detach().float().contiguous())
        self.mode, self.bare = mode, bare
        least = padding + 1 if mode == "reflect" else 1
        self.window = Window(weight.shape[2], stride, padding, least=least)

    def forward(self, values: Tensor) -> Tensor:
        padding = self.window.padding
        if padding:
            values = F.pad(values, (padding,) * 4, mode=self.mode)
        made = F.conv2d(values, self.weight, self.bias, stride=self.window.stride)
        # In place on what only this stage has seen: a map less at the peak.
        return made if self.bare else made.relu_()


class Pool(Stage):
    """Max or average pooling; partial windows at the border, with `ceil`, average what is there."""

    def __init__(self, kernel: int, *, stride: int = 2, ceil: bool = False, average: bool = False) -> None:
        super().__init__()
        self.window = Window(kernel, stride, ceil=ceil)
        self.average = average

    def forward(self, values: Tensor) -> Tensor:
        kernel, stride, _, ceil, _ = self.window
        if self.average:
            return F.avg_pool2d(values, kernel, stride, ceil_mode=ceil, count_include_pad=False)
        return F.max_pool2d(values, kernel, stride, ceil_mode=ceil)


class Chain(Features):
    """Stages one after the other, those with a name can be asked for.

    `matrix` (3, 3) and `offset` (3,) take RGB in [0, 1] to what the first stage expects.
    """

    def __init__(
        self, name: str, about: str, stages: Sequence[tuple[str, Stage]], matrix: Tensor, offset: Tensor, pooling: str
    ) -> None:
        super().__init__()
        self.name = name
        self.about = f"{name} ({about}{', ' if about else ''}{pooling} pooling)"
        self.names = tuple(named for named, _ in stages)
        self.layers = tuple(filter(None, self.names))
        # Pictures come in [-1, 1]: x / 2 + 1 / 2 goes into the same product.
        matrix, offset = matrix.double(), offset.double()
        entry = (matrix / 2)[:, :, None, None], offset + matrix.sum(dim=1) / 2
        self.entry = Convolution(*entry, bare=True)
        self.stages = nn.ModuleList([stage for _, stage in stages])
        self.windows = tuple(stage.window for _, stage in stages)
        self.requires_grad_(False).eval()
        self.key = key_of(
            self,
            name,
            self.names,
            pooling,
            self.windows,
            [each.mode for each in self.modules() if isinstance(each, Convolution)],
        )

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        asked = self._asked(layers)
        self._check(images, asked)
        found: dict[str, Tensor] = {}
        if not asked:
            return found
        values = self.entry(images)
        for name, stage in zip(self.names, self.stages, strict=True):
            values = stage(values)
            if name in asked:
                found[name] = values
            if len(found) == len(asked):
                break
        return {layer: found[layer] for layer in asked}

    def stride(self, layer: str) -> int:
        stride, _, _ = self._field(layer)
        return stride

    def reach(self, layer: str) -> int:
        _, before, after = self._field(layer)
        return max(before, after)

    def minimum(self, layers: Iterable[str]) -> int:
        asked = self._asked(layers)
        windows = self.windows[: max((self.names.index(layer) + 1 for layer in asked), default=0)]
        size = 1
        while not _lasts(size, windows):
            size += 1
        return size

    def _field(self, layer: str) -> tuple[int, int, int]:
        """Stride of a layer, and the pixels before and after its first one that a place sees."""
        (layer,) = self._asked([layer])
        stride, before, after = 1, 0, 0
        for window in self.windows[: self.names.index(layer) + 1]:
            before += window.padding * stride
            after += (window.kernel - 1 - window.padding) * stride
            stride *= window.stride
        return stride, before, after


def _lasts(size: int, windows: Iterable[Window]) -> bool:
    """Whether a picture of `size` still has a place after the last of `windows`."""
    for window in windows:
        size = window.places(size)
        if size < 1:
            return False
    return True


def imagenet() -> tuple[Tensor, Tensor]:
    """Matrix and offset of torchvision's networks: mean and deviation of ImageNet taken out of RGB in [0, 1]."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return torch.diag(1 / deviation), -mean / deviation
