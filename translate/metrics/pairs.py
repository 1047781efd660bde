"""What every measure asks of its two batches."""

import torch
from torch import Tensor


def checked(images: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return both in float32, or float64 if either is; raises ValueError unless they are alike (N, C, H, W)."""
    if images.shape != truth.shape or images.dim() != 4:
        raise ValueError(f"two batches (N, C, H, W) of one shape are needed, not {images.shape} and {truth.shape}")
    dtype = torch.float64 if torch.float64 in (images.dtype, truth.dtype) else torch.float32
    return images.to(dtype), truth.to(dtype)
