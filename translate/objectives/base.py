"""What an adversarial objective is: two players' losses as functions of what the discriminator says."""

from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from translate.errors import ConfigError


class Targets(NamedTuple):
    """Soft labels in [0, 1], 1 for surely real: of the real logits and of the fake ones, one each or one an image."""

    real: Tensor
    fake: Tensor


class Objective(Protocol):
    """Logits have any shape and are averaged; the losses are at least float32.

    It is made without arguments, or with some of its `options`. What a class says of itself:
    `pairs`: `generator` needs the logits of real images too. `default_penalty`: how much of `gradient_penalty` the
    objective's paper gives it. `energy`: D says energies >= 0 of an auto-encoder, and low means real. `targets`: labels
    may be soft. `options`: the constructor's keyword arguments, all of them numbers with defaults.
    An objective with a state is an nn.Module, and its state lies in buffers.
    """

    pairs: ClassVar[bool]
    default_penalty: ClassVar[float]
    energy: ClassVar[bool]
    targets: ClassVar[bool]
    options: ClassVar[tuple[str, ...]]

    def discriminator(self, real: Tensor, fake: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        """Return the terms whose sum D lowers: "real" and "fake", or "pairs" where they cannot be told apart.

        Raises ConfigError if there are `targets` and the objective has no labels.
        """

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return what G lowers."""


def precise(logits: Tensor) -> Tensor:
    """Return `logits` in float32, or float64 if they are that: bfloat16 has 3 digits, too few for a mean."""
    return logits if logits.dtype == torch.float64 else logits.float()


def spread(labels: Tensor, logits: Tensor) -> Tensor:
    """Return `labels`, one each or one an image (N,), in the shape (N, ...) and type of `logits`."""
    return labels.to(logits).view(*labels.shape, *[1] * (logits.ndim - labels.ndim)).expand_as(logits)


def refuse(targets: Targets | None, why: str) -> None:
    """Raise ConfigError if there are `targets`; `why` says what the objective has in place of labels."""
    if targets is not None:
        raise ConfigError(
            f"Soft labels do not go with this objective: {why}. "
            "Leave the labels hard, or use an objective with labels: vanilla, minimax or lsgan."
        )
