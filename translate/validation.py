"""Scoring held-out images against their known truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from translate.checkpoint import About
from translate.config import Direction
from translate.data.batch import Batch
from translate.networks.blocks import per_image_statistics
from translate.trainer import Trainer


@dataclass(frozen=True)
class HeldOut:
    """Held-out images: `batches` makes a fresh pass; `truth` says that A and B of a batch belong together."""

    batches: Callable[[], Iterator[Batch]]
    truth: bool


def deployed(generators: dict[Direction, nn.Module], about: About) -> dict[Direction, nn.Module]:
    """The generators as a Translator runs them: see About.statistics."""
    if about.statistics == "image":
        return {direction: per_image_statistics(network) for direction, network in generators.items()}
    return generators


def score(
    batches: Iterator[Batch], generators: dict[Direction, nn.Module], trainer: Trainer, most: int
) -> dict[str, float]:
    """Scores of about `most` images (as many batches as hold them), as "direction/metric"."""

    def moved() -> Iterator[Batch]:
        seen = 0
        for batch in batches:
            yield batch.to(trainer.device, trainer.dtype, trainer.memory_format)
            seen += len(batch.files)
            if seen >= most:
                return

    return trainer.method.evaluate(moved(), generators)
