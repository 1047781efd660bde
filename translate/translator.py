"""Load a model once, translate images with it: PIL in PIL out, array in array out, tensor in tensor out."""

from os import PathLike
from pathlib import Path
from typing import overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from translate import checkpoint, images
from translate.checkpoint import About, Model
from translate.config import Direction
from translate.errors import CheckpointError, ConfigError
from translate.networks.blocks import per_image_statistics, translate_any_size
from translate.trainer import choose_device


class Translator:
    """Generators ready for use. Make one with `load`."""

    def __init__(self, model: Model, device: torch.device) -> None:
        self.about: About = model.about
        self.device = device
        image_wise = model.about.statistics == "image"
        self._networks = {
            direction: (per_image_statistics(network) if image_wise else network).to(device).eval()
            for direction, network in model.networks.items()
        }

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(self._networks)

    def channels(self, direction: Direction | None = None) -> tuple[int, int]:
        """Channels that go in and come out in `direction`."""
        a, b = self.about.channels
        return (a, b) if (direction or self.about.direction) == "AtoB" else (b, a)

    @overload
    def __call__(self, image: Image.Image, direction: Direction | None = None) -> Image.Image: ...
    @overload
    def __call__(self, image: np.ndarray, direction: Direction | None = None) -> np.ndarray: ...
    @overload
    def __call__(self, image: Tensor, direction: Direction | None = None) -> Tensor: ...

    def __call__(
        self, image: Image.Image | np.ndarray | Tensor, direction: Direction | None = None
    ) -> Image.Image | np.ndarray | Tensor:
        """Translate one image, of any height and width; the result has the same.

        A PIL image gives a PIL image (its transparency kept), an array (H, W, C) or (H, W) of uint8, uint16 or float32
        in [-1, 1] gives an array (H, W, C') of that type, a float tensor (N, C, H, W) in [-1, 1] gives a tensor.
        `direction` defaults to the one the model was trained for. Raises ConfigError for a direction or a number of
        channels that the model does not take.
        """
        if isinstance(image, Tensor):
            return self._tensor(image, direction)
        if isinstance(image, np.ndarray):
            return self._array(image, direction)
        if isinstance(image, Image.Image):
            return self._pil(image, direction)
        raise TypeError(f"an image is a PIL image, an array or a tensor, not {type(image).__name__}")

    @torch.inference_mode()
    def _tensor(self, batch: Tensor, direction: Direction | None) -> Tensor:
        direction = self.checked(direction)
        wanted = self.channels(direction)[0]
        if batch.ndim != 4 or batch.shape[1] != wanted or 0 in batch.shape or not batch.is_floating_point():
            given = f"{tuple(batch.shape)} of {batch.dtype}"
            raise ConfigError(f"This model takes floats (N, {wanted}, H, W) in direction {direction}, not {given}.")
        output = translate_any_size(self._networks[direction], batch.to(self.device, torch.float32))
        return output.to(batch.device, batch.dtype)

    def _array(self, pixels: np.ndarray, direction: Direction | None) -> np.ndarray:
        checked = self.checked(direction)
        if pixels.ndim not in (2, 3) or 0 in pixels.shape:
            raise ConfigError(f"An array is (H, W) or (H, W, C), not {pixels.shape}.")
        shaped = match_channels(pixels[..., None] if pixels.ndim == 2 else pixels, self.channels(checked)[0])
        output = self._tensor(images.to_tensor(shaped)[None], checked)[0]
        return images.to_array(output.cpu(), pixels.dtype)

    def _pil(self, image: Image.Image, direction: Direction | None) -> Image.Image:
        picture = images.from_pil(image)
        output = self._array(picture.pixels, direction)
        return images.to_pil(output, picture.alpha)

    def checked(self, direction: Direction | None) -> Direction:
        """`direction`, or the usual one if None; raises ConfigError if the model does not translate that way."""
        chosen = direction or self.about.direction
        if chosen not in self._networks:
            there = " or ".join(self._networks)
            raise ConfigError(f"This model translates {there}, not {chosen}.")
        return chosen


def match_channels(pixels: np.ndarray, wanted: int) -> np.ndarray:
    """Turn grey (H, W, 1) into 3 `wanted` channels, RGB into 1 by Rec. 601 luma; raises ConfigError otherwise."""
    have = pixels.shape[2]
    if have == wanted:
        return pixels
    if have == 1 and wanted == 3:
        return np.repeat(pixels, 3, axis=2)
    if have == 3 and wanted == 1:
        luma = pixels.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return (luma if pixels.dtype.kind == "f" else np.rint(luma)).astype(pixels.dtype)[..., None]
    raise ConfigError(f"This model takes {wanted} channels; the image has {have}.")


def load(path: str | PathLike[str], device: str = "auto") -> Translator:
    """Load a run folder or a .safetensors file; raises CheckpointError if it cannot.

    `device` is auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 or mps.
    """
    found = checkpoint.find_model(Path(path))
    model = checkpoint.load_model(found)
    if not model.networks:
        raise CheckpointError(f"{found} holds no generator.")
    return Translator(model, choose_device(device))
