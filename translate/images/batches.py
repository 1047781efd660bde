"""Arrays of one shape to a batch for a network and back, in the channels that it takes."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from translate.errors import ConfigError
from translate.images.arrays import to_array, to_tensor


def to_batch(pixels: Sequence[np.ndarray]) -> Tensor:
    """Arrays (H, W, C) of one shape and type as (N, C, H, W): uint8 as it is, all else as float32 in [-1, 1]."""
    if pixels[0].dtype == np.uint8:
        joined = pixels[0][None] if len(pixels) == 1 else np.stack(pixels)
        return torch.from_numpy(np.ascontiguousarray(joined)).permute(0, 3, 1, 2)
    return torch.stack([to_tensor(array) for array in pixels])


def from_batch(batch: Tensor, dtype: np.dtype) -> list[np.ndarray]:
    """(N, C, H, W) on the CPU as arrays (H, W, C): uint8 as it is, floats rounded to uint16 or left as they are."""
    if batch.dtype == torch.uint8:
        return list(batch.permute(0, 2, 3, 1).contiguous().numpy())
    if dtype == np.uint16:
        return [to_array(image, np.uint16) for image in batch]
    return [np.ascontiguousarray(image.permute(1, 2, 0).numpy(), dtype=np.float32) for image in batch]


def match_channels(pixels: np.ndarray, wanted: int) -> np.ndarray:
    """Turn grey (H, W, 1) into 3 `wanted` channels, RGB into 1 by Rec. 601 luma; raises ConfigError otherwise.

    0 `wanted` channels are as many as there are.
    """
    have = pixels.shape[2]
    if wanted in (0, have):
        return pixels
    if have == 1 and wanted == 3:
        return np.repeat(pixels, 3, axis=2)
    if have == 3 and wanted == 1:
        luma = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return (luma if pixels.dtype.kind == "f" else np.rint(luma)).astype(pixels.dtype)[..., None]
    raise ConfigError(f"This model takes {wanted} channels; the image has {have}.")
