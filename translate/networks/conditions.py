"""How networks take class labels, and the checks that all networks between noise and judgement share.

Concatenation: Mirza and Osindero 2014. Conditional batch normalisation: de Vries et al., NIPS 2017; Miyato and Koyama,
ICLR 2018.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.blocks import BatchNormOfUnits, check_counts, normalisation

NORMS = ("batch", "instance", "none")
SIZES = range(16, 513)
POINTS = range(1, 2)
"""The only size of points, which are images of one pixel."""


class ConditionalNorm(nn.Module):
    """A normalisation, without weights of its own, then a scale and a shift a channel that the class decides."""

    def __init__(self, norm: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.scale = nn.Parameter(torch.ones(classes, channels))
        self.shift = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, values: Tensor, labels: Tensor) -> Tensor:
        over = (..., *(None,) * (values.dim() - 2))
        return self.norm(values) * F.embedding(labels, self.scale)[over] + F.embedding(labels, self.shift)[over]


def norm_layer(kind: str, channels: int, classes: int = 0) -> nn.Module:
    """Normalisation of maps (N, channels, H, W), conditional if there are `classes`."""
    layer = normalisation(kind, channels, affine=classes == 0)
    return ConditionalNorm(layer, channels, classes) if classes else layer


def unit_norm_layer(units: int, classes: int = 0) -> nn.Module:
    """Batch normalisation of vectors (N, units), conditional if there are `classes`."""
    layer = BatchNormOfUnits(units, affine=classes == 0)
    return ConditionalNorm(layer, units, classes) if classes else layer


def normalised(norm: nn.Module, values: Tensor, labels: Tensor | None) -> Tensor:
    """`values` through a layer of `norm_layer`."""
    return norm(values, labels) if isinstance(norm, ConditionalNorm) else norm(values)


def one_hot(labels: Tensor, classes: int, like: Tensor) -> Tensor:
    """`labels` (N,) as (N, classes) of 0 and 1, of the type of `like`."""
    return F.one_hot(labels, classes).to(like.dtype)


def with_label_maps(images: Tensor, labels: Tensor, classes: int) -> Tensor:
    """`images` (N, C, H, W) and, as further channels, a map a class: 1 for the image's class, else 0."""
    maps = one_hot(labels, classes, images)[:, :, None, None].expand(-1, -1, *images.shape[-2:])
    return torch.cat([images, maps], dim=1)


def needed(labels: Tensor | None, classes: int) -> Tensor:
    """`labels`; raises ConfigError where there are none."""
    if labels is None:
        raise ConfigError(f"This network was made for {classes} classes and needs a label for each image.")
    return labels


def check_network(
    network: str, arguments: dict[str, Any], *, norms: Iterable[str], conditionings: Iterable[str], sizes: range
) -> None:
    """Raise ConfigError for what no network of `arguments` can be: counts, size, norm, conditioning."""
    counts = {key: arguments[key] for key in ("out_channels", "in_channels", "width", "latent") if key in arguments}
    check_counts(network, **counts)
    _check_choice(network, "norm", arguments["norm"], norms)
    _check_choice(network, "conditioning", arguments["conditioning"], conditionings)
    if arguments["size"] not in sizes:
        takes = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else f"{sizes[0]}, a point"
        raise ConfigError(f"{network}: size is {arguments['size']}; it must be {takes}.")
    for key in ("classes", "categories", "continuous"):
        if arguments.get(key, 0) < 0:
            raise ConfigError(f"{network}: {key} is {arguments[key]}; it must be 0 or more.")
    classes, conditioning = arguments["classes"], arguments["conditioning"]
    if (classes > 0) != (conditioning != "none"):
        others = ", ".join(name for name in conditionings if name != "none")
        raise ConfigError(
            f"{network}: classes is {classes} and conditioning {conditioning}; "
            f"labels need classes of 1 or more and a conditioning ({others}), else it is 0 and none."
        )
    if conditioning == "batchnorm" and arguments["norm"] == "none":
        raise ConfigError(f"{network}: conditioning batchnorm has no norm to work with; set norm batch or instance.")


def _check_choice(network: str, what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise ConfigError(f"{network}: {what}={value!r} will not do.{near_miss(value, known)}")
