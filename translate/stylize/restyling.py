"""Painting as a way of rendering: so a folder is repainted with all that `convert` knows of files."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from translate import images
from translate.config import StylingSettings
from translate.errors import ImageError, NotFiniteError
from translate.rendering.base import Guide, Passage, Tell
from translate.stylize.kinds import Before, Progress
from translate.stylize.masks import Places

Follow = Callable[[str, Progress], None]
"""Hears, with the name of the picture that is being painted, how far it is."""


class Painter(Protocol):
    """What Stylizer is to a Restyling."""

    device: torch.device

    @property
    def described(self) -> dict[str, Any]: ...

    @property
    def key(self) -> str: ...

    @property
    def about(self) -> str: ...

    def paint(
        self,
        content: np.ndarray,
        *,
        masks: Sequence[np.ndarray | None] = (),
        before: Before | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class Restyling:
    """Repaints pictures of 1 or 3 channels; the result has three, the picture's depth, and its size or `settings.size`.

    Pixels that no painting is for stay bit for bit.
    """

    painter: Painter
    settings: StylingSettings
    places: Places
    follow: Follow = field(default=lambda name, progress: None)

    channels = (0, 3)
    alone = chained = True

    @property
    def keeps(self) -> bool:
        return self.places.keeps and self.settings.size is None

    @property
    def described(self) -> dict[str, Any]:
        return {"mode": "stylize", **self.painter.described}

    @property
    def key(self) -> str:
        """The painter, the settings with the contents of single masks instead of their names, and what files say."""
        chosen = self.settings.model_dump_json(exclude={"mask", "style_mask", "features"})
        return hashlib.sha256(repr((self.painter.key, chosen, self.places.key, self.signature)).encode()).hexdigest()

    @property
    def signature(self) -> str:
        return self.painter.about

    def sized(self, height: int, width: int) -> tuple[int, int]:
        if self.settings.size is None:
            return height, width
        scale = self.settings.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def files(self, source: Path, name: str) -> tuple[Path, ...]:
        return self.places.files(source, name)

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        return as_content(pixels)

    def run(
        self, pixels: Sequence[np.ndarray], passage: Passage, tell: Tell, guides: Sequence[Guide]
    ) -> list[np.ndarray]:
        return [self._painted(each, guide) for each, guide in zip(pixels, guides, strict=True)]

    def _painted(self, pixels: np.ndarray, guide: Guide) -> np.ndarray:
        masks = self.places.masks(guide.files, *pixels.shape[:2])
        kept = self.places.untouched(masks)
        if kept is not None and kept.all():
            return pixels.copy()
        before = None
        if guide.before is not None:
            content, made = map(as_content, guide.before)
            before = Before(made, content)
        made = self.painter.paint(
            as_content(pixels),
            masks=masks if any(mask is not None for mask in masks) else (),
            before=before,
            watch=lambda progress: self.follow(guide.name, progress),
        )
        if not np.isfinite(made).all():
            raise NotFiniteError("what was painted is not finite: a smaller --strength or --variation may do.")
        result = images.to_depth(made.clip(-1, 1), pixels.dtype)
        return result if kept is None else np.where(kept[..., None], pixels, result)


def as_content(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) of any depth as a painter takes it: (H, W, 3), float32 in [-1, 1]."""
    if pixels.shape[2] not in (1, 3):
        raise ImageError(f"a picture of {pixels.shape[2]} channels cannot be repainted: 1 or 3 can.")
    values = images.to_depth(pixels, np.float32).clip(-1, 1)
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)))
