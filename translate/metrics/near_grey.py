"""Share of a picture that is left all but grey: how a timid colorizer fails."""

import torch
from torch import Tensor

from translate.colour.lab import to_lab
from translate.metrics.pairs import checked_colours

# In C*ab: twice what is just seen next to grey, about 2.3 (Mahy et al. 1994).
NEAR_GREY = 5.0


def near_grey(images: Tensor, truth: Tensor) -> Tensor:
    """Share of the pixels of each image (N, 3, H, W), sRGB in [-1, 1], whose chroma C*ab is below NEAR_GREY: (N,).

    In [0, 1]; `truth` is not looked at but for its shape, so that every measure is called alike. Real photographs have
    their grey too: compare with near_grey(truth, truth). Raises ValueError unless both have 3 channels.
    """
    images, _ = checked_colours(images, truth)
    a, b = to_lab(images)[1].unbind(1)
    return (torch.hypot(a, b) < NEAR_GREY).to(images.dtype).mean(dim=(1, 2))
