"""How many operations a step of training takes, counted without computing it.

A multiplication and an addition are two operations. Products of matrices and convolutions count, forward and backward;
what goes through an image value by value does not.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from translate.data.batch import Batch
from translate.methods import Method

Shape = Callable[[Tensor], Tensor]


def count_step(method: Method, batch: Batch, index: int = 0) -> float:
    """Operations of round `index` of `method` on `batch`, which lies on the CPU as it does; nothing of it changes.

    Shapes alone go through the round, unless the method must look at values: then it is computed, on a copy.
    """
    with suppress(RuntimeError):  # what torch raises where a shape is asked for its values
        return _counted(method, batch, index, _without_values)
    with suppress(RuntimeError):  # fake tensors go together with others, but take seconds to import
        return _counted(method, batch, index, _fake())
    return _counted(method, batch, index, Tensor.clone)


def _without_values(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def _fake() -> Shape:
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode(allow_non_fake_inputs=True).from_tensor


def _counted(method: Method, batch: Batch, index: int, shape: Shape) -> float:
    memo: dict[int, Any] = {id(p): nn.Parameter(shape(p.detach()), p.requires_grad) for p in method.parameters()}
    memo |= {id(buffer): shape(buffer) for buffer in method.buffers()}
    players = {
        name: [memo[id(p)] for group in optimizer.param_groups for p in group["params"]]
        for name, optimizer in method.optimizers().items()
    }
    shadow = copy.deepcopy(method, memo).train()
    given = batch.to(torch.device("cpu"), next(method.parameters()).dtype, torch.contiguous_format)
    a, b, labels = (None if part is None else shape(part) for part in (given.a, given.b, given.labels))
    # Only what follows from these is a shape: what is drawn on the way has values, and must not change later draws.
    with torch.random.fork_rng(devices=[]), _Counter() as counter:
        for turn in shadow.step(Batch(cast(Tensor, a), b, batch.files, labels), index):
            torch.stack(list(turn.losses.values())).sum().backward(inputs=players[turn.player])
    return counter.operations


class _Counter(TorchDispatchMode):
    """Counts what passes. torch's own FlopCounterMode keeps a tree of modules, at which a penalty's gradient fails."""

    operations = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count:
            self.operations += count(*args, **(kwargs or {}), out_val=found)
        return found
