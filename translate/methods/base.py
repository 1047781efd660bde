"""What every training method is: a set of networks and the game that trains them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from translate.config import Config, DataSettings, Direction
from translate.data.batch import Batch
from translate.metrics import METRICS
from translate.networks.blocks import translate_any_size


class Turn(NamedTuple):
    """One player's move: the losses whose sum its optimizer should now lower."""

    player: str
    losses: dict[str, Tensor]


class Held(NamedTuple):
    """What a look at held-out images found after so many steps: scores as "direction/metric"."""

    step: int
    scores: dict[str, float]


class Method(nn.Module, ABC):
    """A set of networks and the game that trains them. It never calls backward, steps an optimizer or moves a tensor.

    Random choices inside `step` draw from torch's global generators, which the trainer seeds from (seed, step), so
    that a step is a function of the state it starts from, of its batch and of its number.
    """

    settings: ClassVar[type[Config]]
    source: ClassVar[Literal["paired", "unpaired", "single"]]

    knows_truth: ClassVar[bool] = False
    """Whether single images are their own truth, so that some can be held out."""

    use: ClassVar[str] = "translate convert {run} INPUT OUTPUT"
    """The command that uses a trained run."""

    usual: ClassVar[Mapping[str, Any]] = {}
    """What this method sets otherwise than DataSettings and TrainingSettings, unless it is asked for."""

    direction: Direction = "AtoB"
    """Which of the directions it was made for."""

    channels: tuple[int, int]
    """Channels of domains (A, B), as a user sees them."""

    compilable: bool = True
    """Whether torch.compile can take the networks: not where a loss holds a gradient."""

    notices: tuple[str, ...] = ()
    """What a user should know about how the settings were read, one sentence each."""

    @abstractmethod
    def __init__(self, settings: Any, channels: tuple[int, int], size: int, direction: Direction) -> None:
        """Make the networks for `channels` of domains (A, B) and crops of `size` pixels."""
        super().__init__()

    def plan(self, total: int) -> None:
        """Be told, before the first step, how many there will be."""

    def side(self, data: DataSettings) -> int:
        """The side in pixels of whole images as they should be shown to what was trained on crops of them."""
        return data.size

    @staticmethod
    def unfit(pixels: np.ndarray) -> str:
        """Why nothing can be learned from an image (H, W, C), in an adjective; "" if something can."""
        return ""

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """Make one fresh optimizer a player, over that player's parameters and no others."""

    @abstractmethod
    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        """Play one round on `batch`; `index` counts rounds from 0. The optimizer steps between two turns."""

    @abstractmethod
    def generators(self) -> dict[Direction, nn.Module]:
        """The networks that translate, by direction: what a model file holds and what is averaged over time."""

    def preview(self, batch: Batch, generators: Mapping[Direction, nn.Module]) -> dict[str, Tensor]:
        """Columns of a sample grid, (N, C, H, W) each, made with finished copies of the generators."""
        columns: dict[str, Tensor] = {}
        for direction, generator in generators.items():
            source, target = batch.oriented(direction)
            columns[f"{direction[0]}"] = source
            columns[f"{direction}"] = translate_any_size(generator, source)
            if self.source == "paired":
                columns[f"{direction[-1]} true"] = target
        return columns

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Direction, nn.Module]) -> dict[str, float]:
        """Mean of every metric over held-out images whose truth is known, as "direction/metric"."""
        values: dict[str, list[Tensor]] = {}
        for batch in batches:
            for direction, generator in generators.items():
                source, target = batch.oriented(direction)
                output = translate_any_size(generator, source)
                for name, metric in METRICS.items():
                    values.setdefault(f"{direction}/{name}", []).append(metric(output, target).cpu())
        return {name: float(torch.cat(each).mean()) for name, each in values.items()}

    def quality(self, scores: Mapping[str, float]) -> float:
        """What the best model has most of."""
        return scores[f"{self.direction}/psnr"]

    def looks(self, step: int) -> bool:
        """Whether held-out images should be looked at after `step`, besides when the settings say so."""
        return False

    def over(self, history: Sequence[Held]) -> bool:
        """Whether training should end, judging by all looks at held-out images so far."""
        return False
