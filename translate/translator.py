"""A model ready to translate images: PIL in PIL out, array in array out, tensor in tensor out."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate import engines, images
from translate.checkpoint import About, Model
from translate.config import Direction
from translate.engines import Engine
from translate.errors import ConfigError
from translate.fitting import Fitting, Tile
from translate.networks.blocks import per_image_statistics
from translate.networks.locked import lock_statistics
from translate.rendering.base import Guide, Passage, Rendering, Told
from translate.streams import in_order

Kind = TypeVar("Kind", Image.Image, np.ndarray, Tensor)

IDENTITY = "identity"


class Translator:
    """Generators ready for use, from several threads at once too. Make one with `load`.

    backend      torch, openvino or onnx: what computes; auto: openvino on a CPU if it is installed, else torch
    precision    fp32 or bf16; auto: bf16 where a short trial on this machine finds it clearly faster
    compile      compile the network with torch.compile (for the size that it was trained at)
    streams      calls that run at once, a core each; None: one call takes all cores
    rendering    what stands between pictures and a network that does not take their pixels as they are
    told         without one: what a report and the metadata of results say besides
    tile         pixels a side of the tiles in which a picture is translated that would need too much memory; the
                 result is that of the whole picture. auto: 1024, for pictures that need more than a quarter of the
                 memory; off: never; a number: for every picture larger than that
    """

    def __init__(
        self,
        model: Model,
        device: torch.device,
        *,
        backend: str = "torch",
        precision: str = "fp32",
        compile: bool = False,
        streams: int | None = None,
        tile: Tile = "auto",
        rendering: Rendering | None = None,
        told: Told | None = None,
        ready: Mapping[Direction, Engine] | None = None,
        origin: str = "",
    ) -> None:
        """`ready` are engines of a model without networks, `origin` is what tells such a model from others."""
        self.about: About = model.about
        self.device = device
        self.backend, self.precision, self.compile, self.streams, self.tile = backend, precision, compile, streams, tile
        self.rendering, self.told = rendering, told or Told({}, "")
        self.notices: list[str] = []
        self._model, self._origin = model, origin
        self._networks = {
            direction: per_image_statistics(network) if model.about.statistics == "image" else network
            for direction, network in model.networks.items()
        }
        self._engines: dict[Direction, Engine] = dict(ready or {})
        self._fittings: dict[Direction, Fitting] = {}
        self._making = threading.RLock()

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(role for role in self._networks if role != "noise") or tuple(self._engines)

    def channels(self, direction: Direction | None = None) -> tuple[int, int]:
        """Channels of the pictures that go in and come out in `direction`; 0: as many as there are."""
        if self.rendering:
            return self.rendering.channels
        a, b = self.about.channels
        return (a, b) if (direction or self.about.direction) == "AtoB" else (b, a)

    def engine(self, direction: Direction | None = None) -> Engine:
        """What computes in `direction`; made at the first call."""
        direction = self.checked(direction)
        with self._making:
            if direction not in self._engines:
                self._engines[direction] = engines.make_engine(
                    self._networks[direction],
                    device=self.device,
                    backend=self.backend,
                    precision=self.precision,
                    compile=self.compile,
                    streams=self.streams,
                    size=self.about.size,
                )
            return self._engines[direction]

    def network(self, direction: Direction | None = None) -> nn.Module:
        """The generator that translates in `direction`; raises ConfigError for an exported model, which holds none."""
        direction = self.checked(direction)
        if direction not in self._networks:
            raise ConfigError("An exported model can only be run: for this, give the checkpoint that it was made from.")
        return self._networks[direction].to(self.device).eval()

    def using(self, **how: Any) -> "Translator":
        """The same model with other settings: backend, precision, compile, streams, tile, rendering, told."""
        same = not self._networks or how.keys() <= {"rendering", "told"}
        ready = self._engines if same else {}
        return Translator(self._model, self.device, **(self._how() | how), ready=ready, origin=self._origin)

    def _how(self) -> dict[str, Any]:
        names = ("backend", "precision", "compile", "streams", "tile", "rendering", "told")
        return {name: getattr(self, name) for name in names}

    def with_engine(self, engine: Engine, direction: Direction) -> "Translator":
        """The same model, computed by `engine` in `direction`."""
        other = self.using()
        other._engines[direction] = engine
        return other

    def locked(self, frames: Sequence[np.ndarray], direction: Direction | None = None) -> "Translator":
        """The same model for the frames of one clip: normalised by the mean statistics of `frames` instead of its own.

        `frames` are arrays as in `__call__`. Those too large for the memory are made smaller for it.
        """
        direction = self.checked(direction)
        if self.about.mode == IDENTITY:
            return self
        network = self.network(direction)
        batches = (images.to_batch([self._reduced(self.seen(frame, direction), direction)]) for frame in frames)
        fixed = lock_statistics(network, (_as_float(batch).to(self.device) for batch in batches))
        model = Model({direction: fixed}, replace(self.about, statistics="running", direction=direction))
        return Translator(model, self.device, **self._how())

    def fingerprint(self, direction: Direction | None = None) -> str:
        """A hash of the weights and of what else decides what comes out in `direction`."""
        weights = self._fingerprint(self.checked(direction))
        more = self.rendering.key if self.rendering else self.told.signature
        # Names of files stand in it, which may be what no text can hold.
        return hashlib.sha256((weights + more).encode(errors="surrogatepass")).hexdigest() if more else weights

    def _fingerprint(self, direction: Direction) -> str:
        if not self._networks:
            return self._origin
        network = self._networks[direction]
        told = (self.about.statistics, direction, type(network).__name__, network.arguments)
        digest = hashlib.sha256(repr(told).encode())
        for name, tensor in network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

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

        A PIL image gives a PIL image (its transparency and colour profile kept), an array (H, W, C) or (H, W) of
        uint8, uint16 or float32 in [-1, 1] gives an array (H, W, C') of that type, a float tensor (N, C, H, W) in
        [-1, 1] gives a tensor. `direction` defaults to the one the model was trained for. Raises ConfigError for a
        direction or a number of channels that the model does not take.
        """
        if isinstance(image, Tensor):
            return self._tensor(image, direction)
        if isinstance(image, np.ndarray):
            return self._array(image, direction)
        if isinstance(image, Image.Image):
            return self._pil(image, direction)
        raise TypeError(f"an image is a PIL image, an array or a tensor, not {type(image).__name__}")

    def images(self, stream: Iterable[Kind], direction: Direction | None = None) -> Iterator[Kind]:
        """Translate a stream of images, each as `__call__` does, in order; a few of them are worked on at once."""
        direction = self.checked(direction)
        return in_order(lambda image: self(image, direction), stream, self.engine(direction).streams)

    def translate(
        self,
        pixels: Sequence[np.ndarray],
        direction: Direction | None = None,
        tell: Callable[[int, str], None] | None = None,
        guides: Sequence[Guide] | None = None,
    ) -> list[np.ndarray]:
        """Translate arrays (H, W, C) of one shape and type at once; each comes out as it would alone.

        uint8 and uint16 give the same type, rounded; floats are in [-1, 1], and what exceeds that is not cut off.
        `tell` hears, with the image's index, what its user should know, as that it took tiles or fp32; `guides` are
        what goes with the images, where the model takes anything. Raises NotFiniteError if the model's
        values are not finite, ConfigError for channels that it does not take.
        """
        direction = self.checked(direction)
        tell = tell or (lambda index, text: self._say(text))
        if self.rendering:
            passage = self._passage(direction, tell)
            return self.rendering.run(pixels, passage, tell, guides or [Guide()] * len(pixels))
        matched = [images.match_channels(array, self.channels(direction)[0]) for array in pixels]
        return self._fitting(direction).run(matched, tell)

    def seen(self, pixels: np.ndarray, direction: Direction | None = None) -> np.ndarray:
        """What the network is given of an image (H, W, C): an array (h, w, c)."""
        if self.rendering:
            return self.rendering.seen(pixels)
        return images.match_channels(pixels, self.channels(direction)[0])

    def _passage(self, direction: Direction, tell: Callable[[int, str], None]) -> Passage:
        fitting = self._fitting(direction)
        return Passage(
            lambda seen: fitting.run(seen, lambda index, text: tell(index, text)),
            self.network(direction) if self._networks else None,
        )

    def _fitting(self, direction: Direction) -> Fitting:
        with self._making:
            if direction not in self._fittings:
                network = self._networks.get(direction)
                tile: Tile = "off" if self.rendering else self.tile  # which decides itself what the network sees
                self._fittings[direction] = Fitting(
                    lambda: self.engine(direction), network, self.device, self.streams or 1, tile
                )
            return self._fittings[direction]

    def _tensor(self, batch: Tensor, direction: Direction | None) -> Tensor:
        direction = self.checked(direction)
        if self.rendering:
            return self._rendered(batch, direction)
        wanted = self.channels(direction)[0]
        shaped = batch.ndim == 4 and 0 not in batch.shape and wanted in (0, batch.shape[1])
        if not shaped or not batch.is_floating_point():
            given = f"{tuple(batch.shape)} of {batch.dtype}"
            raise ConfigError(f"This model takes floats (N, {wanted}, H, W) in direction {direction}, not {given}.")
        output = self.engine(direction)(batch.detach().float())
        return output.to(batch.device, batch.dtype)

    def _rendered(self, batch: Tensor, direction: Direction) -> Tensor:
        if batch.ndim != 4 or 0 in batch.shape or not batch.is_floating_point():
            raise ConfigError(f"A tensor is floats (N, C, H, W) in [-1, 1], not {tuple(batch.shape)} of {batch.dtype}.")
        made = self.translate(images.from_batch(batch.detach().cpu().float(), np.dtype(np.float32)), direction)
        return images.to_batch(made).to(batch.device, batch.dtype)

    def _array(self, pixels: np.ndarray, direction: Direction | None) -> np.ndarray:
        if pixels.ndim not in (2, 3) or 0 in pixels.shape:
            raise ConfigError(f"An array is (H, W) or (H, W, C), not {pixels.shape}.")
        if pixels.dtype not in (np.uint8, np.uint16) and pixels.dtype.kind != "f":
            raise ConfigError(f"An array is uint8, uint16 or float in [-1, 1], not {pixels.dtype}.")
        output = self.translate([pixels[..., None] if pixels.ndim == 2 else pixels], direction)[0]
        return output.clip(-1, 1).astype(pixels.dtype) if output.dtype.kind == "f" else output

    def _pil(self, image: Image.Image, direction: Direction | None) -> Image.Image:
        picture = images.from_pil(image)
        output = images.from_model(self.translate([images.to_model(picture)], direction)[0], picture)
        made = images.to_pil(output.pixels, output.alpha)
        if output.profile:
            made.info["icc_profile"] = output.profile
        return made

    def _reduced(self, frame: np.ndarray, direction: Direction) -> np.ndarray:
        """A frame as it is, or made smaller until it fits into memory whole."""
        if self.rendering:
            return frame  # it is small already
        height, width = frame.shape[:2]
        scale = max(1.0, self._fitting(direction).share(height, width)) ** -0.5
        return images.resize(frame, max(1, int(height * scale)), max(1, int(width * scale)))

    def _say(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)

    def checked(self, direction: Direction | None) -> Direction:
        """`direction`, or the usual one if None; raises ConfigError if the model does not translate that way."""
        chosen = direction or self.about.direction
        if chosen not in self.directions:
            there = " or ".join(self.directions)
            raise ConfigError(f"This model translates {there}, not {chosen}.")
        return chosen


def _as_float(batch: Tensor) -> Tensor:
    return batch.float() / 127.5 - 1 if batch.dtype == torch.uint8 else batch
