"""CIEDE2000 (CIE 142-2001), as Sharma, Wu and Dalal (Color Research and Application 2005) write and test it."""

import math

import torch
from torch import Tensor

from translate.colour.lab import to_lab
from translate.metrics.pairs import checked_colours


def delta_e(images: Tensor, truth: Tensor) -> Tensor:
    """Mean CIEDE2000 over the pixels of each image (N, 3, H, W), sRGB in [-1, 1], from its truth: (N,), 0 equal.

    About 1 is just seen, black to white is 100. Raises ValueError unless both are of 3 channels and one shape.
    """
    images, truth = checked_colours(images, truth)
    return ciede2000(*to_lab(images), *to_lab(truth)).mean(dim=(1, 2))


def ciede2000(light1: Tensor, chroma1: Tensor, light2: Tensor, chroma2: Tensor) -> Tensor:
    """CIEDE2000 between light (N, 1, H, W) in [0, 100] with chroma (N, 2, H, W) and another: (N, H, W).

    Symmetric; k_L = k_C = k_H = 1. Its gradient is not finite where two colours or a colour and grey are equal.
    """
    l1, l2 = light1[:, 0], light2[:, 0]
    (a1, b1), (a2, b2) = chroma1.unbind(1), chroma2.unbind(1)
    stretch = 1 + 0.5 * (1 - _seventh((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2))  # 1 + G
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    difference, mean_h = _hues(torch.atan2(b1, a1), torch.atan2(b2, a2), (c1 == 0) | (c2 == 0))
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2 * (c1 * c2).sqrt() * torch.sin(difference / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    s_l = 1 + 0.015 * (mean_l - 50).square() / (20 + (mean_l - 50).square()).sqrt()
    s_c = 1 + 0.045 * mean_c
    s_h = 1 + 0.015 * mean_c * _t(mean_h)
    turn = math.radians(60) * torch.exp(-((mean_h - math.radians(275)) / math.radians(25)).square())
    r_t = -torch.sin(turn) * 2 * _seventh(mean_c)
    parts = delta_l / s_l, delta_c / s_c, delta_h / s_h
    squared = parts[0].square() + parts[1].square() + parts[2].square() + r_t * parts[1] * parts[2]
    return squared.clamp(min=0).sqrt()  # rounding takes it below 0 where the colours are all but equal


def _seventh(chroma: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)), in [0, 1]."""
    power = (chroma / 25) ** 7
    return (power / (power + 1)).sqrt()


def _hues(h1: Tensor, h2: Tensor, grey: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 10 and 14: difference h2 - h1, the shorter way round, and mean, in radians; 0 and the sum if one is grey."""
    h1, h2 = h1.remainder(2 * math.pi), h2.remainder(2 * math.pi)
    difference, total = h2 - h1, h1 + h2
    far = difference.abs() > math.pi
    shorter = torch.where(far, difference - 2 * math.pi * difference.sign(), difference)
    across = torch.where(total < 2 * math.pi, total + 2 * math.pi, total - 2 * math.pi)
    mean = torch.where(far, across, total) / 2
    return torch.where(grey, 0, shorter), torch.where(grey, total, mean)


def _t(h: Tensor) -> Tensor:
    return (
        1
        - 0.17 * torch.cos(h - math.radians(30))
        + 0.24 * torch.cos(2 * h)
        + 0.32 * torch.cos(3 * h + math.radians(6))
        - 0.20 * torch.cos(4 * h - math.radians(63))
    )
