"""Peak signal-to-noise ratio."""

from torch import Tensor

from translate.metrics.pairs import checked

PERFECT = 100.0


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """PSNR in dB of each image (N, C, H, W) in [-1, 1] against its truth: (N,), peak 2.

    An equal image would have infinitely many dB and spoil every mean: no image gets more than PERFECT, 100 dB, about
    what is left by one step of 8 bits in a single one of 256 x 256 x 3 values.
    """
    images, truth = checked(images, truth)
    error = (images - truth).square().mean(dim=(1, 2, 3))
    return 10 * (4.0 / error.clamp(min=4.0 * 10 ** (-PERFECT / 10))).log10()
