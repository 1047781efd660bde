"""Engines: ways to run a generator, each the fastest on some machine. One file a way; `make_engine` chooses."""

import torch
from torch import nn

from translate.config import near_miss
from translate.engines.base import Engine
from translate.engines.exported import EXPORTED, open_exported
from translate.engines.extras import installed, require
from translate.engines.int8 import quantise
from translate.engines.precision import choose_precision
from translate.errors import ConfigError

BACKENDS = ("auto", "torch", "openvino", "onnx")
PRECISIONS = ("auto", "fp32", "bf16", "int8")


def make_engine(
    network: nn.Module,
    *,
    device: torch.device,
    backend: str = "torch",
    precision: str = "fp32",
    compile: bool = False,
    streams: int | None = None,
    size: int = 256,
) -> Engine:
    """Make `network`, a generator in the form it is to be used in, ready to run on `device`.

    `backend` auto: OpenVINO on a CPU if it is installed, else torch. `precision` auto: fp32 or bf16, by measuring.
    `compile` (torch only): compile for square images of side `size`; others run uncompiled. `streams`: how many calls
    come at once, each of which then computes with its share of the CPU's threads; None: one, with all threads.
    Raises ConfigError for what contradicts itself or lacks a package, which it names.
    """
    backend = check(backend, precision, device, compile)
    if precision == "int8":
        raise ConfigError("Precision int8 needs images to calibrate with: translate.engines.quantise takes them.")
    if backend == "onnx":
        require("onnx", "onnx", "onnxruntime")
        from translate.engines.onnx_ import onnx_engine

        return onnx_engine(network, device=device, streams=streams)
    chosen = choose_precision(device) if precision == "auto" else precision
    if backend == "openvino":
        require("openvino", "openvino")
        from translate.engines.openvino_ import openvino_engine

        return openvino_engine(network, precision=chosen, streams=streams)
    from translate.engines.pytorch import TorchEngine

    compile_for = size if compile else None
    return TorchEngine(network, device=device, precision=chosen, streams=streams, compile_for=compile_for)


def check(backend: str, precision: str, device: torch.device, compile: bool) -> str:
    """The backend that is meant, auto resolved; raises ConfigError for what is unknown or contradicts itself."""
    for name, given, known in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if given not in known:
            raise ConfigError(f"Unknown {name} {given!r}: {', '.join(known)}.{near_miss(given, known)}")
    if backend == "auto":
        on_cpu = device.type == "cpu" and not compile
        backend = "openvino" if on_cpu and (installed("openvino") or precision == "int8") else "torch"
    _check(backend, precision, device, compile)
    return backend


def _check(backend: str, precision: str, device: torch.device, compile: bool) -> None:
    if backend == "openvino" and device.type != "cpu":
        raise ConfigError(f"Backend openvino computes on the CPU, not on {device}: backend torch does.")
    if precision == "int8":
        if backend != "openvino":
            raise ConfigError(f"Precision int8 needs backend openvino, not {backend}.")
        require("int8", "openvino", "nncf")
    if backend == "onnx" and precision == "bf16":
        raise ConfigError("Backend onnx computes in fp32 only.")
    if compile and backend != "torch":
        raise ConfigError(f"Only backend torch is compiled, not {backend}.")


__all__ = [
    "BACKENDS",
    "EXPORTED",
    "PRECISIONS",
    "Engine",
    "check",
    "choose_precision",
    "make_engine",
    "open_exported",
    "quantise",
]
