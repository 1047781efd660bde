"""Arrays to tensors and back, from one depth to another, from one size to another."""

import cv2
import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from translate.errors import ImageError

_BAND = 2**20
"""Values at once."""


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(H, W, C) of uint8, uint16, or float in [-1, 1] as a new float32 (C, H, W) in [-1, 1]."""
    tensor = torch.empty(pixels.shape[2], *pixels.shape[:2])
    fill(tensor, pixels)
    return tensor


def fill(tensor: Tensor, pixels: np.ndarray) -> None:
    """Write `pixels` (H, W, C), as `to_tensor` converts them, into `tensor`, float32 (C, H, W)."""
    half = _half(pixels.dtype)
    if pixels.dtype == np.uint16:  # torch knows the type but not how to compute with it
        pixels = pixels.astype(np.float32)
    # Plane by plane takes half the time of a strided copy.
    for plane, values in zip(tensor, cv2.split(pixels), strict=True):
        plane.copy_(torch.from_numpy(values))
    if half:
        tensor.div_(half).sub_(1)


def to_array(tensor: Tensor, dtype: DTypeLike) -> np.ndarray:
    """(C, H, W), clamped to [-1, 1], as (H, W, C) of uint8, uint16 or float; integers are rounded to the nearest."""
    values = tensor.detach().float().clamp(-1, 1).permute(1, 2, 0).numpy()
    half = _half(np.dtype(dtype))
    return np.ascontiguousarray(np.rint((values + 1) * np.float32(half)) if half else values).astype(dtype)


def to_depth(pixels: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """The same picture in another depth: uint8, uint16 or float32 in [-1, 1]."""
    if pixels.dtype == dtype:
        return pixels
    half, wanted = _half(pixels.dtype), _half(np.dtype(dtype))
    made = np.empty(pixels.shape, dtype)
    rows = max(1, _BAND // max(1, pixels[:1].size))
    for first in range(0, len(pixels), rows):  # doubles of the whole would take eight times its bytes, several times
        values = pixels[first : first + rows].astype(np.float64)
        values = values / half - 1 if half else values
        made[first : first + rows] = np.rint((values.clip(-1, 1) + 1) * wanted) if wanted else values
    return made


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W, C): by area the side that shrinks, bicubic the side that grows; values stay in their range."""
    old_height, old_width, count = pixels.shape
    if (old_height, old_width) == (height, width):
        return pixels
    shrunk = (min(height, old_height), min(width, old_width))
    parts = []
    for first in range(0, count, 4):  # OpenCV resizes at most four channels in every mode
        # Whole rows apart from each other, as in half of a picture, are no trouble to it.
        part = pixels if count <= 4 else np.ascontiguousarray(pixels[..., first : first + 4])
        if shrunk != (old_height, old_width):
            part = cv2.resize(part, shrunk[::-1], interpolation=cv2.INTER_AREA)
        if shrunk != (height, width):
            part = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
        parts.append(part.reshape(height, width, -1))
    resized = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    return np.clip(resized, -1, 1) if resized.dtype.kind == "f" else resized


def _half(dtype: np.dtype) -> float:
    """Half the range of an integer depth, 0 for floats; raises ImageError for a type that is no depth."""
    if dtype == np.uint8:
        return 127.5
    if dtype == np.uint16:
        return 32767.5
    if dtype.kind == "f":
        return 0.0
    raise ImageError(f"Pixels are uint8, uint16 or float in [-1, 1], not {dtype}.")
