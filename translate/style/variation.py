"""Total variation (Rudin, Osher, Fatemi, Physica D, 1992), anisotropic, as a mean: how restless a picture is."""

from torch import Tensor

from translate.style.base import exact, full


def total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of pixels (N, C, H, W) to the right and down, over all pairs and channels: (N,).

    In units of pixels, so at most 2 for [-1, 1]; 0 for a picture of one pixel. Its gradient is 0 where neighbours are
    equal.
    """
    with exact(images):
        images = full(images)
        down, right = images.diff(dim=2).abs(), images.diff(dim=3).abs()
        pairs = max(down[0].numel() + right[0].numel(), 1)
        return (down.sum(dim=(1, 2, 3)) + right.sum(dim=(1, 2, 3))) / pairs
