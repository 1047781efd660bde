"""Does a translation keep light and dark where they were?"""

import torch
from torch import Tensor
from torch.nn import functional as F

WEIGHTS = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
FLAT = 1e-6  # deviation below which a picture has no light and dark: far below a step of 8 bits in one pixel


def luminance_correlation(inputs: Tensor, outputs: Tensor) -> float:
    """Mean over images of the correlation of the luminance of inputs (N, C, H, W) and outputs (N, C', H', W').

    1: the same but for brightness and contrast; -1: inverted; about 0: nothing to do with each other, and 0 counts a
    picture that is flat, input or output. Luminance is luma of three channels and the mean of any other number; both
    are averaged to the lesser height and width. Raises ValueError for other shapes, unequal N and values that are not
    finite.
    """
    if inputs.dim() != 4 or outputs.dim() != 4 or len(inputs) != len(outputs) or not len(inputs):
        raise ValueError(f"as many inputs as outputs (N, C, H, W) are needed, not {inputs.shape} and {outputs.shape}")
    if not (inputs.isfinite().all() and outputs.isfinite().all()):
        raise ValueError("inputs or outputs hold values that are not finite: nothing can be said of them")
    size = (min(inputs.shape[2], outputs.shape[2]), min(inputs.shape[3], outputs.shape[3]))
    x, y = (F.adaptive_avg_pool2d(_luminance(images), size).flatten(1) for images in (inputs, outputs))
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    spread = [values.square().mean(dim=1).sqrt() for values in (x, y)]
    seen = (spread[0] > FLAT) & (spread[1] > FLAT)
    correlation = (x * y).mean(dim=1) / (spread[0] * spread[1])
    return float(torch.where(seen, correlation, 0).mean().clamp(-1, 1))


def _luminance(images: Tensor) -> Tensor:
    images = images.double()
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    return (images * images.new_tensor(WEIGHTS).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
