"""AdaIN: style transfer by the statistics of features (Huang and Belongie, ICCV 2017).

An encoder whose weights are given, instance normalisation whose weights are the statistics of a style, and a decoder,
the encoder's mirror image. With a style in place it is an ordinary generator.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import Generator, Padded, ResizeConvolution, check_counts, mirrored_to_fit
from translate.networks.recomputing import recomputed

EPS = 1e-5
"""What is added to a variance before its root is taken, as the paper's code does."""
VGG = ((64, 64), (128, 128), (256, 256, 256, 256), (512,))
"""Channels of VGG-19 up to relu4_1, by how often the picture has been halved."""


class Moments(NamedTuple):
    """Mean and deviation of each channel, (N, C) or (C,)."""

    mean: Tensor
    deviation: Tensor


class AdaIN(Generator):
    """Encoder, a 1x1 and then 3x3 convolutions, halved by pooling; AdaIN; decoder, doubled by repeating pixels.

    Takes (N, in_channels, H, W) in [-1, 1], H and W multiples of 2 for each halving; returns (N, out_channels, H, W) in
    [-1, 1]. `stages` are the encoder's channels, a list for each size. `strength` in [0, 1] mixes the features that the
    style has changed (1) with the picture's own (0). `pooling` is max or average. The paper's output has no tanh; ours
    has one, as all generators here have values in [-1, 1].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stages: Sequence[Sequence[int]] = VGG,
        pooling: str = "max",
        strength: float = 1.0,
    ) -> None:
        super().__init__()
        stages = [list(stage) for stage in stages]
        check_counts("adain", in_channels=in_channels, out_channels=out_channels, stages=len(stages))
        check_counts("adain", **{f"stages[{place}]": min(stage, default=0) for place, stage in enumerate(stages)})
        if pooling not in ("max", "average"):
            raise ConfigError(f"adain: pooling is {pooling!r}; it is max or average.")
        if not 0 <= strength <= 1:
            raise ConfigError(f"adain: strength is {strength}; it is from 0 to 1.")
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "stages": stages,
            "pooling": pooling,
            "strength": strength,
        }
        self.multiple = 2 ** (len(stages) - 1)
        self.minimum = 2 * self.multiple  # two pixels inside, for their norm
        self.per_image = True
        self.strength = strength

        inputs = [3, *(channels for stage in stages for channels in stage)]
        self.entry = nn.Conv2d(in_channels, 3, 1)
        made = iter(pairwise(inputs))
        self.encoder = nn.ModuleList(nn.ModuleList(_padded(*next(made)) for _ in stage) for stage in stages)
        self.pool: nn.Module = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
        self.norm = nn.InstanceNorm2d(inputs[-1], eps=EPS, affine=True)
        first = {sum(map(len, stages[:place])) for place in range(1, len(stages))}
        """Convolutions behind a halving: their mirror images stand before a doubling."""
        doubled = [place + 1 in first for place in range(len(inputs) - 1)]
        layers = [
            (_resized if double else _padded)(inputs[place + 1], out_channels if place == 0 else inputs[place])
            for place, double in enumerate(doubled)
        ]
        self.decoder = nn.ModuleList(reversed(layers[1:]))
        self.head = layers[0]

    def forward(self, images: Tensor) -> Tensor:
        features = self.encode(images)[-1]
        return self.decode(self.mixed(features, self.norm(features)))

    def encode(self, images: Tensor) -> list[Tensor]:
        """relu1_1, relu2_1 ... of `images`; the last one is what a style changes."""
        found = []
        images = self.entry(images)
        for place, stage in enumerate(self.encoder):
            if place:
                images = self.pool(images)
            for number, layer in enumerate(cast(nn.ModuleList, stage)):
                images = F.relu(recomputed(self, layer, images))
                if number == 0:
                    found.append(images)
        return [*found[:-1], images]

    def decode(self, features: Tensor) -> Tensor:
        """A picture from features like the last of `encode`."""
        return self._drawn(features).tanh()

    def _drawn(self, features: Tensor) -> Tensor:
        for layer in self.decoder:
            features = F.relu(recomputed(self, layer, features))
        return recomputed(self, self.head, features)

    @torch.no_grad()
    def scale_decoder(self, pictures: Sequence[Tensor], deviation: float = 0.5) -> None:
        """Scale a fresh decoder, whose biases are 0, so that what goes into its tanh deviates by so much.

        Encoders differ in scale by orders of magnitude, and a decoder whose pictures are all black and white does not
        learn. `pictures` are (1, in_channels, H, W) each.
        """
        squares = [self._drawn(self.encode(mirrored_to_fit(self, each))[-1]).square().mean() for each in pictures]
        first = self.decoder[0] if len(self.decoder) else self.head
        for conv in (each for each in first.modules() if isinstance(each, nn.Conv2d)):
            conv.weight.mul_(deviation / torch.stack(squares).mean().sqrt().clamp(min=1e-12))

    def mixed(self, own: Tensor, changed: Tensor) -> Tensor:
        """`changed` features at full strength, the picture's `own` at none."""
        return changed if self.strength == 1 else changed * self.strength + own * (1 - self.strength)

    @torch.no_grad()
    def take(self, style: Moments) -> None:
        """Make `style`, (C,) each, the one that forward paints in."""
        self.norm.weight.copy_(style.deviation)
        self.norm.bias.copy_(style.mean)

    @torch.no_grad()
    def style_of(self, paintings: Sequence[Tensor], weights: Sequence[float] = ()) -> Moments:
        """The statistics (C,) of `paintings`, (1, in_channels, H, W) each, any size, mixed by `weights`, 0 or more.

        Mixed statistics give what the paper's mixed features are. Default: all weigh alike.
        """
        shares = list(weights) or [1.0] * len(paintings)
        if len(shares) != len(paintings) or min(shares, default=-1) < 0 or sum(shares) == 0:
            raise ConfigError(f"{len(paintings)} paintings need as many weights, 0 or more, not all 0: not {shares}.")
        mean, deviation = torch.zeros_like(self.norm.bias), torch.zeros_like(self.norm.weight)
        for painting, share in zip(paintings, shares, strict=True):
            found = moments(self.encode(mirrored_to_fit(self, painting.to(mean)))[-1])
            mean += share / sum(shares) * found.mean[0]
            deviation += share / sum(shares) * found.deviation[0]
        return Moments(mean, deviation)

    def styled(
        self, paintings: Sequence[Tensor], weights: Sequence[float] = (), *, strength: float | None = None
    ) -> "AdaIN":
        """A copy that paints in the style of `paintings`, see `style_of`, at `strength`; default: as this one does."""
        made = AdaIN(**self.arguments | ({} if strength is None else {"strength": strength}))
        made.load_state_dict(self.state_dict())
        made.to(self.norm.weight).train(self.training).requires_grad_(False)
        made.take(made.style_of(paintings, weights))
        return made

    @property
    def trained(self) -> nn.ModuleList:
        """What learns: the decoder. The encoder and the style are given."""
        return nn.ModuleList([*self.decoder, self.head])


def moments(features: Tensor) -> Moments:
    """Mean and deviation over the places of `features` (N, C, h, w), (N, C) each."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
    return Moments(mean, (variance + EPS).sqrt())


def adapted(features: Tensor, style: Moments) -> Tensor:
    """AdaIN as the paper defines it: `features` (N, C, h, w) with mean and deviation of `style`, (N, C) or (C,)."""
    mean, deviation = (each[..., None, None] for each in style)
    return deviation * F.instance_norm(features, eps=EPS) + mean


def _padded(inputs: int, outputs: int) -> nn.Module:
    return Padded(inputs, outputs, 3, padding="reflect", bias=True)


def _resized(inputs: int, outputs: int) -> nn.Module:
    return ResizeConvolution(inputs, outputs, padding="reflect", bias=True)
