"""Initial weights: normal (Radford et al. 2016), xavier (Glorot 2010), kaiming (He 2015), orthogonal (Saxe 2014)."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.conditions import ConditionalNorm

INITIALISATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "normal": lambda weight, gain, generator: nn.init.normal_(weight, 0.0, gain, generator=generator),
    "xavier": lambda weight, gain, generator: nn.init.xavier_normal_(weight, gain, generator=generator),
    "kaiming": lambda weight, gain, generator: nn.init.kaiming_normal_(weight, generator=generator),
    "orthogonal": lambda weight, gain, generator: nn.init.orthogonal_(weight, gain, generator=generator),
}


@runtime_checkable
class OwnInit(Protocol):
    """A network to whose design belongs how its weights are drawn: `initialise` leaves all of it to `draw_weights`."""

    def draw_weights(self, generator: torch.Generator | None) -> None: ...


def initialise(
    network: nn.Module, kind: str = "normal", gain: float = 0.02, generator: torch.Generator | None = None
) -> None:
    """Draw the weights of every convolution afresh; biases become 0, BatchNorm weights N(1, gain).

    `gain` is the deviation for normal and the gain for xavier and orthogonal; kaiming has none. Draws come from
    `generator`, or from torch's own. An `OwnInit` draws its own. Raises ConfigError for an unknown `kind`.
    """
    if kind not in INITIALISATIONS:
        raise ConfigError(f"Unknown init {kind!r}.{near_miss(kind, INITIALISATIONS)}")
    if isinstance(network, OwnInit):
        network.draw_weights(generator)
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
            INITIALISATIONS[kind](module.weight, gain, generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, gain, generator=generator)
        elif isinstance(module, ConditionalNorm):
            nn.init.normal_(module.scale, 1.0, gain, generator=generator)
            nn.init.zeros_(module.shift)
            continue
        else:
            continue
        if not isinstance(module, nn.Embedding) and module.bias is not None:
            nn.init.zeros_(module.bias)
