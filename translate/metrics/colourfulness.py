"""Colourfulness (Hasler and Süsstrunk, Measuring colourfulness in natural images, 2003)."""

import torch
from torch import Tensor

from translate.metrics.pairs import checked_colours

# Below this a picture counts as grey: one of 8 bits that is off by one step in a tenth of its pixels has less.
GREY = 1.0


def colourfulness(images: Tensor) -> Tensor:
    """Colourfulness M of each image (N, 3, H, W), sRGB in [-1, 1]: (N,); 0 is grey, above about 100 is extreme.

    M^(3) of the paper, on values 0..255: sqrt(s_rg^2 + s_yb^2) + 0.3 sqrt(m_rg^2 + m_yb^2), where rg = R - G,
    yb = (R + G) / 2 - B, and s and m are deviation and mean over the pixels. The paper's words for it are "slightly" at
    15, "moderately" at 33, "quite" at 59 and "highly" at 82. Raises ValueError unless there are 3 channels.
    """
    images, _ = checked_colours(images, images)
    red, green, blue = (images * 127.5).flatten(2).unbind(1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue], dim=1)
    spread = opponents.var(dim=2, correction=0).sum(dim=1).sqrt()
    return spread + 0.3 * opponents.mean(dim=2).square().sum(dim=1).sqrt()


def colourfulness_ratio(images: Tensor, truth: Tensor) -> Tensor:
    """Colourfulness of each image (N, 3, H, W), sRGB in [-1, 1], over that of its truth: (N,); 1 is as colourful.

    Colorizers that average over the colours that would do stay below 1; above 1 is gaudy. A grey truth (M below GREY)
    counts as GREY, and so does a grey image of it: their ratio is 1. Raises ValueError unless both have 3 channels.
    """
    images, truth = checked_colours(images, truth)
    ours, theirs = colourfulness(images), colourfulness(truth)
    return torch.where(theirs < GREY, ours.clamp(min=GREY), ours) / theirs.clamp(min=GREY)
