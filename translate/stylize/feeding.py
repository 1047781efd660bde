"""Repaint by a network of mode adain, in one pass: the paintings become part of it, and `convert` applies it."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

from torch import Tensor

from translate import images
from translate.checkpoint import Model
from translate.config import StylingSettings
from translate.convert import Summary, Watch, convert
from translate.errors import CheckpointError, ConfigError
from translate.loading import load
from translate.machine import cores
from translate.networks.adain import AdaIN
from translate.stylize.paintings import Painting, check_counts, listed, read_painting
from translate.translator import Translator

OBEYED = ("style_weight", "strength", "style_scale")
"""The settings that a network can follow."""


def feed_forward(
    model: str | PathLike[str],
    source: str | PathLike[str],
    styles: Sequence[Painting],
    target: str | PathLike[str],
    *,
    styling: StylingSettings,
    device: str = "auto",
    watch: Watch | None = None,
    **settings: Any,
) -> Summary:
    """Repaint as `stylize_folder` does, by the network of the run folder or model file `model`, of mode adain.

    Of `styling` it obeys weights, strength up to 1 and style_scale, and refuses others that are given. Raises as
    `load` and `convert` do, CheckpointError for a model of another mode, DataError for a painting.
    """
    translator = styled(load(model, device, streams=cores()), str(model), listed(styles), styling)
    return convert(translator, source, target, watch=watch, **settings)


def styled(translator: Translator, name: str, paintings: Sequence[Painting], styling: StylingSettings) -> Translator:
    """The model called `name` with `paintings` as its style."""
    mode = translator.about.mode
    network = translator.network() if mode == "adain" else None
    if not isinstance(network, AdaIN):
        known = "knows one manner, without paintings" if mode == "style" else f"is of mode {mode}"
        raise CheckpointError(
            f"{name} {known}: `translate convert {name} CONTENT OUT` runs it. --model is for mode adain, which takes "
            "paintings."
        )
    check_counts(len(paintings), styling)
    if other := sorted(styling.model_fields_set - {*OBEYED}):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in other)
        obeyed = ", ".join(f"--{name.replace('_', '-')}" for name in OBEYED)
        raise ConfigError(f"{flags}: a network cannot follow that; with --model there are {obeyed}.")
    if styling.strength > 1:
        raise ConfigError(f"--strength is {styling.strength:g}; of a network it is from 0 to 1.")
    longest = max(1, round(styling.style_scale * translator.about.size))
    shown = [_small(painting, longest) for painting in paintings]
    baked = network.styled(shown, styling.style_weight, strength=styling.strength)
    direction = translator.checked(None)
    about = replace(translator.about, direction=direction)
    return Translator(Model({direction: baked}, about), translator.device, streams=translator.streams)


def _small(painting: Painting, longest: int) -> Tensor:
    """The painting at the size that the network was trained with, (1, 3, h, w)."""
    pixels, _ = read_painting(painting)
    scale = longest / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return images.to_tensor(images.resize(pixels, height, width))[None]
