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


class Guide(NamedTuple):
    """What goes with a picture of a folder.

    name    of its output, below the output folder
    files   the user's own for this picture
    before  of a clip whose frames follow from each other: the frame before and what was made of it, as `run` takes
            pictures and gives them; None for the first, and where that failed
    """

    name: str = ""
    files: tuple[Path, ...] = ()
    before: tuple[np.ndarray, np.ndarray] | None = None


class Told(NamedTuple):
    """What is said of how a network without a rendering made pictures: as `described` and `signature` of one."""

    described: dict[str, Any]
    signature: str


class Rendering(Protocol):
    """Makes a picture of a picture, with a network in between."""

    channels: tuple[int, int]
    """Of pictures in and out; 0: any that a file holds."""

    alone: bool
    """Whether one picture takes all cores, so that they are computed one at a time."""

    chained: bool
    """Whether a frame of a clip follows from what was made of the one before."""

    keeps: bool
    """Whether it may leave parts of a picture as they are, bit for bit."""

    described: dict[str, Any]
    """What a report says of it."""

    key: str
    """All that a result depends on besides the picture, its guide and the network."""

    signature: str
    """What the metadata of a result say of how it was made; "" for nothing."""

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        """What the network is given of a picture (H, W, C): (h, w, c) of float32."""

    def sized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture is brought to before `run`."""

    def files(self, source: Path, name: str) -> tuple[Path, ...]:
        """The user's own files for the picture at `source`, `name` below the input folder.

        Raises ImageError if one that must be there is not.
        """

    def run(
        self, pixels: Sequence[np.ndarray], passage: Passage, tell: Tell, guides: Sequence[Guide]
    ) -> list[np.ndarray]:
        """Render pictures (H, W, C) of one shape and type; each comes out as it would alone, in its own type."""
