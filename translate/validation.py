"""Scoring held-out images against their known truth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from translate.checkpoint import About
from translate.config import Direction
from translate.data.batch import Batch
from translate.metrics import METRICS
from translate.networks.blocks import per_image_statistics, translate_any_size
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
    """Mean of every metric over at most `most` images, as "direction/metric"."""
    sums: dict[str, list[Tensor]] = {}
    seen = 0
    for batch in batches:
        moved = batch.to(trainer.device, trainer.dtype, trainer.memory_format)
        for direction, network in generators.items():
            source, target = moved.oriented(direction)
            output = translate_any_size(network, source)
            for name, metric in METRICS.items():
                sums.setdefault(f"{direction}/{name}", []).append(metric(output, target).cpu())
        seen += len(batch.files)
        if seen >= most:
            break
    return {name: float(torch.cat(values)[:most].mean()) for name, values in sums.items()}
