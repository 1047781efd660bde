"""How steps are executed: device, precision, memory order, compiled or not, as a CUDA graph or not."""

import os
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import nn

from translate import distributed, machine
from translate.config import TrainingSettings
from translate.errors import ConfigError, TrainingError
from translate.methods import Method

WORTH_BF16 = 1e9
"""Operations of a step below which a CPU gains nothing by bf16: casting takes what the products save.

Measured on a Zen 4 core with tiny networks: nothing gained at 3e8, a fifth at 4e9, 1.4 times at 2e10.
"""
WORTH_COMPILING = {"cpu": 1e15, "cuda": 5e16}
"""Operations of a run below which compiling takes longer than it saves.

On a CPU: about 100 s to compile, 8 % saved at 2e11 operations a second. On a GPU: calculated, 100 s to compile, a third
saved at 1.5e14.
"""


@dataclass(frozen=True)
class Execution:
    """What was chosen; `notices` say of what was asked for and cannot be, one sentence each."""

    precision: str
    compile: bool
    graph: bool
    channels_last: bool
    notices: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"precision {self.precision}"]
        parts += ["channels last"] * self.channels_last
        parts += ["compiled"] * self.compile + ["one CUDA graph a step"] * self.graph
        return ", ".join(parts)


def choose(
    settings: TrainingSettings,
    method: Method,
    device: torch.device,
    operations: float,
    steps: int,
    one_size: bool = True,
) -> Execution:
    """Decide by what is asked for, by what `method` and `device` can, and by `operations` a step over all `steps`.

    `one_size`: all batches are of one shape. Each other one would be compiled anew.

    Nothing is decided by the clock: the same run on the same machine is always executed in the same way. Raises
    ConfigError if the method cannot be compiled but should be.
    """
    precision = _precision(settings, method, device, operations)
    compiles, graphs = (part in settings.execution for part in ("compile", "graph"))
    if compiles and not method.compilable:
        raise ConfigError("A gradient penalty cannot be compiled: use --execution eager or auto, or another objective.")
    automatic = settings.execution == "auto" and not settings.deterministic
    if automatic:
        worth = WORTH_COMPILING.get(device.type, float("inf"))
        gains = device.type == "cuda" or (precision == "bf16" and _normalises_instances(method))
        compiles = one_size and method.compilable and gains and operations * steps >= worth
    if settings.execution == "auto":
        graphs = device.type == "cuda" and one_size and method.graphable and distributed.world() == 1
    chosen = Execution(precision, compiles, graphs, False)
    chosen = _possible(chosen, settings, method, device)
    return _ordered(chosen, settings.channels_last, method, device)


def depends_on_work(settings: TrainingSettings, method: Method, device: torch.device) -> bool:
    """Whether what is chosen depends on how many operations a step has."""
    precision = settings.precision == "auto" and device.type == "cpu" and method.takes_bf16 and has_bf16(device)
    return precision or (settings.execution == "auto" and not settings.deterministic and method.compilable)


def _precision(settings: TrainingSettings, method: Method, device: torch.device, operations: float) -> str:
    if settings.precision != "auto":
        return settings.precision
    quick = method.takes_bf16 and has_bf16(device) and (device.type != "cpu" or operations >= WORTH_BF16)
    return "bf16" if quick else "32"


def _possible(chosen: Execution, settings: TrainingSettings, method: Method, device: torch.device) -> Execution:
    """`chosen` without what cannot be here, each with a notice."""
    notices = []
    if chosen.compile and (reason := cannot_compile(device.type)):
        notices.append(f"Not compiled: {reason}.")
        chosen = replace(chosen, compile=False)
    if chosen.graph and (reason := _no_graph(chosen, settings, method, device)):
        notices.append(f"No CUDA graph: {reason}.")
        chosen = replace(chosen, graph=False)
    return replace(chosen, notices=tuple(notices))


def _no_graph(chosen: Execution, settings: TrainingSettings, method: Method, device: torch.device) -> str:
    """Why rounds cannot be recorded, "" if they can."""
    if device.type != "cuda":
        return f"{device.type} has none"
    if not method.graphable:
        return "this method decides things within a step"
    if distributed.world() > 1:
        return "several processes exchange gradients within a step"
    if chosen.precision == "64":
        return "it keeps the learning rate in fp32"
    if settings.checkpointing and any(isinstance(m, nn.Dropout) and m.p > 0 for m in method.modules()):
        return "checkpointing draws dropout a second time"
    return ""


def _ordered(chosen: Execution, asked: bool | None, method: Method, device: torch.device) -> Execution:
    """`chosen` with its order in memory."""
    if device.type == "cpu" and _normalises_instances(method):
        # Seen in torch 2.15: the gradient of one image by F.instance_norm is wrong where what comes from above lies
        # channels last, by more than its own size. Compiled it is right, but torch may give up compiling at any time.
        notice = "Not channels last: on a CPU torch's instance norm has wrong gradients in that order."
        return replace(chosen, notices=(*chosen.notices, notice)) if asked else chosen
    if asked is not None:
        return replace(chosen, channels_last=asked)
    # Eager, instance norm makes copies of what lies so; a CPU gains nothing by it.
    gains = device.type == "cuda" and (chosen.compile or not _normalises_instances(method))
    return replace(chosen, channels_last=chosen.precision == "bf16" and gains)


def _normalises_instances(method: nn.Module) -> bool:
    return any(isinstance(module, nn.InstanceNorm2d) for module in method.modules())


def has_bf16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16 by instructions of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without such instructions a CPU falls back on loops that are slower by orders of magnitude.
    return device.type == "cpu" and torch.backends.mkldnn.is_available() and _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def cannot_compile(kind: str) -> str:
    """Why torch.compile does not work for a device of this `kind`, "" if it does: found by compiling a sum."""
    try:
        torch.compile(lambda one: one + 1, dynamic=False)(torch.zeros(64, device=kind))
    except Exception as error:  # whatever a compiler, its driver or its absence may raise
        return in_short(error)
    return ""


def of_compiler(error: Exception) -> bool:
    """Whether torch's compiler, or one that it calls, has raised `error`."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor", "triton"))


def in_short(error: Exception) -> str:
    """`error` in a line."""
    return f"{type(error).__name__}, {' '.join(str(error).split())[:160]}"


def configure_backends(settings: TrainingSettings, device: torch.device, one_size: bool = True) -> None:
    """Set what holds for the whole process: threads, freed memory, TF32, the GPU in use, deterministic kernels.

    `one_size`: all batches are of one shape, so that it pays to try which kernels are the fastest for it.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if device.type == "cpu":
        machine.keep_freed_memory()
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = settings.tf32
    if device.type == "cuda":
        if device.index is not None:
            torch.cuda.set_device(device)  # events, graphs and their streams belong to the one in use
        if settings.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # warn_only: a layer without a deterministic kernel is named by torch and trains all the same.
        torch.use_deterministic_algorithms(settings.deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = one_size and not settings.deterministic


def choose_device(name: str) -> torch.device:
    """auto: cuda, else mps, else cpu. Raises TrainingError if the device asked for is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(f"Unknown device {name!r}: auto, cpu, cuda, cuda:1, mps.") from None
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not there.get(device.type, False):
        raise TrainingError(f"There is no device {name!r} on this machine; --device auto takes the best there is.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise TrainingError(f"There are {torch.cuda.device_count()} CUDA devices, numbered from 0: no {name!r}.")
    return device
