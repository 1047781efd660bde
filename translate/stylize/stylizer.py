"""Repaints pictures in the manner of paintings, by optimisation, from the smallest scale to the largest.

Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", CVPR 2016; from coarse to fine as in
"Controlling perceptual factors in neural style transfer", CVPR 2017.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from translate import images
from translate.config import StylingSettings
from translate.errors import ConfigError, NotFiniteError
from translate.features import Features
from translate.machine import memory
from translate.style import find_statistic
from translate.style.recipe import make_recipe
from translate.stylize import colours
from translate.stylize.descent import RATES, descend
from translate.stylize.energy import Energy
from translate.stylize.flow import Followed, follow
from translate.stylize.kinds import Before, Style, Watch
from translate.stylize.progress import Course
from translate.stylize.regions import Part, parts_of, resized
from translate.stylize.scales import Scale, plan_scales
from translate.stylize.targets import Targets
from translate.stylize.weights import Steady, Weights

_ALIKE = 1e-4
"""A relative loss below which nothing can be seen of it."""
_USUAL = 2**32
"""Bytes for features: the same on all machines that have them, as tiles change the last digits of a result."""
_CALM = 0.2
"""What a frame that begins as the one before takes of the usual rate: it is nearly there, and should not shake."""
_WITHOUT_EFFECT = {"mask", "style_mask", "features"}
"""Settings whose content counts instead."""


class Stylizer:
    """Paintings made ready; `paint` repaints one picture after the other, for which their targets are computed once.

    The same picture, paintings and settings give the same result, on the same machine to the last bit.
    """

    def __init__(
        self, features: Features, styles: Sequence[Style], settings: StylingSettings, device: torch.device
    ) -> None:
        """Raises ConfigError for no painting, one that is not finite, and layers that the features do not have."""
        if sum(style.weight for style in styles) <= 0 or min(style.weight for style in styles) < 0:
            raise ConfigError("At least one painting with a weight above 0 is needed, and none with one below.")
        for style in styles:
            if not np.isfinite(style.pixels).all() or (style.mask is not None and not np.isfinite(style.mask).all()):
                raise ConfigError(
                    f"The painting {style.name} or its mask has values that are not finite.".replace("  ", " ")
                )
        self.settings, self.styles, self.device = settings, tuple(styles), device
        name = features.usual_statistic if settings.statistic == "auto" else settings.statistic
        self.recipe = make_recipe(
            features.to(device), find_statistic(name), settings.style_layers, settings.content_layers
        )
        usual = features.usual_weights
        self.weights = Weights(
            usual[0] if settings.content is None else settings.content,
            settings.strength,
            min(1.0, settings.strength) * usual[1] if settings.variation is None else settings.variation,
            settings.temporal,
        )
        self.budget = min(_USUAL, memory(device, 1)) if settings.memory is None else int(settings.memory * 2**30)
        self._targets = Targets(self.recipe, self.styles, settings, device, self.budget)

    @property
    def about(self) -> str:
        """One line: what painted, for people and for the metadata of what comes out."""
        names = ", ".join(style.name for style in self.styles if style.name)
        parts = [self.recipe.features.about, self.recipe.statistic.name, names, f"seed {self.settings.seed}"]
        return "translate stylize: " + "; ".join(part for part in parts if part)

    @property
    def described(self) -> dict[str, Any]:
        return {
            "features": self.recipe.features.about,
            "statistic": self.recipe.statistic.name,
            "paintings": [style.name for style in self.styles],
            "styling": self.settings.model_dump(mode="json"),
        }

    @property
    def key(self) -> str:
        """Hash of all that a result depends on besides the picture and its masks."""
        digest = hashlib.sha256(self.recipe.features.key.encode())
        digest.update(self.settings.model_dump_json(exclude=_WITHOUT_EFFECT).encode())
        for style in self.styles:
            digest.update(repr((style.weight, style.pixels.shape, style.mask is None)).encode())
            digest.update(style.pixels.tobytes())
            if style.mask is not None:
                digest.update(style.mask.tobytes())
        return digest.hexdigest()

    def paint(
        self,
        content: np.ndarray,
        *,
        masks: Sequence[np.ndarray | None] = (),
        before: Before | None = None,
        watch: Watch | None = None,
    ) -> np.ndarray:
        """Repaint `content` (H, W, 3), float32 in [-1, 1]; returns an array like it.

        `masks` say for each painting where it goes, (H, W) in [0, 1], or None for everywhere; later ones are painted
        over earlier ones, and what none is for stays bit for bit. With the frame `before` the picture begins as that,
        moved along, and stays near it. Raises ValueError for shapes that do not agree, NotFiniteError for values that
        are not finite.
        """
        self._check(content, masks)
        missing = [max(0, self._least - length) for length in content.shape[:2]]
        if any(missing):
            return self._continued(content, masks, missing, watch)
        parts = [part for part in parts_of(masks, len(self.styles)) if any(self.styles[n].weight for n in part.numbers)]
        course = Course((scale for part in parts for scale in self._planned(content, part, before)), watch)
        followed = None if before is None else follow(before, content)
        shown, styles = colours.compared(content, self.styles, self.settings.colours)
        result = content
        for part in parts:
            base = result if shown is content else colours.as_grey(colours.light_of(result))
            made = self._part(shown, base, part, styles, followed, course)
            if self.settings.colours == "luminance":
                made = colours.with_chroma(made, content)
            result = made if part.mask is None else np.where(part.mask[..., None] == 0, result, made)
        return result

    def _continued(
        self, content: np.ndarray, masks: Sequence[np.ndarray | None], missing: Sequence[int], watch: Watch | None
    ) -> np.ndarray:
        """A picture in which no layer of style has a place, mirrored at its far ends until one has."""
        more = [(0, count) for count in missing]
        larger = np.pad(content, [*more, (0, 0)], mode="symmetric")
        wider = [None if mask is None else np.pad(mask, more, mode="symmetric") for mask in masks]
        made = self.paint(larger, masks=wider, watch=watch)
        return np.ascontiguousarray(made[: content.shape[0], : content.shape[1]])

    @property
    def _least(self) -> int:
        """The side of the smallest picture with a place in a layer of style: all of them, where they were asked for."""
        each = [self.recipe.features.minimum([name]) for name in self.recipe.style_layers]
        return max(each) if self.settings.style_layers else min(each)

    def measure(self, content: np.ndarray, made: np.ndarray) -> dict[str, float]:
        """The weighted losses of `made` as a repainting of `content`, at its own size: style, content, variation."""
        shown, styles = colours.compared(content, self.styles, self.settings.colours)
        height, width = content.shape[:2]
        scale = Scale(height, width, max(height, width), 1)
        energy = self._energy(scale, self._tensor(shown), Part(tuple(range(len(styles))), None), styles)
        return energy(self._tensor(made), 0).parts

    def _part(
        self,
        content: np.ndarray,
        base: np.ndarray,
        part: Part,
        styles: Sequence[Style],
        followed: Followed | None,
        course: Course,
    ) -> np.ndarray:
        """`base` with the paintings of `part` where they go: each scale begins with what the one before came to."""
        inside = part.window(*content.shape[:2])
        cut, below = content[inside], base[inside]
        mask = None if part.mask is None else part.mask[inside]
        begun = None if followed is None else Followed(*(each[inside] for each in followed))
        now, last = (None, None) if begun is None else (begun.image, cut)
        done = True
        for scale in self._planned(content, part, begun):
            size = scale.height, scale.width
            target = images.resize(cut, *size)
            energy = self._energy(
                scale,
                self._tensor(target),
                part,
                styles,
                base=None if mask is None else self._tensor(images.resize(below, *size)),
                region=None if mask is None else self._map(mask, scale),
                steady=None if begun is None else self._steady(begun, scale),
            )
            begin = self._tensor(self._start(target, now, last, scale))
            now, last = None, target
            done = done and self._reached(energy, begin)
            if done:
                course.skip(scale)
                now = _array(energy.shown(begin))
            else:
                now = self._descended(energy, begin, scale, course)
        made = base.copy()
        made[inside] = now
        return made

    def _descended(self, energy: Energy, begin: Tensor, scale: Scale, course: Course) -> np.ndarray:
        made = descend(
            energy,
            begin,
            optimizer=self.settings.optimizer,
            steps=scale.steps,
            rate=RATES[self.settings.optimizer] * (1 if energy.steady is None else _CALM),
            average=self.settings.average,
            told=lambda _, measured, now: course.tell(scale, measured, lambda: _array(energy.shown(now()))),
        )
        return _array(energy.shown(made))

    def _reached(self, energy: Energy, image: Tensor) -> bool:
        """Whether nothing is left to do: the picture is its content, in the manner of the paintings already.

        Where places are drawn, two draws of one painting differ: what is no further apart is the same.
        """
        smoothed = self.weights.variation > self.recipe.features.usual_weights[1]
        if self.settings.init == "noise" or smoothed:
            return False
        parts = energy(image, 0).parts
        parts.pop("variation", 0.0)
        style = parts.pop("style", 0.0) / (self.settings.strength or 1.0)
        return sum(parts.values()) < _ALIKE and style < max(_ALIKE, energy.noise())

    def _energy(
        self,
        scale: Scale,
        content: Tensor,
        part: Part,
        styles: Sequence[Style],
        *,
        base: Tensor | None = None,
        region: Tensor | None = None,
        steady: Steady | None = None,
    ) -> Energy:
        settings = self.settings
        return Energy(
            self.recipe.fitting(scale.height, scale.width),
            content,
            self._targets.find(part.numbers, styles, scale.side) if settings.strength else [],
            self.weights,
            seed=settings.seed * 100_003 + scale.side,
            budget=self.budget,
            base=base,
            region=region,
            steady=steady,
        )

    def _start(self, target: np.ndarray, now: np.ndarray | None, last: np.ndarray | None, scale: Scale) -> np.ndarray:
        """What a scale begins with: the picture so far; of the content what is finer than that."""
        grown = partial(images.resize, height=scale.height, width=scale.width)
        if self.settings.init == "noise" and (now is None or last is None):
            draw = np.random.default_rng((self.settings.seed, scale.height, scale.width))
            return draw.normal(0, 0.25, target.shape).clip(-1, 1).astype(np.float32)
        if now is None or last is None:
            return target
        if self.settings.init == "noise":
            return grown(now)
        # Halved, as values beyond [-1, 1] would be cut off.
        return (target + 2 * grown((now - last) / 2)).clip(-1, 1)

    def _steady(self, begun: Followed, scale: Scale) -> Steady:
        image = self._tensor(images.resize(begun.image, scale.height, scale.width))
        return Steady(image, self._map(begun.trust, scale))

    def _planned(self, content: np.ndarray, part: Part, begun: object | None) -> list[Scale]:
        rows, columns = part.window(*content.shape[:2])
        height, width = rows.stop - rows.start, columns.stop - columns.start
        chosen = self.settings
        longer = max(content.shape[:2])
        return plan_scales(height, width, longer, chosen.smallest, chosen.steps, late=begun is not None)

    def _tensor(self, pixels: np.ndarray) -> Tensor:
        return images.to_tensor(pixels)[None].to(self.device)

    def _map(self, mask: np.ndarray, scale: Scale) -> Tensor:
        return torch.from_numpy(resized(mask, scale.height, scale.width))[None, None].to(self.device)

    def _check(self, content: np.ndarray, masks: Sequence[np.ndarray | None]) -> None:
        if content.ndim != 3 or content.shape[2] != 3 or content.dtype != np.float32:
            raise ValueError(f"a picture is (H, W, 3) of float32, not {content.shape} of {content.dtype}")
        if not np.isfinite(content).all():
            raise NotFiniteError("values of the picture are not finite")
        if masks and len(masks) != len(self.styles):
            raise ValueError(f"{len(masks)} masks for {len(self.styles)} paintings")
        for mask in masks:
            if mask is not None and mask.shape != content.shape[:2]:
                raise ValueError(f"a mask {mask.shape} for a picture {content.shape[:2]}")
            if mask is not None and not np.isfinite(mask).all():
                raise ValueError("values of a mask are not finite")


def _array(picture: Tensor) -> np.ndarray:
    """A picture (1, 3, h, w) as (h, w, 3) of float32."""
    return np.ascontiguousarray(picture[0].permute(1, 2, 0).cpu().numpy(), np.float32)
