"""Distance between two sets of pictures by their colours given their light: kernel MMD of features made by hand.

It is computed as KID is (Binkowski et al., Demystifying MMD GANs, ICLR 2018), but its features are statistics of chroma
and no Inception network: its numbers compare with each other only, and it does not see whether the grass is green, only
whether the colours are as many, as strong, as mixed and as placed as in photographs.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.colour.lab import to_lab
from translate.metrics.mmd import mmd
from translate.metrics.pairs import checked_colours

SIDE = 64  # chroma is averaged to at most so many pixels a side: finer is noise
GRID = 3
BANDS = 4
RINGS, HUES = (10.0, 22.0, 40.0, 65.0), 8
# About the root mean square of chroma in photographs: features near 1 make the kernel neither flat nor steep.
TYPICAL = 15.0


def features(images: Tensor) -> Tensor:
    """Colour statistics of each image (N, 3, H, W), sRGB in [-1, 1]: (N, D), values of the order of 1.

    Mean and deviation of a* and b* in GRID x GRID places and in BANDS bands of light, and the square root of a soft
    histogram of chroma over grey and RINGS x HUES colours. Raises ValueError unless there are 3 channels.
    """
    images, _ = checked_colours(images, images)
    side = (min(images.shape[2], SIDE), min(images.shape[3], SIDE))
    light, chroma = (F.adaptive_avg_pool2d(values, side) for values in to_lab(images))
    groups = [_by_place(chroma), _by_light(light.flatten(2), chroma.flatten(2)), _histogram(chroma.flatten(2))]
    return torch.cat(groups, dim=1)


def distance(x: Tensor, y: Tensor, *, paired: bool = False) -> Tensor:
    """Unbiased MMD^2 of two sets of features (M, D) and (N, D), M, N >= 2, kernel (x . y / D + 1)^3: a float64 scalar.

    0 on average for two samples of one distribution, so also a little below. `paired`: x and y are of the same
    pictures, one by one, and a picture is not compared with itself. Raises ValueError for other shapes.
    """
    return mmd(x, y, paired=paired)


def _by_place(chroma: Tensor) -> Tensor:
    mean = F.adaptive_avg_pool2d(chroma, GRID)
    square = F.adaptive_avg_pool2d(chroma.square(), GRID)
    return torch.cat([mean, _deviation(mean, square)], dim=1).flatten(1) / TYPICAL


def _by_light(light: Tensor, chroma: Tensor) -> Tensor:
    centres = torch.linspace(0, 100, BANDS, dtype=light.dtype, device=light.device).view(1, -1, 1)
    shares = (1 - (light - centres).abs() * (BANDS - 1) / 100).clamp(min=0)  # of every pixel, summing to 1
    # A band of fewer than a hundredth of the pixels says little: it fades to 0.
    shares = shares / (shares.sum(dim=2, keepdim=True) + 0.01 * light.shape[2])
    mean, square = (torch.einsum("nkp,ncp->nck", shares, values) for values in (chroma, chroma.square()))
    return torch.cat([mean, _deviation(mean, square)], dim=1).flatten(1) / TYPICAL


def _deviation(mean: Tensor, square: Tensor) -> Tensor:
    return (square - mean.square()).clamp(min=0).sqrt()


def _histogram(chroma: Tensor) -> Tensor:
    colours = [(0.0, 0.0)]
    for place, ring in enumerate(RINGS):
        for hue in range(HUES):
            angle = 2 * math.pi * (hue + place % 2 / 2) / HUES
            colours.append((ring * math.cos(angle), ring * math.sin(angle)))
    centres = chroma.new_tensor(colours)
    widths = 4 + 0.25 * torch.linalg.vector_norm(centres, dim=1)  # the rings lie further apart outwards
    squared = (chroma[:, None] - centres[None, :, :, None]).square().sum(dim=2)
    nearness = (-squared / (2 * widths.square())[:, None]).softmax(dim=1)
    return (nearness.mean(dim=2) * len(colours)).sqrt()  # 1 where all are as frequent
