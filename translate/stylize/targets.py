"""What paintings are as style, at the sizes that pictures need; computed once for a whole folder."""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from translate import images
from translate.config import StylingSettings
from translate.style.recipe import Recipe
from translate.stylize.energy import TARGET_PLACES, Energy
from translate.stylize.kinds import Style
from translate.stylize.regions import resized
from translate.stylize.weights import Painting, Weights

_MOST = 2**29
"""Bytes of targets that are kept: pictures of a folder may have any number of sizes."""


class Targets:
    """`kept` are the paintings whose targets serve every picture."""

    def __init__(
        self, recipe: Recipe, kept: Sequence[Style], settings: StylingSettings, device: torch.device, budget: int
    ) -> None:
        self._recipe, self._kept, self._settings = recipe, kept, settings
        self._device, self._budget = device, budget
        self._made: OrderedDict[tuple[int, int], Painting] = OrderedDict()

    def find(self, numbers: Sequence[int], styles: Sequence[Style], side: int) -> list[Painting]:
        """The paintings of those numbers for a picture whose longer side is `side`; their weights sum to 1."""
        total = sum(styles[number].weight for number in numbers)
        return [
            self._one(number, styles[number], side)._replace(weight=styles[number].weight / total)
            for number in numbers
            if styles[number].weight
        ]

    def _one(self, number: int, style: Style, side: int) -> Painting:
        longest = max(style.pixels.shape[:2])
        # Only style_scale enlarges a painting: a larger picture gets its strokes as they are.
        factor = self._settings.style_scale * min(side, longest) / longest
        least = min(self._recipe.features.minimum([name]) for name in self._recipe.style_layers)
        height, width = (max(least, round(length * factor)) for length in style.pixels.shape[:2])
        key = number, max(height, width)
        if style is not self._kept[number]:
            return self._computed(number, style, height, width)
        if key not in self._made:
            self._made[key] = self._computed(number, style, height, width)
        self._made.move_to_end(key)
        while len(self._made) > 1 and sum(map(_bytes, self._made.values())) > _MOST:
            self._made.popitem(last=False)
        return self._made[key]

    def _computed(self, number: int, style: Style, height: int, width: int) -> Painting:
        recipe = self._recipe.fitting(height, width)
        pixels = images.to_tensor(images.resize(style.pixels, height, width))[None].to(self._device)
        region = None
        if style.mask is not None:
            region = torch.from_numpy(resized(style.mask, height, width))[None, None].to(self._device)
        seed = self._settings.seed * 100_003 + number
        energy = Energy(recipe, pixels, [], Weights(0, 1, 0), seed=seed, budget=self._budget, region=region)
        summaries = energy.summaries(TARGET_PLACES)
        return Painting({name: recipe.statistic.prepare(value) for name, value in summaries.items()}, 1.0)


def _bytes(painting: Painting) -> int:
    return sum(part.nbytes for target in painting.targets.values() for part in (target.summary, *target.parts))
