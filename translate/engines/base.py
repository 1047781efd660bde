"""What every engine is, and how it takes images of any size and type."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from translate.engines.workers import Workers
from translate.errors import ConfigError, NotFiniteError
from translate.networks.blocks import translate_any_size


@dataclass(frozen=True)
class Sized:
    """What a generator takes: `channels` (in, out); H and W multiples of `multiple`, at least `minimum`."""

    channels: tuple[int, int]
    multiple: int
    minimum: int


class Engine(ABC):
    """A generator made ready to run; several threads may call it at once.

    `backend` is torch, openvino or onnx, `precision` fp32, bf16 or int8. `streams` calls should run at the same time to
    use the machine, each with `batch` images of one size. `about` tells the user all that in a phrase.
    """

    backend: str
    precision: str
    about: str
    batch: int = 1

    def __init__(self, sized: Sized, device: torch.device, streams: int | None, *, own_threads: bool = False) -> None:
        if streams is not None and streams < 1:
            raise ConfigError(f"streams is {streams}; it must be 1 or more.")
        self.sized = sized
        self.device = device
        self.streams = streams or 1
        self._workers = Workers(self.streams) if own_threads or (streams and device.type == "cpu") else None

    @property
    def threads(self) -> int:
        """Threads of the CPU that one call computes with."""
        return self._workers.threads if self._workers else torch.get_num_threads()

    def phrase(self, more: str = "") -> str:
        """What `about` says: "openvino bf16, 2 streams of 1 thread"."""
        said = f"{self.backend} {self.precision}"
        if self.device.type != "cpu":
            said += f" on {self.device}"
        else:
            threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
            said += f", {threads}" if self.streams == 1 else f", {self.streams} streams of {threads}"
        return f"{said}, {more}" if more else said

    def __call__(self, images: Tensor) -> Tensor:
        """Translate (N, C, H, W), float32 in [-1, 1] or uint8, any H and W; returns the same type, H and W.

        `images` lie on the CPU or on the engine's device, and there the result lies too. What a size lacks is mirrored
        as in networks.blocks.translate_any_size. Raises ConfigError for anything else, NotFiniteError for values that
        are not finite.
        """
        wanted = self.sized.channels[0]
        if images.dtype not in (torch.float32, torch.uint8) or images.ndim != 4 or 0 in images.shape:
            raise ConfigError(f"An engine takes float32 or uint8 (N, C, H, W), not {images.dtype} {[*images.shape]}.")
        if images.shape[1] != wanted:
            raise ConfigError(f"This model takes {wanted} channels, not {images.shape[1]}.")
        return self._workers.run(self._translate, images) if self._workers else self._translate(images)

    @torch.no_grad()
    def _translate(self, images: Tensor) -> Tensor:
        values = self._fetch(images)
        # Some runtimes turn NaN into 0 on the way.
        if images.dtype != torch.uint8 and not values.isfinite().all():
            raise NotFiniteError("the image holds values that are not finite.")
        values = values.float().div_(127.5).sub_(1) if images.dtype == torch.uint8 else values
        values = any_size(self._run, self.sized, values)
        if not values.isfinite().all():
            raise NotFiniteError(f"the model gives values that are not finite, in {self.precision}.")
        if images.dtype == torch.uint8:
            values = values.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)
        return self._deliver(values, images.device)

    def _fetch(self, images: Tensor) -> Tensor:
        return images.to(self.device)

    def _deliver(self, values: Tensor, device: torch.device) -> Tensor:
        return values.contiguous().to(device)

    @abstractmethod
    def _run(self, images: Tensor) -> Tensor:
        """Translate float32 (N, C, H, W) of a size that the network takes, on the device, into a new tensor."""


def sized_as(network: nn.Module) -> Sized:
    """What `network`, one of networks.GENERATORS, takes."""
    given = cast(dict[str, int], network.arguments)
    return Sized((given["in_channels"], given["out_channels"]), cast(int, network.multiple), cast(int, network.minimum))


def fitted(sized: Sized, images: Tensor) -> Tensor:
    """`images` (N, C, H, W) continued by mirroring to a size that the network takes."""
    seen: list[Tensor] = []
    any_size(lambda padded: seen.append(padded) or padded, sized, images)  # type: ignore[func-returns-value]
    return seen[0]


class _Shaped:
    """Lends a function the two numbers that translate_any_size asks a network for."""

    def __init__(self, run: Callable[[Tensor], Tensor], sized: Sized) -> None:
        self.run, self.multiple, self.minimum = run, sized.multiple, sized.minimum

    def __call__(self, images: Tensor) -> Tensor:
        return self.run(images)


def any_size(run: Callable[[Tensor], Tensor], sized: Sized, images: Tensor) -> Tensor:
    """What `run` gives for `images`, mirrored to a size that it takes and cut again."""
    return translate_any_size(cast(nn.Module, _Shaped(run, sized)), images)
