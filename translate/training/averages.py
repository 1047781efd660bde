"""The running average of weights, which is smoother than the weights of any step (Yazici et al., ICLR 2019)."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from translate.checkpoint import to_cpu
from translate.config import Role


class Averages:
    """Averages of `networks`, by what they are made from."""

    def __init__(self, networks: Mapping[Role, nn.Module], decay: float) -> None:
        self.decay = decay
        self.networks = copy.deepcopy(dict(networks))

    @torch.no_grad()
    def update(self, networks: Mapping[Role, nn.Module], step: int) -> None:
        """Move towards what `networks` are after `step` steps; buffers are copied as they are."""
        # A short run's average must not be its first weights: the decay warms up, as in Karras et al. 2018's code.
        decay = min(self.decay, (1 + step) / (10 + step))
        for direction, network in networks.items():
            average = self.networks[direction]
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
            for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(buffer)

    def state(self) -> dict[str, Any]:
        return {direction: to_cpu(network.state_dict()) for direction, network in self.networks.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for direction, network in self.networks.items():
            network.load_state_dict(state[direction])
