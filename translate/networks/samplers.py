"""What every network that makes images from noise tells of itself, and what they share.

Labels beside the noise: Mirza and Osindero 2014. Continuous codes: InfoGAN, Chen et al., NIPS 2016.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from translate.errors import ConfigError
from translate.networks.conditions import NORMS, SIZES, check_network, needed, one_hot

CONDITIONINGS = ("none", "concat", "batchnorm")
LARGEST_GRID = 7


class Sampler(nn.Module):
    """forward(z, labels=None, codes=None): images (N, out_channels, size, size) in [-1, 1].

    z (N, latent) is noise; `labels` (N,) int64 are classes, or values of InfoGAN's categorical code, and must be there
    if `classes` > 0; so must `codes` (N, continuous) if `continuous` > 0. A network ignores what it has no use for.
    `conditioning` concat: labels as 0 and 1 beside z. batchnorm: they choose scale and shift behind each norm.
    `per_image`: no image of a batch sees another one. Raises ConfigError for what cannot be made, and where labels or
    codes are missing.
    """

    arguments: dict[str, Any]
    latent: int
    classes: int
    continuous: int
    size: int
    out_channels: int
    per_image: bool

    def __init__(
        self,
        network: str,
        arguments: dict[str, Any],
        *,
        norms: Iterable[str] = NORMS,
        conditionings: Iterable[str] = CONDITIONINGS,
        sizes: range = SIZES,
    ) -> None:
        super().__init__()
        check_network(network, arguments, norms=norms, conditionings=conditionings, sizes=sizes)
        self.arguments = arguments
        self.latent, self.classes, self.continuous = (arguments[key] for key in ("latent", "classes", "continuous"))
        self.size, self.out_channels = arguments["size"], arguments["out_channels"]
        self.per_image = arguments["norm"] != "batch"
        self.beside = self.classes if arguments["conditioning"] == "concat" else 0
        self.norm_classes = self.classes if arguments["conditioning"] == "batchnorm" else 0
        self.inputs = self.latent + self.beside + self.continuous

    def joined(self, z: Tensor, labels: Tensor | None, codes: Tensor | None) -> Tensor:
        """Noise, labels and codes beside each other, (N, inputs)."""
        parts = [z]
        if self.classes:
            labels = needed(labels, self.classes)
        if self.beside and labels is not None:
            parts.append(one_hot(labels, self.beside, z))
        if self.continuous:
            if codes is None:
                raise ConfigError(f"This network was made for {self.continuous} codes and needs them for each image.")
            parts.append(codes.to(z.dtype))
        return torch.cat(parts, dim=1)


def grid(size: int) -> tuple[int, int]:
    """The side, 4 to 7, of the map that images of `size` grow from, and how often it is doubled to cover them."""
    doublings = 0
    while size > LARGEST_GRID:
        size = -(-size // 2)
        doublings += 1
    return size, doublings


def middle(images: Tensor, size: int) -> Tensor:
    """The `size` x `size` pixels in the middle of `images`."""
    top, left = ((side - size) // 2 for side in images.shape[-2:])
    return images[..., top : top + size, left : left + size]
