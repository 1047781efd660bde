"""A U-Net for colorizing: a deep encoder, resize-convolutions up, self-attention where it is cheap, two kinds of head.

U-Net: Ronneberger et al. 2015; on a deep encoder as in Antic, DeOldify, 2019; self-attention: Zhang et al., SAGAN, ICML
2019; the classifying head: Zhang, Isola, Efros, ECCV 2016.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.colour import bins
from translate.colour.lab import MOST_CHROMA
from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.blocks import Generator, check_counts, doubling, has_bias, normalisation
from translate.networks.encoders import make_encoder
from translate.networks.recomputing import recomputed

ATTENTION_AT = 4
"""Attention sits where the image is 1/16: pixels there see all others at little cost."""
HEADS = ("regression", "classification")


class ColourUNet(Generator):
    """Takes (N, in_channels, H, W), H and W multiples of 2**depth; returns (N, out_channels, H, W) in [-1, 1].

    Channel 0 of the input is light as L / 50 - 1; with 4 channels the others are hints: a / 110, b / 110 and 1 where
    they are given. The head regresses its output at half the size, or classifies chroma at a quarter of it: then the
    output is a / 110, b / 110 of the annealed mean at `temperature`, and `logits` gives the distributions. `balance` is
    the logarithm of what each class weighed in training; `vividness` is how much of it remains in the answer. While it
    trains, a classifying network returns its `logits`.
    """

    centres: Tensor
    balance: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 32,
        depth: int = 5,
        norm: str = "batch",
        dropout: float = 0.0,
        upsampling: str = "resize",
        encoder: str = "own",
        attention: bool = True,
        head: str = "regression",
        temperature: float = 0.05,
        vividness: float = 1.0,
    ) -> None:
        super().__init__()
        check_counts("colour_unet", in_channels=in_channels, out_channels=out_channels, width=width)
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "width": width,
            "depth": depth,
            "norm": norm,
            "dropout": dropout,
            "upsampling": upsampling,
            "encoder": encoder,
            "attention": attention,
            "head": head,
            "temperature": temperature,
            "vividness": vividness,
        }
        if head not in HEADS:
            raise ConfigError(f"colour_unet: unknown head {head!r}.{near_miss(head, HEADS)}")
        if head == "classification" and out_channels != 2:
            raise ConfigError(f"colour_unet: a classification head gives chroma, 2 channels, not {out_channels}.")
        if temperature <= 0:
            raise ConfigError(f"colour_unet: temperature is {temperature}; it must be above 0.")
        self.multiple = 2**depth
        self.minimum = 2 ** (depth + 1)  # two pixels inside, for their norm
        self.per_image = norm != "batch"
        self.temperature = temperature
        self.vividness = vividness

        self.downs, widths = make_encoder(encoder, in_channels, width, depth, norm)
        self.attention = Attention(widths[ATTENTION_AT - 1]) if attention and depth >= ATTENTION_AT else None
        lowest = 1 if head == "classification" else 0
        self.ups = nn.ModuleList(
            Up(widths[level + 1], widths[level], norm, upsampling) for level in reversed(range(lowest, depth - 1))
        )
        self.dropout = nn.Dropout(dropout)
        self.head: nn.Module
        if head == "classification":
            self.register_buffer("centres", bins.centres().clone())
            self.register_buffer("balance", torch.zeros(len(bins.centres())))
            self.head = nn.Conv2d(widths[lowest], len(bins.centres()), 1)
        else:
            self.head = doubling(widths[0], out_channels, upsampling, kernel=4, padding="zeros", bias=True)

    def forward(self, images: Tensor) -> Tensor:
        if self.arguments["head"] == "regression":
            return torch.tanh(self.head(self._features(images)))
        logits = self.logits(images)
        return logits if self.training else self.chroma(logits)

    def logits(self, images: Tensor) -> Tensor:
        """Distributions over `centres` (Q, 2) before softmax, (N, Q, H / 4, W / 4), of a classification head."""
        return self.head(self._features(images))

    def weighed(self, logits: Tensor, vividness: float | None = None) -> Tensor:
        """`logits` with the weights of training in part: with 0, softmax of them is how likely each class is."""
        share = self.vividness if vividness is None else vividness
        return logits - (1 - share) * self.balance.view(1, -1, 1, 1) if share < 1 else logits

    def chroma(self, logits: Tensor, temperature: float | None = None, vividness: float | None = None) -> Tensor:
        """What `logits` are decoded to, (N, 2, H, W): a / 110 and b / 110 of their annealed mean."""
        weighed = self.weighed(logits, vividness)
        mean = bins.decode(weighed, self.centres, temperature or self.temperature) / MOST_CHROMA
        return F.interpolate(mean, scale_factor=4.0, mode="bilinear")

    def _features(self, images: Tensor) -> Tensor:
        levels = []
        for place, down in enumerate(self.downs, start=1):
            images = recomputed(self, down, images)
            if place == ATTENTION_AT and self.attention is not None:
                images = recomputed(self, self.attention, images)
            levels.append(images)
        levels.pop()
        images = self.dropout(images)
        for up in self.ups:
            images = recomputed(self, up, images, levels.pop())
        return images


class Up(nn.Module):
    """A layer that doubles, joined with what the way down had there, then a convolution."""

    def __init__(self, in_channels: int, out_channels: int, norm: str, upsampling: str) -> None:
        super().__init__()
        self.grow = doubling(in_channels, out_channels, upsampling, kernel=4, padding="zeros", bias=has_bias(norm))
        self.norm1 = normalisation(norm, out_channels)
        self.conv = nn.Conv2d(2 * out_channels, out_channels, 3, padding=1, bias=has_bias(norm))
        self.norm2 = normalisation(norm, out_channels)

    def forward(self, images: Tensor, beside: Tensor) -> Tensor:
        doubled = F.relu(self.norm1(self.grow(images)))
        return F.relu(self.norm2(self.conv(torch.cat([doubled, beside], dim=1))))


class Attention(nn.Module):
    """Every pixel asks all others, and what they answer is added to it (one head, scaled dot product)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 4)
        self.ask = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)  # what all keys share changes no answer
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        def rows(values: Tensor) -> Tensor:
            return values.flatten(2).transpose(1, 2)[:, None]  # exporters know it with heads only

        value = self.value(images)
        ask, key = self.ask(images), self.key(images)
        # Of one width all three, torch never holds every pair of pixels at once.
        ask, key = (F.pad(each, (0, 0, 0, 0, 0, value.shape[1] - each.shape[1])) for each in (ask, key))
        answers = F.scaled_dot_product_attention(rows(ask), rows(key), rows(value), scale=self.ask.out_channels**-0.5)
        shaped = answers[:, 0].transpose(1, 2).reshape(images.shape[0], -1, images.shape[2], images.shape[3])
        return images + self.out(shaped)


def is_classifier(network: nn.Module) -> bool:
    """Whether `network` is a ColourUNet that gives distributions."""
    return isinstance(network, ColourUNet) and cast(str, network.arguments["head"]) == "classification"
