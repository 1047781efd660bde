"""Renderings: how pictures go through networks that do not take their pixels as they are. One file and one row each."""

from collections.abc import Callable
from typing import Any

from translate.rendering.base import Guide, Passage, Rendering
from translate.rendering.colouring import Colouring

RENDERINGS: dict[str, Callable[[int, int], Any]] = {
    "colorize": Colouring,
}
"""Makes the rendering of a mode's models from the size they were trained at and the channels their network takes."""

__all__ = ["RENDERINGS", "Colouring", "Guide", "Passage", "Rendering"]
