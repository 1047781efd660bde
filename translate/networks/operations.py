"""How many operations a generator's pictures take, and what its stages are, without computing any."""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from translate.networks.blocks import Generator, mirrored_to_fit


class Stage(NamedTuple):
    """A part of a network: its name, and the shape (channels, height, width) of what it makes of one image."""

    name: str
    channels: int
    height: int
    width: int


def count_operations(network: nn.Module, size: int) -> int:
    """Multiplications and additions of `network` for one image of `size` x `size`, counted apart (1 MAC is 2)."""
    with FlopCounterMode(display=False) as counter:
        _run_on_meta(copy.deepcopy(network).to("meta"), size)
    return counter.get_total_flops()


def stages(network: nn.Module, size: int) -> list[Stage]:
    """The parts that `network` is made of, those of its lists one by one, as they follow for `size` x `size`."""
    network = copy.deepcopy(network).to("meta")
    found: list[Stage] = []
    for name, part in network.named_children():
        parts = {f"{name}.{place}": each for place, each in part.named_children()}
        for full, each in (parts if isinstance(part, nn.ModuleList) else {name: part}).items():
            each.register_forward_hook(_noting(found, full))
    _run_on_meta(network, size)
    return found


def observed(network: nn.Module, names: Sequence[str], images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What `network` makes of `images`, and what its parts `names` gave on the way, in the order of computing."""
    seen: list[Tensor] = []
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda part, given, made: seen.append(made)) for name in names
    ]
    try:
        return network(images), seen
    finally:
        for hook in hooks:
            hook.remove()


def _noting(found: list[Stage], name: str) -> Callable[..., None]:
    return lambda part, given, made: found.append(Stage(name, *made.shape[1:]))


def _run_on_meta(network: nn.Module, size: int) -> None:
    channels = cast(Generator, network).arguments["in_channels"]
    with torch.no_grad():
        network.eval()(mirrored_to_fit(network, torch.zeros(1, channels, size, size, device="meta")))
