"""Mean absolute difference."""

from torch import Tensor

from translate.metrics.pairs import checked


def l1(images: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of each image (N, C, H, W) in [-1, 1] from its truth: (N,), 0 equal to 2 opposite."""
    images, truth = checked(images, truth)
    return (images - truth).abs().mean(dim=(1, 2, 3))
