"""ONNX Runtime (https://onnxruntime.ai), in float32."""

from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from translate.engines.base import Engine, Sized, sized_as
from translate.engines.rewrite import on_cpu, rewrite
from translate.errors import CheckpointError, ConfigError


class ONNXEngine(Engine):
    backend = "onnx"
    precision = "fp32"

    def __init__(self, model: bytes | str, sized: Sized, *, device: torch.device, streams: int | None = None) -> None:
        """`model` is the content of an .onnx file or its path. On CUDA it takes onnxruntime-gpu."""
        super().__init__(sized, device, streams)
        options = _options()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model, options, providers=_providers(device))
        self._names = [[end.name for end in ends] for ends in (self._session.get_inputs(), self._session.get_outputs())]
        self.about = self.phrase()

    def _run(self, images: Tensor) -> Tensor:
        (taken,), given = self._names
        output: Any = self._session.run(given, {taken: images.cpu().contiguous().numpy()})[0]
        return torch.from_numpy(output)


def onnx_engine(network: nn.Module, *, device: torch.device, streams: int | None) -> ONNXEngine:
    from translate.engines.onnx_graph import to_onnx

    sized = sized_as(network)
    return ONNXEngine(to_onnx(rewrite(on_cpu(network)), sized.channels), sized, device=device, streams=streams)


def read_metadata(path: Path) -> dict[str, str]:
    """What an .onnx file says of itself; raises CheckpointError."""
    options = _options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common root
        raise CheckpointError(f"{path} is not an ONNX model, or is damaged: {error}") from None
    return session.get_modelmeta().custom_metadata_map


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return options


def _providers(device: torch.device) -> list[Any]:
    if device.type == "cpu":
        return ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": device.index or 0}), "CPUExecutionProvider"]
    raise ConfigError(f"This onnxruntime computes on the CPU only, not on {device}: `pip install onnxruntime-gpu`.")
