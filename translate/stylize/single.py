"""Repaint one image in memory."""

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translate import images
from translate.config import StylingSettings
from translate.errors import ConfigError, DataError
from translate.images import Picture
from translate.loading import load
from translate.stylize.folder import make_stylizer, places_of
from translate.stylize.kinds import Progress
from translate.stylize.paintings import Painting, listed
from translate.stylize.restyling import Restyling
from translate.translator import IDENTITY, Translator

_ROUNDING = 1e-3


def stylize(
    image: Image.Image | np.ndarray | str | PathLike[str],
    styles: Painting | Sequence[Painting],
    *,
    device: str = "auto",
    watch: Callable[[Progress], None] | None = None,
    notice: Callable[[str], None] = lambda text: None,
    **settings: Any,
) -> Image.Image | np.ndarray:
    """Repaint an image in the manner of one or more paintings, at its own size and depth, or at `size`.

    `image` is a PIL image or an array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16 or float in [-1, 1]; the result
    is of that kind, with three channels (a PIL image has one if no colour came of it). A path gives a PIL image.
    `styles` are paths, folders, PIL images or arrays; `settings` those of StylingSettings, where a mask is a file.
    `watch` hears of every step, `notice` which features are used. Nothing is downloaded.
    Raises ConfigError for settings, DataError for a painting and for floats beyond [-1, 1], CheckpointError for
    features that are not at hand.
    """
    if not isinstance(image, Image.Image | np.ndarray | str | PathLike):
        raise TypeError(f"an image is a PIL image, an array or a path, not {type(image).__name__}")
    styling = StylingSettings.checked(settings)
    paintings = listed([styles] if isinstance(styles, str | PathLike | Image.Image | np.ndarray) else styles)
    for given, what in ((image, "The picture"), *((each, "A painting") for each in paintings)):
        if isinstance(given, np.ndarray):
            _check_range(given, what)
    places = places_of(styling, len(paintings))
    if any(places.folders):
        raise ConfigError("A mask is a picture: a folder of them is for a folder of images.")
    painter = make_stylizer(paintings, styling, device, notice)

    def follow(name: str, progress: Progress) -> None:
        if watch is not None:
            watch(progress)

    rendering = Restyling(painter, styling, places, follow)
    translator = load(IDENTITY).using(rendering=rendering)
    if isinstance(image, np.ndarray):
        return translator(_sized(image, rendering))
    picture = images.read(Path(image)) if isinstance(image, str | PathLike) else images.from_pil(image)
    return _of_picture(picture, translator, rendering)


def _check_range(pixels: np.ndarray, what: str) -> None:
    """Raise DataError for floats that are not finite, or beyond [-1, 1] by more than rounding."""
    if pixels.dtype.kind != "f" or not pixels.size:
        return
    least, most = float(pixels.min()), float(pixels.max())
    if not (least >= -1 - _ROUNDING and most <= 1 + _ROUNDING):
        raise DataError(f"{what} has values from {least:.3g} to {most:.3g}: floats lie in [-1, 1].")


def _sized(pixels: np.ndarray, rendering: Restyling) -> np.ndarray:
    if rendering.settings.size is None or pixels.ndim not in (2, 3):
        return pixels
    flat = pixels[..., None] if pixels.ndim == 2 else pixels
    return images.resize(flat, *rendering.sized(*flat.shape[:2]))


def _of_picture(picture: Picture, translator: Translator, rendering: Restyling) -> Image.Image:
    picture = images.scaled(picture, *rendering.sized(*picture.pixels.shape[:2]))
    output = images.from_model(translator.translate([images.to_model(picture)])[0], picture)
    made = images.to_pil(output.pixels, output.alpha)
    if output.profile:
        made.info["icc_profile"] = output.profile
    return made
