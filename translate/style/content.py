"""How much of a picture's content is lost: by its features, or by the steps of its light."""

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.style.base import SMALLEST, exact, full

SCALES = 4
SMALLEST_SIDE = 8
FLAT = 0.1
"""Part of the mean square that features of a target deviate by at least, or a picture of fog could not be repainted."""
COLOURS = 0.1
"""Weight of the colours themselves beside the steps of light: next to nothing, until nothing else pulls."""
FAINTEST = 1e-5
"""Mean square step of a target without any: 0.003, less than half a level of 8 bits."""


def content_loss(values: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean square difference of features (N, C, h, w) from target (1 or N, C, h, w), relative: (N,).

    Relative to the mean square deviation of the target from its mean, of each channel by itself, over all its places:
    1 is what a picture of that mean gets. It counts as at least a tenth of the mean square, and as 1e-8.
    With weights (1 or N, 1, h, w) >= 0 the difference is a weighted mean, NaN where all are 0; what it is relative to
    has no weights. Gatys et al. (CVPR 2016), eq. (1), have half the sum instead.
    Raises ValueError for shapes that do not agree.
    """
    with exact(values):
        values, target = full(values), full(target)
        _check(values, target, weights)
        return _mean((values - target).square(), weights) / content_scale(target)


def content_scale(target: Tensor) -> Tensor:
    """What `content_loss` is relative to, of features (N, C, h, w): (N,)."""
    deviation = target.var(dim=(2, 3), correction=0).mean(dim=1)
    return torch.maximum(deviation, FLAT * target.square().mean(dim=(1, 2, 3))).clamp(min=SMALLEST)


def picture_loss(images: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Content without features, of pictures (N, 3, H, W) as in `gradient_loss`: that, and 0.1 `content_loss` of pixels.

    Pictures of one pixel have pixels only.
    """
    colours = COLOURS * content_loss(images, target, weights)
    if images.shape[2] * images.shape[3] < 2:
        return colours
    return gradient_loss(images, target, weights) + colours


def gradient_loss(images: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean square difference of the steps of light in images (N, 3, H, W) from those of target (1 or N, ...): (N,).

    Steps are differences of neighbours' luminance (Rec. 601), to the right and down, of the picture and of its means
    over 2, 4 and 8 pixels, while the shorter side has 8 of them. At each scale it is relative to the mean square step
    of the target, of at least 1e-5; the loss is the mean over scales. Colours, and the light on the whole, are free.
    With weights (1 or N, 1, H, W) >= 0 the difference is a weighted mean, a step having the mean weight of its two
    places, NaN where all are 0; what it is relative to has no weights.
    Raises ValueError for shapes that do not agree, and for pictures of one pixel.
    """
    with exact(images):
        images, target = full(images), full(target)
        _check(images, target, weights)
        if images.shape[1] != 3 or images.shape[2] * images.shape[3] < 2:
            raise ValueError(f"images (N, 3, H, W) of at least 2 pixels are needed, not {tuple(images.shape)}")
        made, wanted = luminance(images), luminance(target)
        shares = None if weights is None else weights.to(made)
        losses = []
        for scale in range(SCALES):
            if scale:
                if min(made.shape[2:]) < 2 * SMALLEST_SIDE:
                    break
                made, wanted = _halved(made), _halved(wanted)
                shares = None if shares is None else _halved(shares)
            losses.append(_steps_apart(made, wanted, shares))
        return torch.stack(losses).mean(dim=0)


def luminance(images: Tensor) -> Tensor:
    """Rec. 601 luma (N, 1, H, W) of sRGB (N, 3, H, W), in their range."""
    return (images * images.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)


def _steps_apart(made: Tensor, wanted: Tensor, weights: Tensor | None) -> Tensor:
    """Of luminance (N, 1, H, W) at one scale: (N,)."""
    steps = _steps(wanted)
    difference = (_steps(made) - steps).square()
    shares = None if weights is None else _pairs(weights)
    return _mean(difference, shares) / steps.square().mean(dim=(1, 2, 3)).clamp(min=FAINTEST)


def _steps(values: Tensor) -> Tensor:
    """Differences of neighbours of (N, 1, H, W), all in a row: (N, 1, 1, (H - 1) W + H (W - 1))."""
    down, right = values.diff(dim=2), values.diff(dim=3)
    return torch.cat([down.flatten(1), right.flatten(1)], dim=1)[:, None, None]


def _pairs(weights: Tensor) -> Tensor:
    """The mean weight of the two neighbours of each of `_steps`."""
    down, right = weights[:, :, 1:] + weights[:, :, :-1], weights[..., 1:] + weights[..., :-1]
    return torch.cat([down.flatten(1), right.flatten(1)], dim=1)[:, None, None] / 2


def _halved(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, 2, ceil_mode=True)  # what is left over at the edge is a mean of what is there


def _mean(squares: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean of (N, C, h, w), with weights (1 or N, 1, h, w), over all but the first axis: (N,)."""
    if weights is None:
        return squares.mean(dim=(1, 2, 3))
    weights = weights.to(squares)
    return (squares.mean(dim=1, keepdim=True) * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3))


def _check(values: Tensor, target: Tensor, weights: Tensor | None) -> None:
    if values.dim() != 4 or target.shape[1:] != values.shape[1:] or len(target) not in (1, len(values)):
        raise ValueError(f"target {tuple(target.shape)} is not like what it is compared with, {tuple(values.shape)}")
    if weights is None:
        return
    places = values.shape[2:]
    if weights.dim() != 4 or weights.shape[1:] != (1, *places) or len(weights) not in (1, len(values)):
        raise ValueError(f"weights (N, 1, {places[0]}, {places[1]}) are needed, not {tuple(weights.shape)}")
