"""What every measure asks of its two batches."""

import torch
from torch import Tensor


def checked(images: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in float32, or float64 if either is; raises ValueError unless they are alike (N, C, H, W)."""
    if images.shape != truth.shape or images.dim() != 4:
        raise ValueError(f"two batches (N, C, H, W) of one shape are needed, not {images.shape} and {truth.shape}")
    dtype = torch.float64 if torch.float64 in (images.dtype, truth.dtype) else torch.float32
    return images.to(dtype), truth.to(dtype)


def checked_colours(images: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """As `checked`, and raises ValueError unless there are 3 channels: measures of colour have no other meaning."""
    images, truth = checked(images, truth)
    if images.shape[1] != 3:
        raise ValueError(f"a measure of colour takes images of 3 channels, not of {images.shape[1]}")
    return images, truth
