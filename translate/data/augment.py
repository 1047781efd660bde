"""The random part of loading: crop, mirrors, turns, colour jitter; the only file that knows albumentations.

albumentations draws from generators of its own. Seeded once, its workers all draw the same numbers and every epoch
repeats; seeded through `set_random_seed`, all its transforms start from one seed and their draws are correlated. Here
each item hands it one generator, shared by all transforms.
"""

import os
import random
from functools import cached_property
from typing import Any

import numpy as np

from translate.config import DataSettings
from translate.errors import ConfigError


class Augment:
    """Draws one random variant of an image, or of the two of a pair with the same geometry to the pixel."""

    def __init__(self, settings: DataSettings) -> None:
        self.settings = settings

    def pair(self, rng: np.random.Generator, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Augment two (H, W, C) of equal height and width, of any channels and depth, in step."""
        a, b = self._draw(self._geometry, rng, a, b)
        if not self.settings.jitter:
            return a, b
        if self.settings.jitter_on == "both":
            a, b = self._draw(self._jitter, rng, _colour(a), _colour(b))
            return a, b
        return self._jittered(rng, a, "a"), self._jittered(rng, b, "b")

    def one(self, rng: np.random.Generator, image: np.ndarray, domain: str) -> np.ndarray:
        """Augment one (H, W, C) of `domain` a or b."""
        image = self._draw(self._geometry, rng, image)[0]
        return self._jittered(rng, image, domain)

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # transforms are made where they are used

    def _jittered(self, rng: np.random.Generator, image: np.ndarray, domain: str) -> np.ndarray:
        if not self.settings.jitter or self.settings.jitter_on not in (domain, "both"):
            return image
        return self._draw(self._jitter, rng, _colour(image))[0]

    def _draw(self, transform: Any, rng: np.random.Generator, *pictures: np.ndarray) -> tuple[np.ndarray, ...]:
        transform.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        drawn = transform(**dict(zip(("image", "other"), pictures, strict=False)))
        return tuple(drawn[key] for key in ("image", "other")[: len(pictures)])

    @cached_property
    def _geometry(self) -> Any:
        transforms = _albumentations()
        chosen = []
        if self.settings.preprocess != "none":
            chosen.append(transforms.RandomCrop(self.settings.size, self.settings.size))
        if self.settings.flip:
            chosen.append(transforms.HorizontalFlip(p=0.5))
        if self.settings.vertical_flip:
            chosen.append(transforms.VerticalFlip(p=0.5))
        if self.settings.turn:
            chosen.append(transforms.RandomRotate90(p=1))
        return transforms.Compose(chosen, additional_targets={"other": "image"})

    @cached_property
    def _jitter(self) -> Any:
        transforms = _albumentations()
        strength = self.settings.jitter
        factors = (1 - strength, 1 + strength)
        hue = (-strength / 4, strength / 4)
        jitter = transforms.ColorJitter(brightness=factors, contrast=factors, saturation=factors, hue=hue, p=1)
        return transforms.Compose([jitter], additional_targets={"other": "image"})


def _colour(image: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8 and image.shape[2] in (1, 3):
        return image
    raise ConfigError(
        f"Setting jitter works on 8-bit grey or colour, not on {image.shape[2]} channels of {image.dtype}: "
        "use --set jitter=0, or --set jitter_on=a or b."
    )


def _albumentations() -> Any:
    # It asks the network for updates when imported; and it takes seconds to import, so only who augments does.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations

    return albumentations
