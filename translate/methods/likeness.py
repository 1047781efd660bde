"""How like a painting pictures are, and how like the photographs they were made of: what `translate stylize` lowers.

    total = content * C + strength * sum of w_l S_l + variation * V

C and S are relative (translate.style), and the weights w_l of layers sum to 1. Where a sample of places stands for all,
it is drawn anew each time, of the pictures and of the painting.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from translate import images
from translate.errors import ConfigError
from translate.networks.blocks import mirror_pad
from translate.style import Recipe, Target, content_loss, picture_loss, total_variation

PLACES = 2048
"""Drawn of a layer in a step, where places are drawn."""
MANY = 8192
"""The same where pictures are judged."""


class Losses(NamedTuple):
    """Of each picture, (N,), unweighted: 0 where reached, about 1 far away; the last in units of pixels."""

    content: Tensor
    style: Tensor
    variation: Tensor


class Likeness(nn.Module):
    """Holds the features of a recipe, which are frozen, and a painting, (1, 3, H, W) in [-1, 1].

    Pictures come `size` pixels large: layers that have no place in so small a picture, or in the painting, are left
    out. Raises ConfigError where none is left.
    """

    painting: Tensor

    def __init__(
        self,
        recipe: Recipe,
        painting: Tensor,
        size: int,
    ) -> None:
        super().__init__()
        self.features, self.statistic = recipe.features, recipe.statistic
        self.register_buffer("painting", painting)
        features, fit = recipe.features, recipe.fitting(size, size)
        seen = min(painting.shape[2:])
        self.style_layers = recipe.fitting(min(size, seen), min(size, seen)).style_layers
        self.content_layers = fit.content_layers
        if not self.style_layers or (recipe.content_layers and not self.content_layers):
            parts = (recipe.style_layers, recipe.content_layers)
            least = max(min(features.minimum([name]) for name in part) for part in parts if part)
            raise ConfigError(
                f"{features.name} sees nothing in pictures of {size} pixels and a painting of "
                f"{painting.shape[3]} x {painting.shape[2]}: both need {least} at least. Use a larger --size or "
                "style_scale."
            )
        self.minimum = features.minimum([*self.style_layers, *self.content_layers])
        self.drawn = recipe.drawn
        self._targets: dict[str, Target] = {}

    @property
    def key(self) -> str:
        """Hash of what decides the losses."""
        words = (self.features.key, self.statistic.name, self.style_layers, self.content_layers)
        return hash_of(self.painting, *words)

    @property
    def about(self) -> str:
        """One line for people."""
        layers = ", ".join(self.style_layers)
        content = ", ".join(self.content_layers) or "the steps of light"
        return f"Style is {self.statistic.name} of {layers}, content {content}, of {self.features.about}."

    def forward(
        self, made: Tensor, source: Tensor, draw: torch.Generator | None = None, places: int = PLACES
    ) -> Losses:
        """How far pictures `made` of `source`, both (N, 3, H, W), are from source and painting.

        Draws up to `places` of each layer from `draw`, or torch's own generator.
        """
        if min(source.shape[2:]) < self.minimum:
            source, made = (continued(images, self.minimum) for images in (source, made))
        made = made.to(source.dtype)
        # Not a number is told as a loss, where a decomposition of it would end the run.
        alarm, made = 0 * made.flatten(1).sum(dim=1), made.nan_to_num()
        found = self.features(made, [*self.style_layers, *self.content_layers])
        style = alarm
        for name, weight in self.style_layers.items():
            summary = self._summary(name, found[name], places, draw)
            target = self._target(name, places, draw)
            style = style + weight * self.statistic.loss(summary, target, draw).to(made.dtype)
        return Losses(self._content(found, made, source), style, total_variation(made))

    def _content(self, found: Mapping[str, Tensor], made: Tensor, source: Tensor) -> Tensor:
        if not self.content_layers:
            return picture_loss(made, source)
        with torch.no_grad():
            wanted = self.features(source, self.content_layers)
        losses = [weight * content_loss(found[name], wanted[name]) for name, weight in self.content_layers.items()]
        return torch.stack(losses).sum(dim=0)

    def _summary(self, name: str, values: Tensor, places: int, draw: torch.Generator | None) -> Tensor:
        if not self.drawn:
            return self.statistic.summary(values.flatten(2))
        rows, columns = self.features.grid(values)
        count = rows * columns
        chosen = torch.arange(count) if count <= places else torch.randint(count, (places,), generator=draw)
        return self.statistic.summary(self.features.columns(values, chosen.to(values.device)))

    @torch.no_grad()
    def _target(self, name: str, places: int, draw: torch.Generator | None) -> Target:
        """What the painting is at a layer; computed once, unless it is drawn each time."""
        if name in self._targets:
            return self._targets[name]
        values = self.features(self.painting, [name])[name]
        target = self.statistic.prepare(self._summary(name, values, places, draw))
        if not self.drawn:
            self._targets[name] = target
        return target

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._targets = {}  # they belong to the device and precision they were computed in
        return super()._apply(fn, recurse)


def read_painting(path: Path, size: int, scale: float) -> Tensor:
    """A picture file as (1, 3, H, W) in [-1, 1], its longer side `scale` times the lesser of its own and `size`.

    Raises ImageError for what cannot be read, ConfigError for other channels than 1 and 3.
    """
    pixels = images.to_depth(images.read_pixels(path), np.float32)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] != 3:
        raise ConfigError(f"The painting {path} has {pixels.shape[2]} channels: a colour picture of 3 is needed.")
    longest = max(pixels.shape[:2])
    # Of itself it is not enlarged, as it has no strokes of that size to give; `scale` does so on purpose.
    factor = scale * min(size, longest) / longest
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    return images.to_tensor(images.resize(pixels, height, width))[None]


def hash_of(painting: Tensor, *words: object) -> str:
    """Hash of the values of a painting, its shape and `words`."""
    digest = hashlib.sha256(repr((*words, tuple(painting.shape))).encode())
    digest.update(painting.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def continued(pictures: Tensor, side: int) -> Tensor:
    """Pictures (N, C, H, W), mirrored at the far ends until they are `side` pixels high and wide."""
    missing = (max(0, side - length) for length in reversed(pictures.shape[2:]))
    return mirror_pad(pictures, (0, next(missing), 0, next(missing)))
