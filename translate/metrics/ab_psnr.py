"""Peak signal-to-noise ratio of chroma alone: what a colorizer decides, without the light that it was given."""

from torch import Tensor

from translate.colour.lab import MOST_CHROMA, to_lab
from translate.metrics.pairs import checked_colours
from translate.metrics.psnr import PERFECT

PEAK = 2 * MOST_CHROMA


def ab_psnr(images: Tensor, truth: Tensor) -> Tensor:
    """PSNR in dB of the chroma (a*, b*) of each image (N, 3, H, W), sRGB in [-1, 1], against its truth: (N,).

    The peak is 220, the mean taken over pixels and both coordinates: PSNR of ab / 110 in [-1, 1], as networks give it.
    The field has no peak for ab: the PSNR of Zhang et al. (SIGGRAPH 2017) is that of 8-bit sRGB, peak 255, and Zhang et
    al. (ECCV 2016) count pixels within a distance in ab. Compare these dB only with each other. At most PERFECT, as
    psnr. Raises ValueError unless both are of 3 channels and one shape.
    """
    images, truth = checked_colours(images, truth)
    error = (to_lab(images)[1] - to_lab(truth)[1]).square().mean(dim=(1, 2, 3))
    return 10 * (PEAK**2 / error.clamp(min=PEAK**2 * 10 ** (-PERFECT / 10))).log10()
