"""What several networks are made of, and how one of a fixed size multiple takes images of any size.

Batch normalisation: Ioffe and Szegedy 2015. Instance normalisation: Ulyanov et al. 2016. Resize-convolution instead of
transposed convolution: Odena et al., "Deconvolution and checkerboard artifacts", Distill 2016.
"""

import copy
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate import distributed
from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.squares import convolve_in_squares, suits


class Generator(nn.Module):
    """What every generator tells of itself; it holds no code.

    `arguments` is what networks.build makes the same shape from. The output is as large as the input where H and W are
    multiples of `multiple` and no less than `minimum`. `per_image`: no image of a batch sees another one.
    `checkpointing`: while training, inner values are computed again in the backward pass instead of kept.
    """

    arguments: dict[str, Any]
    checkpointing: bool = False
    multiple: int
    minimum: int
    per_image: bool


class Discriminator(nn.Module):
    """What every discriminator tells of itself, as in Generator; H and W must be no less than `minimum`."""

    arguments: dict[str, Any]
    minimum: int
    per_image: bool


def translate_any_size(network: nn.Module, images: Tensor) -> Tensor:
    """Run a generator on `images` (N, C, H, W) of any H, W >= 1; the output has the same H and W.

    What is missing to the network's `multiple` and `minimum` is mirrored around the image, equally on both sides, and
    cropped away from the output. An image that fits is passed through untouched.
    """
    height, width = images.shape[-2:]
    padded = mirrored_to_fit(network, images)
    top, left = (padded.shape[-2] - height) // 2, (padded.shape[-1] - width) // 2
    return network(padded) if padded is images else network(padded)[..., top : top + height, left : left + width]


def mirrored_to_fit(network: nn.Module, images: Tensor) -> Tensor:
    """`images` (N, C, H, W) mirrored, equally on both sides, to a size that a generator takes, if they are of none."""
    height, width = images.shape[-2:]
    own = cast(Generator, network)
    tall, wide = (_fitting(side, own.multiple, own.minimum) for side in (height, width))
    if (tall, wide) == (height, width):
        return images
    top, left = (tall - height) // 2, (wide - width) // 2
    return mirror_pad(images, (left, wide - width - left, top, tall - height - top))


def mirror_pad(images: Tensor, pads: tuple[int, int, int, int]) -> Tensor:
    """Continue `images` (N, C, H, W) by (left, right, top, bottom) pixels, mirrored about the border pixels.

    Unlike torch's reflection padding it takes any number of pixels: the mirrored image is mirrored again.
    """
    height, width = images.shape[-2:]
    left, right, top, bottom = pads
    fits = max(left, right) < width and max(top, bottom) < height
    # On a GPU the gradient of torch's reflection padding has no deterministic form; that of indexing has one.
    exact = not (images.is_cuda and torch.are_deterministic_algorithms_enabled())
    if fits and exact:
        return F.pad(images, pads, mode="reflect")
    rows = _mirrored(height, top, bottom, images.device)
    columns = _mirrored(width, left, right, images.device)
    return images[:, :, rows][:, :, :, columns]


def per_image_statistics(network: nn.Module) -> nn.Module:
    """Return a copy of `network` in which each BatchNorm normalises every image by its own statistics.

    That is what BatchNorm computes while it trains at batch size 1; such networks translate better with it than with
    their running statistics (Isola et al. 2017, section 6.2). The copy is for use: its keys are not those of `network`.
    """
    changed = copy.deepcopy(network)
    for module in list(changed.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _instance_norm_like(child))
    cast(Generator, changed).per_image = True
    return changed


class BatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d whose training statistics are those of the whole batch over all processes.

    One value a channel in all has no variance: then the running statistics normalise, where torch would raise.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, images: Tensor) -> Tensor:
        if not self.training or (distributed.world() == 1 and images.numel() > images.shape[1]):
            return super().forward(images)
        return _batch_normalised(self, images)


class BatchNormOfUnits(nn.BatchNorm1d):
    """BatchNorm for vectors (N, C)."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, units: Tensor) -> Tensor:
        if not self.training or (distributed.world() == 1 and units.numel() > units.shape[1]):
            return super().forward(units)
        return _batch_normalised(self, units)


class Padded(nn.Module):
    """A convolution that keeps the size: `padding` is reflect, replicate or zeros.

    `in_squares`: compute few outputs as networks.squares does, where it can be; the same but for rounding.
    """

    in_squares: bool = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, padding: str, bias: bool, groups: int = 1
    ) -> None:
        super().__init__()
        if padding not in ("reflect", "replicate", "zeros"):
            raise ConfigError(f"Unknown padding {padding!r}.{near_miss(padding, ('reflect', 'replicate', 'zeros'))}")
        self.padding = padding
        zeros = kernel // 2 * (padding == "zeros")
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=zeros, bias=bias, groups=groups)
        self.pads = 4 * (kernel // 2,)

    def forward(self, images: Tensor) -> Tensor:
        if self.padding == "reflect":
            images = mirror_pad(images, self.pads)
        elif self.padding == "replicate":
            images = F.pad(images, self.pads, mode="replicate")
        if self.in_squares and self.padding != "zeros" and self.conv.groups == 1 and suits(self.conv.weight, images):
            return convolve_in_squares(images, self.conv.weight, self.conv.bias)
        return self.conv(images)


class ResizeConvolution(nn.Module):
    """Double the size by repeating pixels, then convolve: every output pixel is made by the same weights."""

    def __init__(self, in_channels: int, out_channels: int, *, padding: str, bias: bool) -> None:
        super().__init__()
        self.conv = Padded(in_channels, out_channels, 3, padding=padding, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(F.interpolate(images, scale_factor=2.0, mode="nearest"))


def doubling(in_channels: int, out_channels: int, kind: str, *, kernel: int, padding: str, bias: bool) -> nn.Module:
    """A layer that doubles height and width: a transposed convolution of `kernel` 3 or 4, or a resize-convolution."""
    if kind == "resize":
        return ResizeConvolution(in_channels, out_channels, padding=padding, bias=bias)
    if kind == "transposed":
        return nn.ConvTranspose2d(
            in_channels, out_channels, kernel, stride=2, padding=1, output_padding=kernel % 2, bias=bias
        )
    raise ConfigError(f"Unknown upsampling {kind!r}.{near_miss(kind, ('transposed', 'resize'))}")


def normalisation(kind: str, channels: int, *, affine: bool = True) -> nn.Module:
    """Batch normalisation (without weights if not `affine`), instance normalisation (no weights, no running statistics;
    instance_affine: with weights) or none.
    """
    layers: dict[str, Callable[[int], nn.Module]] = {
        "batch": lambda channels: BatchNorm(channels, affine=affine),
        "instance": nn.InstanceNorm2d,
        "instance_affine": lambda channels: nn.InstanceNorm2d(channels, affine=True),
        "none": lambda _: nn.Identity(),
    }
    if kind not in layers:
        raise ConfigError(f"Unknown norm {kind!r}.{near_miss(kind, layers)}")
    return layers[kind](channels)


def has_bias(norm: str) -> bool:
    """Whether an inner convolution has a bias: as in the published networks, with instance norm only.

    With norm none they have none either, which we keep so that published weights fit.
    """
    return norm == "instance"


def check_counts(network: str, **counts: int) -> None:
    """Raise ConfigError for a count (channels, width, layers) below 1."""
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"{network}: {name} is {count}; it must be 1 or more.")


def _fitting(side: int, multiple: int, minimum: int) -> int:
    return -(-max(side, minimum) // multiple) * multiple


def _mirrored(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Indices of a line of `size` pixels continued on both sides: a triangle wave."""
    period = max(1, 2 * (size - 1))
    places = torch.arange(-before, size + after, device=device) % period
    return torch.minimum(places, period - places) if size > 1 else torch.zeros_like(places)


def _batch_normalised(norm: BatchNorm | BatchNormOfUnits, given: Tensor) -> Tensor:
    """`given` (N, C, ...) by the statistics of all processes, or, of one value a channel, by the running ones."""
    if distributed.world() == 1:
        return F.batch_norm(given, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    values = given if given.dtype == torch.float64 else given.float()
    mean, variance, count = _statistics_over_processes(values)
    with torch.no_grad():
        norm.running_mean.lerp_(mean.to(norm.running_mean), norm.momentum)
        norm.running_var.lerp_((variance * count / (count - 1)).to(norm.running_var), norm.momentum)
        norm.num_batches_tracked.add_(1)
    deviation = torch.rsqrt(variance + norm.eps)
    scale = norm.weight * deviation if norm.affine else deviation
    shift = norm.bias - mean * scale if norm.affine else -mean * scale
    over = (slice(None), *(None,) * (given.dim() - 2))
    return (values * scale[over] + shift[over]).to(given.dtype)


def _statistics_over_processes(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (biased) variance of each channel of `values` (N, C, ...), and their count, over all processes.

    Each process puts its mean, sum of squared deviations and count into its own row, so that one exchange suffices;
    they combine as in Chan et al. 1979, which unlike a sum of squares does not cancel.
    """
    count = values.new_full((1,), values.numel() // values.shape[1])
    rest = [0, *range(2, values.dim())]
    mean = values.mean(dim=rest, keepdim=True)
    deviations = (values - mean).square().sum(dim=rest)
    own = torch.cat([mean.flatten(), deviations, count])
    rows = [own if place == distributed.rank() else torch.zeros_like(own) for place in range(distributed.world())]
    channels = values.shape[1]
    means, deviations, counts = distributed.sum_over_processes(torch.stack(rows)).split([channels, channels, 1], dim=1)
    total = counts.sum()
    mean = (means * counts).sum(0) / total
    variance = (deviations + counts * (means - mean).square()).sum(0) / total
    return mean, variance, total


def _instance_norm_like(norm: nn.BatchNorm2d) -> nn.InstanceNorm2d:
    made = nn.InstanceNorm2d(norm.num_features, eps=norm.eps, affine=norm.affine)
    if norm.affine:
        made.to(norm.weight).load_state_dict({"weight": norm.weight.detach(), "bias": norm.bias.detach()})
    return made.train(norm.training)
