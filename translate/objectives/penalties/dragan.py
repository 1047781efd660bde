"""The gradient penalty of DRAGAN (Kodali et al. 2017): D is to be smooth around real images."""

from collections.abc import Callable

import torch
from torch import Tensor

from translate.objectives.base import precise
from translate.objectives.penalties.slopes import distance, slopes


def dragan(
    discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, noise: Tensor | None = None
) -> Tensor:
    """Mean over images of (|gradient of D's summed logits by the image| - 1)^2, at real + std(real) noise / 2.

    `noise` (N, C, H, W) is drawn evenly from [0, 1) if None; the deviation is one, of all values of the batch. `fake`
    is not looked at. The paper gives the penalty a weight of 10 beside `vanilla`.
    This is the noise of the paper's first version; the last one draws it from a normal distribution of a fixed width.
    """
    real = precise(real.detach())
    if noise is None:
        noise = torch.rand_like(real)
    points = real + 0.5 * real.std(correction=0) * noise.to(real)
    return distance(slopes(discriminate, points), 1.0)
