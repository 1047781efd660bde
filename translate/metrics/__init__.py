"""The table of measures of likeness: plain functions of two batches (N, C, H, W) in [-1, 1], one value an image.

LPIPS stands apart, in `metrics.lpips`: it needs files of weights.
"""

from collections.abc import Callable

from torch import Tensor

from translate.metrics.l1 import l1
from translate.metrics.psnr import psnr
from translate.metrics.ssim import ssim

METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": psnr,
    "ssim": ssim,
    "l1": l1,
}

HIGHER_IS_BETTER: dict[str, bool] = {"psnr": True, "ssim": True, "l1": False, "lpips": False}

__all__ = ["HIGHER_IS_BETTER", "METRICS"]
