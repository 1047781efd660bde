"""The gradient penalty of WGAN-GP (Gulrajani et al. 2017)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from translate.errors import ConfigError
from translate.objectives.base import precise
from translate.objectives.penalties.slopes import distance, slopes


def gradient_penalty(
    discriminate: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    kind: Literal["mixed", "real", "fake"] = "mixed",
    constant: float = 1.0,
    alpha: Tensor | None = None,
) -> Tensor:
    """Mean over images of (|gradient of D's summed logits by the image| - constant)^2.

    It is taken at `real`, at `fake` (both (N, C, H, W)) or on the lines between them, at the shares `alpha` (N, 1) of
    real, drawn evenly if None. Computed in float32, or float64 if `real` is that, also under autocast. Neither image
    receives a gradient; D's parameters do. D must treat images one by one, which batch norm does not.
    Raises ConfigError if the images are not as many, or not of one size.
    """
    points = _points(precise(real.detach()), precise(fake.detach()), kind, alpha)
    return distance(slopes(discriminate, points), constant)


def _points(real: Tensor, fake: Tensor, kind: str, alpha: Tensor | None) -> Tensor:
    if real.shape != fake.shape:
        raise ConfigError(
            f"A gradient penalty lies between real and fake images of one size, not {tuple(real.shape)} and "
            f"{tuple(fake.shape)}: use another preprocess than none, or no gradient penalty (wgan has one by default)."
        )
    if kind != "mixed":
        return {"real": real, "fake": fake}[kind]
    if alpha is None:
        alpha = torch.rand(len(real), 1, device=real.device, dtype=real.dtype)
    share = alpha.to(real).view(-1, 1, 1, 1)
    return share * real + (1 - share) * fake
