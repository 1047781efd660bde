"""Games that go wrong on purpose, and ones that do not: a small DCGAN on drawn shapes or on given images, watched."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.health import Verdict
from translate.images import Picture, write
from translate.methods import METHODS
from translate.training.trainer import Trainer
from translate.validation import HeldOut
from translate.watch import Watch

HELD = 64
"""Images held out, and as many trained on that are looked at."""

OBJECTIVES: dict[str, dict[str, Any]] = {
    "vanilla": {},
    "lsgan": {"objective": "lsgan"},
    "hinge": {"objective": "hinge"},
    "wgan+gp": {"objective": "wgan", "norm_d": "instance", "n_critic": 2},
    "relativistic+r1": {"objective": "relativistic", "r1": 1.0},
}


class Fault(NamedTuple):
    """What is done to the images shown and to a trainer before its first step; `named`: verdicts that are right."""

    named: tuple[str, ...]
    trainer: Callable[[Trainer], object] = lambda trainer: None
    images: Callable[[Tensor], Tensor] = lambda images: images
    most: int | None = None


def _faster(trainer: Trainer) -> None:
    trainer.rates["D"] *= 25


def _frozen(trainer: Trainer) -> None:
    trainer.optimizers["D"].step = lambda *_: None  # type: ignore[method-assign]


def _swapped(trainer: Trainer) -> None:
    objective = trainer.method.judge.objective
    honest = objective.discriminator
    objective.discriminator = lambda real, fake, targets=None: honest(fake, real)


def _constant(trainer: Trainer) -> None:
    for generator in trainer.method.generators().values():
        generator.register_forward_hook(lambda module, given, made: 0 * made + 0.3)


def _dead(trainer: Trainer) -> None:
    for parameter in trainer.method.discriminator.parameters():
        parameter.data.zero_()


FAULTS = {
    "D's rate x 25": Fault(("saturated discriminator", "oscillating", "exploding"), trainer=_faster),
    "D frozen": Fault(("frozen discriminator",), trainer=_frozen),
    "labels exchanged": Fault(("inverted",), trainer=_swapped),
    "G constant": Fault(("collapse",), trainer=_constant),
    "D dead": Fault(("dead discriminator",), trainer=_dead),
    "ten images": Fault(("overfitted discriminator",), most=10),
    "images in [0, 1]": Fault(("wrong range",), images=lambda images: (images + 1) / 2),
}
"""Faults that need no run folder; a batch that is not finite is the eighth."""


class Watched(NamedTuple):
    """Verdicts with the step at which each began, "healthy" left out; `folder` holds health.jsonl."""

    found: list[tuple[int, Verdict]]
    folder: Path

    @property
    def names(self) -> list[str]:
        return [verdict.name for _, verdict in self.found]


def shapes(count: int, side: int, seed: int = 0) -> Tensor:
    """Coloured discs and squares on coloured grounds, (count, 3, side, side) in [-1, 1]."""
    drawn = np.empty((count, side, side, 3), np.float32)
    for index, image in enumerate(drawn):
        rng = np.random.default_rng((seed, index))
        image[:] = rng.uniform(-1, 0.3, 3)
        mask = np.zeros((side, side), np.uint8)
        x, y = (int(place) for place in rng.integers(side // 4, 3 * side // 4, 2))
        radius = int(rng.integers(side // 6, side // 3))
        if rng.random() < 0.5:
            cv2.circle(mask, (x, y), radius, 1, -1)
        else:
            cv2.rectangle(mask, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
        image[mask > 0] = rng.uniform(0, 1, 3)
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()


def save(folder: Path, drawn: Tensor) -> Path:
    """Write images (N, 3, S, S) in [-1, 1] as PNG."""
    folder.mkdir(parents=True)
    for index, image in enumerate(drawn):
        pixels = ((image.permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        write(folder / f"{index:04d}.png", Picture(pixels))
    return folder


def watch_dcgan(
    folder: Path,
    images: Tensor,
    *,
    fault: Fault | None = None,
    seed: int = 0,
    steps: int = 300,
    width: int = 8,
    batch_size: int = 16,
    probe_every: int = 125,
    settings: Mapping[str, Any] | None = None,
) -> Watched:
    """Train on `images` (N, 3, S, S) in [-1, 1], the last HELD of them held out, and see what the watch says."""
    torch.manual_seed(seed)
    kind = METHODS["dcgan"]
    chosen = kind.settings.checked({"width": width, "width_d": width} | dict(settings or {}))
    method = kind(chosen, (3, 3), images.shape[-1], "AtoB")
    method.probe_images = HELD  # type: ignore[misc]
    shown = fault.images(images) if fault else images
    known, held = shown[:-HELD], shown[-HELD:]
    known = known[: fault.most] if fault else known
    training = TrainingSettings.checked(
        {"steps": steps, "seed": seed, "schedule": "constant", "probe_every": probe_every}
    )
    trainer = Trainer(method, training, steps, max(len(known) // batch_size, 1), torch.device("cpu"))
    if fault:
        fault.trainer(trainer)
    return play(folder, trainer, training, known, held, batch_size)


def play(
    folder: Path, trainer: Trainer, training: TrainingSettings, known: Tensor, held: Tensor, batch_size: int
) -> Watched:
    """Take all steps on random batches of `known`, with a Watch."""
    held_out = HeldOut(lambda most: one_by_one(held[:most]), True, lambda most: one_by_one(known[:most]))
    watch = Watch(folder, trainer, training, held_out, trainer.finished)
    draws = torch.Generator().manual_seed(training.seed)
    found = []
    while trainer.step < trainer.total:
        chosen = torch.randint(len(known), (batch_size,), generator=draws)
        scalars = trainer.advance([as_batch(known[chosen])])
        if verdict := watch.after_step(trainer.step, scalars):
            found.append((trainer.step, verdict))
    return Watched([(step, verdict) for step, verdict in found if not verdict.healthy], folder)


def one_by_one(images: Tensor) -> Iterator[Batch]:
    return (as_batch(image[None]) for image in images)


def as_batch(images: Tensor) -> Batch:
    return Batch(images, None, tuple(f"image {index}" for index in range(len(images))))
