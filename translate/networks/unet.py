"""U-Net generator of Pix2Pix (Isola et al., CVPR 2017, after Ronneberger et al. 2015)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import Generator, check_counts, doubling, has_bias, normalisation
from translate.networks.recomputing import recomputed


class UNet(Generator):
    """Halve the image `depth` times, then double it back, each level seeing what the way down had there.

    Takes (N, in_channels, H, W), H and W multiples of 2**depth; returns (N, out_channels, H, W) in [-1, 1].
    Level i has width * 2**i channels, at most `max_width` (8 * width). The innermost level has no norm on the way
    down; dropout sits in the doublings that lead to level 4 and deeper (three of them at depth 8), as published.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 64,
        depth: int = 8,
        norm: str = "batch",
        dropout: float = 0.5,
        upsampling: str = "transposed",
        max_width: int | None = None,
    ) -> None:
        super().__init__()
        max_width = 8 * width if max_width is None else max_width
        check_counts("unet", in_channels=in_channels, out_channels=out_channels, width=width, max_width=max_width)
        if depth < 2:
            raise ConfigError(f"unet: depth is {depth}; it must be 2 or more.")
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "width": width,
            "depth": depth,
            "norm": norm,
            "dropout": dropout,
            "upsampling": upsampling,
            "max_width": max_width,
        }
        self.multiple = self.minimum = 2**depth
        self.per_image = norm != "batch"

        widths = [min(width * 2**level, max_width) for level in range(depth)]
        self.downs = nn.ModuleList([Down(in_channels, widths[0], norm, first=True)])
        for level in range(1, depth):
            self.downs.append(Down(widths[level - 1], widths[level], norm, last=level == depth - 1))
        self.ups = nn.ModuleList()
        for level in range(depth - 1, 0, -1):
            inputs = widths[level] * (1 if level == depth - 1 else 2)
            rate = dropout if 4 <= level < depth - 1 else 0.0
            self.ups.append(Up(inputs, widths[level - 1], norm, upsampling, rate))
        self.head = doubling(2 * widths[0], out_channels, upsampling, kernel=4, padding="zeros", bias=True)

    def forward(self, images: Tensor) -> Tensor:
        levels = []
        for down in self.downs:
            images = recomputed(self, down, images)
            levels.append(images)
        parts: tuple[Tensor, ...] = (levels.pop(),)
        for up in self.ups:
            parts = (levels.pop(), recomputed(self, up, *parts))
        return recomputed(self, self._drawn, *parts)

    def _drawn(self, beside: Tensor, images: Tensor) -> Tensor:
        return torch.tanh(self.head(F.relu(torch.cat([beside, images], dim=1))))


class Down(nn.Module):
    """Leaky ReLU, convolution that halves, norm; the first level is the convolution alone, the last has no norm."""

    def __init__(
        self, in_channels: int, out_channels: int, norm: str, *, first: bool = False, last: bool = False
    ) -> None:
        super().__init__()
        self.first = first
        self.conv = nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=has_bias(norm))
        self.norm = normalisation("none" if first or last else norm, out_channels)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images if self.first else F.leaky_relu(images, 0.2)))


class Up(nn.Module):
    """ReLU, layer that doubles, norm, dropout; takes one image, or two of one size as channels of one."""

    def __init__(self, in_channels: int, out_channels: int, norm: str, upsampling: str, dropout: float) -> None:
        super().__init__()
        self.conv = doubling(in_channels, out_channels, upsampling, kernel=4, padding="zeros", bias=has_bias(norm))
        self.norm = normalisation(norm, out_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, *parts: Tensor) -> Tensor:
        images = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return self.dropout(self.norm(self.conv(F.relu(images))))
