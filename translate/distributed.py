"""Several processes as one: the only file that knows torch.distributed.

torchrun launches the processes, this file exchanges tensors between them; nothing is wrapped. Every function works
in one process too, where it does nothing. Calls that exchange must be made by all processes, in the same order.
"""

import os
from datetime import timedelta
from typing import Any, Protocol, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from translate.errors import ConfigError

_second: dict[str, Any] = {}
"""The second channel, and the first one that it was opened beside."""


class Sending(Protocol):
    """An exchange under way."""

    def wait(self) -> object:
        """Let what follows on this device come after it."""


def start(device: str, patience: timedelta | None = None) -> tuple[int, int]:
    """Join the processes that torchrun started; return (rank, world), which is (0, 1) without torchrun.

    Tensors on a GPU, which then is the one of torchrun's LOCAL_RANK, go through nccl, those on a CPU through gloo; they
    wait for each other as long as torch does, or `patience`. Raises ConfigError if this process has no GPU of its own.
    """
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return rank(), world()
    if device.startswith("cuda") or (device == "auto" and torch.cuda.is_available()):
        place = int(os.environ.get("LOCAL_RANK", "0"))
        if place >= torch.cuda.device_count():
            raise ConfigError(
                f"Process {place} of this machine has no GPU of its own: there are {torch.cuda.device_count()}. "
                f"Start torchrun with that --nproc-per-node, or add --device cpu."
            )
        torch.cuda.set_device(place)
        # What the processes ask each other every step goes by gloo: the answer must not wait for the GPU.
        both = "cpu:gloo,cuda:nccl"
        dist.init_process_group(both, timeout=patience, device_id=torch.device("cuda", place))
    else:
        dist.init_process_group("gloo", timeout=patience)
    return rank(), world()


def own_device(device: str) -> str:
    """The device of this process, where a launcher started several on one machine."""
    place = os.environ.get("LOCAL_RANK")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return f"cuda:{place}" if place is not None and on_gpu else device


def started() -> bool:
    """Whether this process has joined others, by `start` or by the caller's own doing."""
    return dist.is_available() and dist.is_initialized()


def stop() -> None:
    """Leave the processes."""
    if dist.is_initialized():
        dist.destroy_process_group()
    _second.clear()


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return rank() == 0


def broadcast(module: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if world() == 1:
        return
    for tensor in [*module.parameters(), *module.buffers()]:
        values = tensor.detach().contiguous()
        dist.broadcast(values, src=0)
        tensor.detach().copy_(values)


def second_channel() -> Any:
    """A channel between the processes beside the usual one, for `send_sum`; always the same one.

    Exchanges through it must follow each other in the same order everywhere, but may lie anywhere between the others.
    """
    if _second.get("beside") is not dist.group.WORLD:
        _second.update(beside=dist.group.WORLD, group=dist.new_group())
    return _second["group"]


def send_sum(tensor: Tensor, channel: Any) -> Sending:
    """Begin to replace `tensor` by its sum over the processes; it may be used only after `wait`."""
    return cast(Sending, dist.all_reduce(tensor, group=channel, async_op=True))


def any_true(flag: bool) -> bool:
    """Whether `flag` is true in any process."""
    if world() == 1:
        return flag
    raised = torch.tensor(int(flag), device=_device())
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised.item())


def average(values: list[Tensor]) -> list[Tensor]:
    """Mean of each of `values` (scalars) over the processes, detached, in one exchange."""
    if world() == 1 or not values:
        return [value.detach() for value in values]
    own = values[0].device  # of a GPU they are not fetched one by one
    place = own if own.type == "cuda" else _device()
    together = torch.stack([value.detach().to(place, torch.float64) for value in values])
    dist.all_reduce(together)
    together /= world()
    return [mean.to(value.device, value.dtype) for mean, value in zip(together, values, strict=True)]


def gather(value: Any) -> list[Any]:
    """`value` of every process, in their order."""
    if world() == 1:
        return [value]
    gathered: list[Any] = [None] * world()
    dist.all_gather_object(gathered, value)
    return gathered


def barrier() -> None:
    """Wait until every process has come here."""
    if world() > 1:
        any_true(False)


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Sum of `tensor` over the processes. Gradients flow, of any order: they too are summed over the processes."""
    return tensor if world() == 1 else _Sum.apply(tensor)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def _device() -> torch.device:
    """Where small tensors must lie to be exchanged."""
    if dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")
