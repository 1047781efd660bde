"""What every training method is: a set of networks and the game that trains them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from translate.config import Config, DataSettings, Direction, Role
from translate.data.batch import Batch
from translate.grid import draw_grid
from translate.images import Picture
from translate.methods.set_scores import gap, luminance, translation_scores
from translate.metrics import METRICS
from translate.networks.blocks import translate_any_size


class Turn(NamedTuple):
    """One player's move: the losses whose sum its optimizer should now lower.

    `signals` are scalars that say how the game stands, for the log and the health of training. `skip` is told the
    losses' sum, over all batches and processes, once a step, and may have the optimizer sit this turn out.
    """

    player: str
    losses: dict[str, Tensor]
    signals: Mapping[str, Tensor] = MappingProxyType({})
    skip: Callable[[float], bool] | None = None


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

    any_size: ClassVar[bool] = True
    """Whether whole images of any size can be trained on."""

    knows_truth: ClassVar[bool] = False
    """Whether held-out images can be scored without partners; some of a single folder are then held out."""

    use: ClassVar[str] = "translate convert {run} INPUT OUTPUT"
    """The command that uses a trained run."""

    again: ClassVar[str] = "translate fit {dataset} --mode {mode} --out {out} --name {name} --resume"
    """The command that goes on with a stopped run; it may name the method's settings too."""

    usual: ClassVar[Mapping[str, Any]] = {}
    """What this method sets otherwise than DataSettings and TrainingSettings, unless it is asked for."""

    @classmethod
    def usually(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
        """`usual`, where it depends on settings that were `chosen`, flat by name and not yet checked."""
        return cls.usual

    @classmethod
    def suited(cls, settings: Any) -> type["Method"]:
        """The class that plays with `settings`: a method may have one for each kind of data."""
        return cls

    @staticmethod
    def models(settings: Any) -> Mapping[str, Path]:
        """Trained models to learn from, run folders or files, by the keyword that hands each over once it is loaded."""
        return {}

    guarded: ClassVar[frozenset[str]] = frozenset()
    """Settings that may change when a run is resumed: what they lead to is checked then, by the extra state."""

    in_colour: ClassVar[bool] = False
    """Whether grey images are taken as three equal channels."""

    direction: Direction = "AtoB"
    """Which of the directions it was made for."""

    channels: tuple[int, int]
    """Channels of domains (A, B), as a user sees them."""

    compilable: bool = True
    """Whether torch.compile can take the networks: not where a loss holds a gradient."""

    takes_bf16: bool = False
    """Whether bf16 is known to train it as well as fp32 does, so that it may be chosen unasked."""

    graphable: bool = False
    """Whether a round can be recorded once and replayed: nothing in it looks at a value, and of `index` it depends on
    `variant` alone.
    """

    notices: tuple[str, ...] = ()
    """What a user should know about how the settings were read, one sentence each."""

    @abstractmethod
    def __init__(self, settings: Any, channels: tuple[int, int], size: int, direction: Direction) -> None:
        """Make the networks for `channels` of domains (A, B) and crops of `size` pixels."""
        super().__init__()

    def begin(self, images: Callable[[int], Iterator[Batch]]) -> None:
        """Be shown up to so many training images, spread over their folders, one a batch, before all else."""

    def plan(self, total: int) -> None:
        """Be told, before the first step, how many there will be."""

    def side(self, data: DataSettings) -> int:
        """The side in pixels of whole images as they should be shown to what was trained on crops of them."""
        return data.size

    @staticmethod
    def settled(settings: Any) -> Any:
        """`settings` as a run keeps them: without what depends on the folder or the day that it goes on from."""
        return settings

    @staticmethod
    def unfit(pixels: np.ndarray) -> str:
        """Why nothing can be learned from an image (H, W, C), in an adjective; "" if something can."""
        return ""

    @staticmethod
    def label_file(settings: Any) -> Path | None:
        """The CSV file that says what class each image is of; None: the folders say it."""
        return None

    @staticmethod
    def labelled(settings: Any) -> bool:
        """Whether images come with their class; the method is then made with the keyword `labels`, their names."""
        return False

    def described(self) -> dict[str, Any]:
        """What a model file has to say of it besides what fit knows, by fields of checkpoint.About."""
        return {}

    def compile_networks(self) -> None:
        """Have torch.compile take what is called in training."""
        for network in self.children():
            network.compile(dynamic=False)

    def leave_plain(self) -> None:
        """Take back what compile_networks did."""
        for module in self.modules():
            module._compiled_call_impl = None

    def variant(self, index: int) -> Hashable:
        """What kind of round number `index` is, where not all do the same."""
        return None

    @abstractmethod
    def optimizers(self) -> dict[str, Optimizer]:
        """Make one fresh optimizer a player, over that player's parameters and no others."""

    @abstractmethod
    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        """Play one round on `batch`; `index` counts rounds from 0. The optimizer steps between two turns."""

    @abstractmethod
    def generators(self) -> dict[Role, nn.Module]:
        """The networks that make images, by what from: what a model file holds and what is averaged over time."""

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        """Columns of a sample grid, (N, C, H, W) each, made with finished copies of the generators."""
        columns: dict[str, Tensor] = {}
        for direction, source, output, target in self.translated(batch, generators):
            columns[f"{direction[0]}"] = source
            columns[f"{direction}"] = output
            if self.source == "paired":
                columns[f"{direction[-1]} true"] = target
        return columns

    def translated(
        self, batch: Batch, generators: Mapping[Role, nn.Module]
    ) -> Iterator[tuple[Direction, Tensor, Tensor, Tensor]]:
        """What `generators` make of `batch`: direction, input, output, and the target domain's images."""
        for role, generator in generators.items():
            if role != "noise":
                source, target = batch.oriented(role)
                yield role, source, translate_any_size(generator, source), target

    def picture(self, batches: Sequence[Batch], generators: Mapping[Role, nn.Module]) -> Picture:
        """A sheet of samples for people to look at; by default one row a batch, of its first image."""
        columns = [self.preview(batch, generators) for batch in batches]
        return draw_grid([{name: tensor[0] for name, tensor in row.items()} for row in columns])

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        """Mean of every metric over held-out images whose truth is known, as "direction/metric"."""
        values: dict[str, list[Tensor]] = {}
        for batch in batches:
            for direction, _, output, target in self.translated(batch, generators):
                for name, metric in METRICS.items():
                    values.setdefault(f"{direction}/{name}", []).append(metric(output, target).cpu())
        return {name: float(torch.cat(each).mean()) for name, each in values.items()}

    probe_images: ClassVar[int] = 16
    """How many images a look at the health of training takes."""

    def probe(
        self, seen: Sequence[Batch], held: Sequence[Batch], generators: Mapping[Role, nn.Module]
    ) -> dict[str, float]:
        """Signs of health that fixed inputs show: `seen` are images trained on, `held` are held out.

        For translators: do outputs depend on inputs, is light kept, is there a checkerboard. For all whose
        discriminator can be asked: the gap of its answers between `seen` and `held`, the widest of several.
        """
        pairs: dict[str, list[tuple[Tensor, Tensor]]] = {}
        truths: dict[str, list[tuple[Tensor, Tensor]]] = {}
        for batch in held:
            for direction, source, output, target in self.translated(batch, generators):
                pairs.setdefault(direction, []).append((source, output))
                if self.source == "paired":
                    truths.setdefault(direction, []).append((source, target))
        found = {
            f"{name}_{way}": value for way, each in pairs.items() for name, value in translation_scores(each).items()
        }
        found |= {f"luminance_truth_{way}": luminance(each) for way, each in truths.items()}
        known, fresh = (list(zip(*map(self.answers, batches), strict=True)) for batches in (seen, held))
        gaps = [gap(torch.cat(one), torch.cat(other)) for one, other in zip(known, fresh, strict=False)]
        return found | max(gaps, key=lambda each: each["gap"], default={})

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        """Each discriminator's mean answer on the real images of `batch`, (N,), high for real."""
        return ()

    def quality(self, scores: Mapping[str, float]) -> float:
        """What the best model has most of."""
        return scores[f"{self.direction}/psnr"]

    def looks(self, step: int) -> bool:
        """Whether held-out images should be looked at after `step`, besides when the settings say so."""
        return False

    def over(self, history: Sequence[Held]) -> bool:
        """Whether training should end, judging by all looks at held-out images so far."""
        return False
