"""Repaint by a network of mode adain, in one pass: the paintings become part of it, and `convert` applies it."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from translate import engines, images
from translate.checkpoint import Model
from translate.config import ConvertSettings, StylingSettings
from translate.convert import Summary, Watch, convert
from translate.convert.plan import Plan
from translate.errors import CheckpointError, ConfigError
from translate.loading import load
from translate.machine import cores
from translate.networks.adain import AdaIN
from translate.rendering.base import Told
from translate.stylize.folder import outputs_of
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
    path = Path(model)
    if path.suffix.lower() in engines.EXPORTED and path.exists():
        raise CheckpointError(
            f"{model} is exported, and its style is fixed: `translate convert {model} CONTENT OUT` runs it. --model "
            "needs the run folder, or the .safetensors, that it was made from."
        )
    plan = Plan(Path(source), Path(target), ConvertSettings.checked(settings), channels=3)
    paintings = listed(styles, without=outputs_of(plan))
    translator = styled(load(model, device, streams=cores()), str(model), paintings, styling)
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
    read = [read_painting(painting) for painting in paintings]
    shown = [_small(pixels, translator.about.size, styling.style_scale) for pixels, _ in read]
    baked = network.styled(shown, styling.style_weight, strength=styling.strength)
    direction = translator.checked(None)
    about = replace(translator.about, direction=direction)
    told = _told(name, [each for _, each in read], styling)
    return Translator(Model({direction: baked}, about), translator.device, streams=translator.streams, told=told)


def _told(name: str, paintings: Sequence[str], styling: StylingSettings) -> Told:
    """What is said of pictures that the network `name` painted, as a Stylizer says it of its own."""
    shares = styling.style_weight or (1.0,) * len(paintings)
    parts = [f"adain ({Path(name).name})", ", ".join(each for each in paintings if each)]
    if len(set(shares)) > 1:
        parts.append("weights " + ", ".join(f"{share:g}" for share in shares))
    if styling.strength != 1:
        parts.append(f"strength {styling.strength:g}")
    if styling.style_scale != 1:
        parts.append(f"style scale {styling.style_scale:g}")
    obeyed = {"style_weight": list(shares), "strength": styling.strength, "style_scale": styling.style_scale}
    described = {"model": name, "paintings": list(paintings), "styling": obeyed}
    return Told(described, "translate stylize: " + "; ".join(part for part in parts if part))


def _small(pixels: np.ndarray, side: int, style_scale: float) -> Tensor:
    """The painting at the size that the network was trained with, never enlarged but by `style_scale`: (1, 3, h, w)."""
    longest = max(pixels.shape[:2])
    factor = style_scale * min(side, longest) / longest
    height, width = (max(1, round(length * factor)) for length in pixels.shape[:2])
    return images.to_tensor(images.resize(pixels, height, width))[None]
