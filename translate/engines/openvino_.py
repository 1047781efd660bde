"""OpenVINO (https://docs.openvino.ai): the fastest way on most CPUs, in float32, bfloat16 or int8."""

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openvino as ov
import torch
from torch import Tensor, nn

from translate.engines.base import Engine, Sized, sized_as
from translate.engines.openvino_graph import to_openvino
from translate.engines.rewrite import on_cpu, rewrite
from translate.errors import NotFiniteError

KERNELS = 64
"""How many made for one size of image are kept, by each stream: by default so many that sizes add up to gigabytes."""


class OpenVINOEngine(Engine):
    backend = "openvino"

    def __init__(self, model: Any, sized: Sized, *, precision: str, hint: str = "", streams: int | None = None) -> None:
        """`model` is an ov.Model; `hint` the precision of what an int8 model leaves unquantised."""
        super().__init__(sized, torch.device("cpu"), streams)
        self.precision = precision
        names = {"fp32": "f32", "bf16": "bf16"}
        self._compiled = _in_a_thread(
            ov.Core().compile_model,
            model,
            "CPU",
            {
                "NUM_STREAMS": self.streams,
                "INFERENCE_NUM_THREADS": self.streams * self.threads,
                "INFERENCE_PRECISION_HINT": names[hint or precision],
                "ENABLE_CPU_PINNING": False,  # the readers and writers of images share the processor
                "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
            },
        )
        # A request takes one image at a time. As many are made as calls come at once.
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.about = self.phrase()

    def _run(self, images: Tensor) -> Tensor:
        try:
            request = self._requests.get_nowait()
        except queue.Empty:
            request = self._compiled.create_infer_request()
        try:
            request.infer([ov.Tensor(images.contiguous().numpy(), shared_memory=True)])
            # A copy: the next call with this request overwrites what this one gave.
            return torch.from_numpy(request.get_output_tensor(0).data.copy())
        finally:
            self._requests.put(request)


def openvino_engine(network: nn.Module, *, precision: str, streams: int | None) -> OpenVINOEngine:
    """An engine of `network`, whose tensors must stay as they are."""
    # Its ReLU turns NaN into 0: the output would not tell.
    if not all(tensor.sum().isfinite() for tensor in network.state_dict().values()):
        raise NotFiniteError("the model's weights are not finite: it was saved after its training had failed.")
    sized = sized_as(network)
    model = to_openvino(rewrite(on_cpu(network)), sized.channels[0])
    return OpenVINOEngine(model, sized, precision=precision, streams=streams)


def _in_a_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` in a thread of its own.

    Compiling an int8 model gives the thread another stack for signal handlers, and dropping the model gives back the
    one before: of two models dropped in the order they were made, the main thread would keep one that is gone, and the
    next signal would end the process.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()
