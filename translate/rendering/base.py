"""What stands between a picture and a network that does not take its pixels as they are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import nn

Tell = Callable[[int, str], None]
"""Hears, with a picture's index, of something its user should know."""


class Passage(NamedTuple):
    """The way through the network: `run` takes and gives arrays (h, w, c) of float32 of one size.

    `network` is what it runs, for what is more than its output; None for an exported model, which can only be run.
    """

    run: Callable[[list[np.ndarray]], list[np.ndarray]]
    network: nn.Module | None


class Rendering(Protocol):
    """Makes a picture of a picture, with a network in between."""

    channels: tuple[int, int]
    """Of pictures in and out; 0: any that a file holds."""

    described: dict[str, Any]
    """What a report says of it."""

    key: str
    """All that a result depends on besides the picture, its guide and the network."""

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """What the network is given of a picture (H, W, C): (h, w, c) of float32."""

    def guide(self, source: Path, name: str) -> Path | None:
        """The user's own file for the picture at `source`, `name` below the input folder, if there is one."""

    def run(
        self, pixels: Sequence[np.ndarray], passage: Passage, tell: Tell, guides: Sequence[Path | None]
    ) -> list[np.ndarray]:
        """Render pictures (H, W, C) of one shape and type; each comes out as it would alone, in its own type."""
