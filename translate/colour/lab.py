"""sRGB to CIE Lab (CIE 1976) and back: D65, 2 degree observer, the transfer function of IEC 61966-2-1.

Light is L* in [0, 100]; chroma is (a*, b*), for sRGB within about [-86, 98] and [-108, 94]. Networks see light as
L / 50 - 1 and give chroma as ab / 110, as the colorization model of pytorch-CycleGAN-and-pix2pix does.
"""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

MOST_CHROMA = 110.0


def to_lab(images: Tensor) -> tuple[Tensor, Tensor]:
    """sRGB (N, 3, H, W) in [-1, 1] as light (N, 1, H, W) in [0, 100] and chroma (N, 2, H, W); has a gradient."""
    import kornia.color  # a third of a second that only who computes colours waits for

    with exact(images):
        lab = kornia.color.rgb_to_lab((_full(images) + 1) / 2)
    return lab[:, :1], lab[:, 1:]


def from_lab(light: Tensor, chroma: Tensor) -> Tensor:
    """sRGB (N, 3, H, W), in [-1, 1] where sRGB has the colour and beyond where it has not; has a gradient."""
    import kornia.color

    with exact(light):
        return kornia.color.lab_to_rgb(torch.cat([_full(light), _full(chroma)], dim=1), clip=False) * 2 - 1


def to_network(light: Tensor) -> Tensor:
    """Light in [0, 100] as a network sees it, in [-1, 1]."""
    return light / 50 - 1


def from_network(output: Tensor) -> Tensor:
    """What a network gives, in [-1, 1], as chroma (a*, b*)."""
    return output * MOST_CHROMA


def exact(like: Tensor) -> AbstractContextManager[None]:
    """Compute colours in full precision, whatever a training computes its networks in."""
    return torch.autocast(like.device.type, enabled=False)


def _full(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()
