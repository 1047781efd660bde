"""The table of measures of likeness: plain functions of two batches (N, C, H, W) in [-1, 1], one value an image.

LPIPS stands apart, in `metrics.lpips`: it needs files of weights.
"""

from collections.abc import Callable

from torch import Tensor

from translate.metrics.ab_psnr import ab_psnr
from translate.metrics.colourfulness import colourfulness_ratio
from translate.metrics.delta_e import delta_e
from translate.metrics.l1 import l1
from translate.metrics.near_grey import near_grey
from translate.metrics.psnr import psnr
from translate.metrics.ssim import ssim

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": psnr,
    "ssim": ssim,
    "l1": l1,
}

COLOUR_METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ab_psnr": ab_psnr,
    "delta_e": delta_e,
    "colourfulness_ratio": colourfulness_ratio,
    "near_grey": near_grey,
}
"""Of pictures whose light is right and whose colours are in question; they take three channels."""

HIGHER_IS_BETTER: dict[str, bool] = {"psnr": True, "ssim": True, "l1": False, "lpips": False}

__all__ = ["COLOUR_METRICS", "HIGHER_IS_BETTER", "METRICS"]
