"""Scoring held-out images against their known truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from translate.checkpoint import About
from translate.config import Role
from translate.data.batch import Batch
from translate.networks.blocks import per_image_statistics
from translate.training.trainer import Trainer


@dataclass(frozen=True)
class HeldOut:
    """Held-out images: `batches` makes a fresh pass over so many of them; `truth` says that A and B belong together.

    `seen` makes a pass over images that are trained on, as plain as these; None: there are none held out. `count` is
    how many there are; 0: not counted.
    """

    batches: Callable[[int], Iterator[Batch]]
    truth: bool
    seen: Callable[[int], Iterator[Batch]] | None = None
    count: int = 0


def deployed(generators: dict[Role, nn.Module], about: About) -> dict[Role, nn.Module]:
    """The generators as a Translator runs them: see About.statistics."""
    if about.statistics == "image":
        return {direction: per_image_statistics(network) for direction, network in generators.items()}
    return generators


def score(batches: Iterator[Batch], generators: dict[Role, nn.Module], trainer: Trainer) -> dict[str, float]:
    """Scores of the images in `batches`, as "direction/metric"."""
    moved = (batch.to(trainer.device, trainer.dtype, trainer.memory_format) for batch in batches)
    return trainer.method.evaluate(moved, generators)
