"""torch itself: eager, or compiled for one size of image."""

import contextlib
import copy
import threading
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from translate.engines.base import Engine, Sized, any_size, sized_as
from translate.engines.rewrite import rewrite
from translate.errors import NotFiniteError

CUDA_BATCH = 16
"""Batches of one leave half of a large GPU idle."""


class TorchEngine(Engine):
    backend = "torch"

    def __init__(
        self,
        network: nn.Module,
        *,
        device: torch.device,
        precision: str = "fp32",
        streams: int | None = None,
        compile_for: int | None = None,
        sized: Sized | None = None,
    ) -> None:
        """`network` is copied, or, with `sized`, an exported graph taken as it is.

        `compile_for`: compile for square images of that side, padded as ever; other sizes run uncompiled, so that no
        result depends on what was translated before.
        """
        # A compiled CUDA graph belongs to the thread that made it.
        alone = device.type == "cuda" and compile_for is not None
        if device.type != "cpu":
            # While the results of one batch are fetched, the next one is sent and queued.
            streams = 1 if alone or device.type != "cuda" else 2
        super().__init__(sized or sized_as(network), device, streams, own_threads=alone)
        self.precision = precision
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        # On a CPU, torch normalises channels-last images several times slower, compiled code in bf16 faster.
        self._format = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self._network = network.to(device) if sized else _prepared(network, device, self._dtype, self._format)
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._shape: tuple[int, ...] = ()
        self._own = threading.local()
        if device.type == "cuda":
            self.batch = CUDA_BATCH
            # Other streams than this one, which copies the weights, will read them.
            torch.cuda.synchronize(device)
        if compile_for:
            with torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext():
                self._compile(compile_for)
        self.about = self.phrase(f"compiled for {compile_for} pixels" if compile_for else "")

    def phrase(self, more: str = "") -> str:
        said = super().phrase(more)
        shortened = self.device.type == "cuda" and self.precision == "fp32" and torch.backends.cudnn.allow_tf32
        return said.replace(" fp32", " fp32 (TF32)", 1) if shortened else said

    def _compile(self, side: int) -> None:
        import torch._inductor.config as settings

        own = self.sized
        fitting = -(-max(side, own.minimum) // own.multiple) * own.multiple
        self._shape = (self.batch, own.channels[0], fitting, fitting)
        on_cpu = self.device.type == "cpu"
        layout = torch.channels_last if self._dtype == torch.bfloat16 else self._format
        network = copy.deepcopy(self._network).to(memory_format=layout)
        mode: dict[str, Any] = {} if on_cpu else {"options": {"triton.cudagraphs": True}}
        compiled = torch.compile(network, fullgraph=True, dynamic=False, **mode)

        @torch.no_grad()
        def call(images: Tensor) -> Tensor:
            output = compiled(images.to(self._dtype).contiguous(memory_format=layout)).float()
            # What a CUDA graph returns is overwritten by its next run.
            return output if on_cpu else output.clone()

        # The first call compiles, for as many threads as its own has; a CUDA graph is recorded in the second.
        # Freezing packs weights for the processor; as an option of torch.compile it comes too late to take effect.
        with settings.patch(freezing=on_cpu):
            for _ in range(3):
                images = torch.zeros(self._shape, device=self.device)
                self._workers.run(call, images) if self._workers else call(images)
        self._compiled = call

    def _run(self, images: Tensor) -> Tensor:
        if self._compiled and tuple(images.shape) == self._shape:
            return self._compiled(images)
        return self._network(images.to(self._dtype).contiguous(memory_format=self._format)).float()

    @torch.no_grad()
    def _translate(self, images: Tensor) -> Tensor:
        if self.device.type != "cuda":
            return super()._translate(images)
        with torch.cuda.device(self.device):
            before = torch.cuda.current_stream(self.device)
            stream = self._stream()
            stream.wait_stream(before)
            with torch.cuda.stream(stream):
                result, finite = self._queued(images)
            if images.is_cuda:
                # Neither may be given to others before both streams are done with it.
                images.record_stream(stream)
                result.record_stream(before)
                before.wait_stream(stream)
            done = torch.cuda.Event()
            done.record(stream)
            done.synchronize()  # only this call's work is waited for, not what other threads have queued
        if not finite[0]:
            raise NotFiniteError("the image holds values that are not finite.")
        if not finite[1]:
            raise NotFiniteError(f"the model gives values that are not finite, in {self.precision}.")
        return result

    def _stream(self) -> torch.cuda.Stream:
        """The stream of this thread: in one for all, copies of one batch would wait for the computing of another."""
        if self._workers:
            return torch.cuda.current_stream(self.device)  # the one that the CUDA graph was recorded beside
        if not hasattr(self._own, "stream"):
            self._own.stream = torch.cuda.Stream(self.device)
        return cast(torch.cuda.Stream, self._own.stream)

    def _queued(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The result, and whether input and output are finite: both are there once the stream is done."""
        home = images if images.is_cuda else images.contiguous().pin_memory()
        values = home.to(self.device, non_blocking=True)
        in_bytes = images.dtype == torch.uint8
        entered = values.isfinite().all()
        values = values.float().div_(127.5).sub_(1) if in_bytes else values
        values = any_size(self._run, self.sized, values)
        finite = torch.stack([entered, values.isfinite().all()])
        if in_bytes:
            values = values.clamp(-1, 1).add_(1).mul_(127.5).round_().to(torch.uint8)
        values = values.contiguous()
        return (values if images.is_cuda else _sent(values)), _sent(finite)


def _sent(values: Tensor) -> Tensor:
    """`values` on the CPU, once the current stream is done."""
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return host.copy_(values, non_blocking=True)


class _ToFloat(nn.Module):
    """Lets tanh compute in float32: what it takes is rounded to bfloat16, what it makes of that is not."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images).float()


def _prepared(network: nn.Module, device: torch.device, dtype: torch.dtype, layout: torch.memory_format) -> nn.Module:
    changed = rewrite(network)
    if device.type == "cpu" and dtype == torch.float32:
        return changed
    own = copy.deepcopy(changed).to(device).to(memory_format=layout)
    if dtype != torch.float32:
        for module in own.modules():
            # Norms compute in float32 and take their weights so.
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.to(dtype)
        own.head = _ToFloat(cast(nn.Module, own.head))
    return own
