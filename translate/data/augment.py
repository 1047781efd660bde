"""The random part of loading: geometry by plain draws, colour jitter; the only file that knows albumentations.

All draws come from the one generator that an item has, and are made before anything is applied: albumentations is
handed factors, for its own generators would give all workers the same numbers, or correlated ones.
"""

import os
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from translate.config import DataSettings
from translate.data import geometry
from translate.data.geometry import Geometry
from translate.errors import ConfigError

Domain = Literal["a", "b"]


class Colours(NamedTuple):
    """One draw of colour jitter: three factors, a turn of the hue in whole circles, and the order they are applied in.

    `order` is a permutation of 0 to 3: brightness, contrast, saturation, hue.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float
    order: tuple[int, ...]


class Variant(NamedTuple):
    """What is drawn for an image, or for the two of a pair; `colours` is None where nothing is jittered."""

    geometry: Geometry
    colours: Colours | None


class Augment:
    """Draws random variants of images and applies them."""

    def __init__(self, settings: DataSettings) -> None:
        self.settings = settings

    def draw(self, rng: np.random.Generator, size: tuple[int, int], *domains: Domain) -> Variant:
        """A variant for images of `size` (height, width) of `domains`: of one, or of both for a pair in step."""
        placed = geometry.draw(rng, *size, self.settings)
        return Variant(placed, self._colours(rng) if any(map(self.jitters, domains)) else None)

    def apply(self, variant: Variant, image: np.ndarray, domain: Domain) -> np.ndarray:
        """That variant of `image` (H, W, C) of `domain`; raises ConfigError for what has no colours to jitter."""
        part = geometry.apply(image, variant.geometry)
        if variant.colours is None or not self.jitters(domain):
            return part
        *factors, order = variant.colours
        named = dict(zip(("brightness", "contrast", "saturation", "hue"), factors, strict=True))
        return self._jitter.apply(np.ascontiguousarray(_colour(part)), **named, order=list(order))

    def jitters(self, domain: Domain) -> bool:
        """Whether the settings change the colours of `domain`."""
        return bool(self.settings.jitter) and self.settings.jitter_on in (domain, "both")

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # transforms are made where they are used

    def _colours(self, rng: np.random.Generator) -> Colours:
        strength = self.settings.jitter
        brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3).tolist()
        hue = float(rng.uniform(-strength / 4, strength / 4))
        return Colours(brightness, contrast, saturation, hue, tuple(rng.permutation(4).tolist()))

    @cached_property
    def _jitter(self) -> Any:
        # It asks the network for updates when imported; and it takes seconds to import, so only who jitters does.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        import albumentations

        return albumentations.ColorJitter()


def _colour(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8 and image.shape[2] in (1, 3):
        return image
    raise ConfigError(
        f"Setting jitter works on 8-bit grey or colour, not on {image.shape[2]} channels of {image.dtype}: "
        "use --set jitter=0, or --set jitter_on=a or b."
    )
