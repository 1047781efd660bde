"""Structural similarity (Wang et al., IEEE Transactions on Image Processing 2004)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.metrics.pairs import checked

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """SSIM of each image (N, C, H, W) in [-1, 1] against its truth: (N,), 1 equal, about 0 unlike, at least -1.

    As in the paper: Gaussian window of 11 pixels and deviation 1.5, only where it fits whole; mean over places and
    channels. On a side of less than 11 pixels the window is the largest odd number of them.
    """
    images, truth = ((values + 1) / 2 for values in checked(images, truth))  # the constants are for a range of 1
    # Variances do not change with the zero point, and cancel least in float32 about the mean.
    middle = truth.mean(dim=(2, 3), keepdim=True)
    images, truth = images - middle, truth - middle
    mean_x, mean_y = _blurred(images), _blurred(truth)
    variance_x = _blurred(images.square()) - mean_x.square()
    variance_y = _blurred(truth.square()) - mean_y.square()
    covariance = _blurred(images * truth) - mean_x * mean_y
    mean_x, mean_y = mean_x + middle, mean_y + middle
    luminance = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def _blurred(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    flat = images.flatten(0, 1)[:, None]
    flat = F.conv2d(flat, _window(height, images).view(1, 1, -1, 1))
    flat = F.conv2d(flat, _window(width, images).view(1, 1, 1, -1))
    return flat.unflatten(0, images.shape[:2])[:, :, 0]


def _window(side: int, like: Tensor) -> Tensor:
    size = min(WINDOW, side - 1 + side % 2)
    distances = torch.arange(size, dtype=like.dtype, device=like.device) - size // 2
    weights = torch.exp(-distances.square() / (2 * SIGMA**2))
    return weights / weights.sum()
