"""Augmentation that G and D both see, and gradients pass through (Zhao, Liu, Lin, Zhu and Han 2020).

With few images D learns them by heart. Augmenting the real ones alone would teach G the augmented look; here every
image that D is shown, real or fake, in D's turn and in G's, is augmented at random, and G learns through it.
"""

from collections.abc import Collection

import torch
from torch import Tensor
from torch.autograd import Function

from translate.config import near_miss
from translate.errors import ConfigError

AUGMENTATIONS = ("color", "translation", "cutout")
_SPELLED = {"colour": "color"}


def check_policy(policy: str | Collection[str]) -> tuple[str, ...]:
    """The augmentations that `policy` names, joined by commas or one by one, in the order they are applied.

    None for an empty one. Raises ConfigError, with the near miss, for a name that is not in AUGMENTATIONS.
    """
    words = policy.split(",") if isinstance(policy, str) else list(policy)
    names = [_SPELLED.get(name, name) for word in words if (name := word.strip().lower())]
    for name in names:
        if name not in AUGMENTATIONS:
            raise ConfigError(f"There is no augmentation {name!r}.{near_miss(name, AUGMENTATIONS)}")
    return tuple(name for name in AUGMENTATIONS if name in names)


def diffaugment(images: Tensor, policy: str | Collection[str]) -> Tensor:
    """Augment `images` (N, C, H, W) in [-1, 1], each at random, by what `policy` names (see `check_policy`).

    Any C, H and W. Draws come from torch's generator of the images' device. Everything is differentiable, twice for
    penalties, and no gradient is scattered, so that it repeats exactly, also on a GPU. After "color" values may leave
    [-1, 1]: they are not clipped, for that would stop gradients. Raises ConfigError as `check_policy` does.
    """
    for name in check_policy(policy):
        images = _OPERATIONS[name](images)
    return images


def color(images: Tensor) -> Tensor:
    """Add U(-0.5, 0.5), scale saturation by U(0, 2), then contrast by U(0.5, 1.5).

    Saturation is the distance from the mean over channels, contrast from the mean of the image. One channel has no
    saturation.
    """
    # On the images' device, whose generator the trainer seeds for every step.
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, device=images.device).to(images.dtype)
    images = images + (brightness - 0.5)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (2 * saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Tensor) -> Tensor:
    """Move by whole pixels, in each direction up to an eighth of the side; what comes in is 0, the middle grey."""
    furthest = [_part(side, 8) for side in images.shape[2:]]
    down, right = (_whole(images, -most, most + 1) for most in furthest)
    return _Move.apply(images, down, right)


def cutout(images: Tensor) -> Tensor:
    """Put 0 into a square of half the side, whose centre is drawn over the image (DeVries and Taylor 2017).

    At the edge a part of it is outside. Half of each side where the image is no square.
    """
    rows, columns = (_stretch(images, side) for side in images.shape[2:])
    return images.masked_fill(rows.unsqueeze(3) & columns.unsqueeze(2), 0.0)


def _stretch(images: Tensor, side: int) -> Tensor:
    """Of the pixels of one side which lie in a random half of it, (N, 1, side)."""
    length = _part(side, 2)
    first = _whole(images, 0, side).squeeze(3) - length // 2
    places = torch.arange(side, device=images.device)
    return (places >= first) & (places < first + length)


def _part(side: int, parts: int) -> int:
    """One of `parts` of `side` in whole pixels, half a pixel rounded up."""
    return (2 * side + parts) // (2 * parts)


def _whole(images: Tensor, low: int, high: int) -> Tensor:
    """A whole number an image from `low` to below `high`, (N, 1, 1, 1)."""
    return torch.randint(low, high, (len(images), 1, 1, 1), device=images.device)


class _Move(Function):
    """Move images (N, C, H, W) by `down` and `right`, whole pixels (N, 1, 1, 1), and fill with 0.

    Its gradient is moved back, by the same gathering. The one torch would find scatters, which adds up in an order that
    a GPU chooses anew each time.
    """

    @staticmethod
    def forward(context, images: Tensor, down: Tensor, right: Tensor) -> Tensor:
        context.save_for_backward(down, right)
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device).view(1, 1, -1, 1) - down
        columns = torch.arange(width, device=images.device).view(1, 1, 1, -1) - right
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        places = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
        moved = images.flatten(2).gather(2, places.flatten(2).expand(-1, images.shape[1], -1))
        return moved.view(images.shape).masked_fill(~inside, 0.0)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[Tensor, None, None]:
        down, right = context.saved_tensors
        return _Move.apply(gradient, -down, -right), None, None


_OPERATIONS = {"color": color, "translation": translation, "cutout": cutout}
