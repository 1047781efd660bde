"""Pieces of a training step: its seed, sums of its scalars, how far weights go."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from translate import distributed


def add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    """Add `more` to `sums`, name by name."""
    for name, value in more.items():
        sums[name] = sums[name] + value if name in sums else value


def parameters_of(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """All parameters that `optimizer` moves."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def together(scalars: dict[str, Tensor]) -> Tensor:
    """`scalars` as one tensor (K,)."""
    return torch.stack([value.detach() for value in scalars.values()])


@torch.no_grad()
def moved(before: list[Tensor], parameters: list[nn.Parameter]) -> Tensor:
    """The length of the way that weights have gone, relative to their own length; `before` is used up."""
    size = nn.utils.get_total_norm(before)
    torch._foreach_sub_(before, [p.detach() for p in parameters])
    return nn.utils.get_total_norm(before) / size.clamp(min=1e-12)


def plain_copy(network: nn.Module) -> nn.Module:
    """A copy without gradients and without the compiled form."""
    memo: dict[int, Any] = {id(p.grad): None for p in network.parameters() if p.grad is not None}
    return copy.deepcopy(network, memo).requires_grad_(False)


def seed_step(seed: int, step: int) -> None:
    """Seed torch's generators for `step` of this process; draws of different steps and processes are unrelated."""
    mixed = (seed * 1_000_003 + step) * 4099 + distributed.rank()
    torch.manual_seed((mixed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**63)
