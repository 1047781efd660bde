"""One generator and the memory there is: pictures go through it whole, in batches that fit, or in tiles."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import nn

from translate import engines, images
from translate.engines import Engine
from translate.errors import NotFiniteError
from translate.machine import memory
from translate.tiling import bytes_per_pixel, translate_tiled
from translate.tiling.memory import ran_out

Tile = int | Literal["auto", "off"]
Tell = Callable[[int, str], None]

_TILE = 1024
_SPARE = 1.5
"""Convolutions take working memory beside the values that they are between."""
_TILING = threading.Lock()
"""One picture at a time is translated in tiles: each takes as much memory as it may."""


class Fitting:
    """Runs arrays through `engine`, or through `network`, what it computes, where that takes tiles or fp32.

    An exported model has no network: its pictures go through whole or not at all.
    """

    def __init__(
        self, engine: Callable[[], Engine], network: nn.Module | None, device: torch.device, streams: int, tile: Tile
    ) -> None:
        self._engine, self._network, self._device, self._streams, self._tile = engine, network, device, streams, tile
        self._largest = 2**62  # pixels of a batch, once a larger one has met the end of the memory
        self._per_pixel: float | None = None
        self._exact: Engine | None = None
        self._making = threading.Lock()

    def run(self, pixels: Sequence[np.ndarray], tell: Tell) -> list[np.ndarray]:
        """Translate arrays (H, W, C) of one shape and type, in the channels that the network takes.

        `tell` hears, with the array's index, of one that took tiles or fp32. Raises NotFiniteError.
        """
        height, width = pixels[0].shape[:2]
        if self._needs_tiles(height, width):
            return [self._in_tiles(array, partial(tell, index)) for index, array in enumerate(pixels)]
        most = self._most(height, width)
        made: list[np.ndarray] = []
        for first in range(0, len(pixels), most):
            made += self._whole(pixels[first : first + most], partial(_shifted, tell, first))
        return made

    def share(self, height: int, width: int) -> float:
        """How much of the memory there is a whole picture of that size needs; 1 is all of it."""
        if self._network is None:
            return 0.0
        with self._making:
            if self._per_pixel is None:  # reading it off the network takes a while
                self._per_pixel = _SPARE * bytes_per_pixel(self._network)
        return self._per_pixel * height * width / memory(self._device, self._streams)

    def _needs_tiles(self, height: int, width: int) -> bool:
        if self._tile == "off" or self._network is None:
            return False
        if self._tile == "auto":
            return self.share(height, width) > 1
        return max(height, width) > self._tile

    def _most(self, height: int, width: int) -> int:
        """How many images of that size one call may take."""
        share = 0.0 if self._tile == "off" else self.share(height, width)
        fitting = self._largest // (height * width)
        return max(1, min(fitting, int(1 / share)) if share else fitting)

    def _whole(self, pixels: Sequence[np.ndarray], tell: Tell) -> list[np.ndarray]:
        engine = self._engine()
        try:
            return _through(engine, pixels)
        except NotFiniteError:
            if len(pixels) == 1:
                if engine.precision == "fp32" or self._network is None:
                    raise
                tell(0, f"values beyond {engine.precision}: translated in fp32")
                return _through(self._exact_engine(), pixels)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error) or self._network is None:
                raise
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
            if len(pixels) == 1:
                if self._tile == "off":
                    raise
                return [self._in_tiles(pixels[0], partial(tell, 0))]
            self._largest = min(self._largest, len(pixels) // 2 * pixels[0].shape[0] * pixels[0].shape[1])
        half = (len(pixels) + 1) // 2
        return self._whole(pixels[:half], tell) + self._whole(pixels[half:], partial(_shifted, tell, half))

    def _exact_engine(self) -> Engine:
        assert self._network is not None
        with self._making:
            if self._exact is None:
                self._exact = engines.make_engine(self._network, device=self._device, streams=self._streams)
            return self._exact

    def _in_tiles(self, pixels: np.ndarray, tell: Callable[[str], None]) -> np.ndarray:
        assert self._network is not None
        tile = self._tile if isinstance(self._tile, int) else _TILE
        tell(f"in tiles of {tile} pixels, by torch")
        half = self._engine().precision == "bf16"
        planes = memory(torch.device("cpu"), 1)  # what is kept between two passes lies there
        with _TILING:
            network = self._network.to(self._device).eval()
            run = partial(translate_tiled, network, pixels, tile=tile, device=self._device, memory=planes)
            try:
                return run(dtype=torch.bfloat16 if half else torch.float32)
            except NotFiniteError:
                if not half:
                    raise
            tell("values beyond bf16: translated in fp32")
            return run()


def _through(engine: Engine, pixels: Sequence[np.ndarray]) -> list[np.ndarray]:
    return images.from_batch(engine(images.to_batch(pixels)), pixels[0].dtype)


def _shifted(tell: Tell, first: int, index: int, text: str) -> None:
    tell(first + index, text)
