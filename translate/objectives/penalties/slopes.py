"""The gradient of a discriminator by its images, which penalties are made of."""

from collections.abc import Callable

import torch
from torch import Tensor

from translate.objectives.base import precise


def slopes(discriminate: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Gradient (N, values) of D's summed logits by each image of `points` (N, C, H, W), itself differentiable.

    Computed without autocast in float32, or float64 if `points` are that. `points` receive no gradient.
    """
    with torch.autocast(points.device.type, enabled=False), torch.enable_grad():
        # A tensor of its own, as D may keep what it is given.
        places = precise(points.detach()).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(discriminate(places).sum(), places, create_graph=True)
        return gradient.flatten(1)


def distance(gradient: Tensor, constant: float) -> Tensor:
    """Mean over images of (|gradient| - constant)^2, of gradients (N, values); without autocast."""
    with torch.autocast(gradient.device.type, enabled=False):
        # A norm has no derivative at zero; the summand, far below float32's resolution elsewhere, gives it one.
        norms = (gradient + 1e-16).norm(dim=1)
        return (norms - constant).square().mean()


def squared(gradient: Tensor) -> Tensor:
    """Half the mean over images of |gradient|^2, of gradients (N, values); without autocast."""
    with torch.autocast(gradient.device.type, enabled=False):
        return gradient.square().sum(dim=1).mean() / 2
