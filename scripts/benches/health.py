"""Whether faults of training are named and healthy runs left alone, on five seeds; and what watching costs."""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import translate
from translate import images, rounds
from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.data.drawn import make
from translate.errors import TrainingError
from translate.health import history
from translate.methods import METHODS
from translate.training import trainer as trainer_module
from translate.training.trainer import UPDATE_EVERY, Trainer
from translate.validation import HeldOut
from translate.watch import Watch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from faults import FAULTS, HELD, OBJECTIVES, Fault, as_batch, one_by_one, save, shapes, watch_dcgan

TRANSLATORS = {
    "pix2pix": ("drawn-facades", {"batch_size": 4, "width": 16, "width_d": 16, "dropout": 0.0}),
    "cycle": ("drawn-seasons", {"batch_size": 1, "width": 8, "blocks": 2, "width_d": 8}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="train on these photographs, not on drawn shapes")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1000, help="of a healthy run; a faulty one has 300")
    parser.add_argument("--objectives", nargs="*", default=list(OBJECTIVES), choices=list(OBJECTIVES))
    parser.add_argument("--parts", nargs="*", default=["faults", "healthy", "translators"])
    parser.add_argument("--overhead", action="store_true", help="measure only what a watched step costs")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, one thread", flush=True)
    if arguments.overhead:
        overhead()
        return
    with tempfile.TemporaryDirectory() as folder:
        if "faults" in arguments.parts:
            faulty(Path(folder), arguments)
        if "healthy" in arguments.parts:
            healthy(Path(folder), arguments)
        if "translators" in arguments.parts:
            translators(Path(folder), arguments)


def faulty(folder: Path, arguments: argparse.Namespace) -> None:
    """Of each fault: in how many runs of 300 steps it is named, and what else is said."""
    for seed in arguments.seeds:
        print(f"{'not finite':<20}{'vanilla':<18}seed {seed}  {not_finite(folder, arguments, seed)}", flush=True)
    for name, fault in FAULTS.items():
        for objective in arguments.objectives:
            for seed in arguments.seeds:
                told = _watched(folder, arguments, objective, seed, 300, fault)
                right = next((step for step, verdict in told if verdict in fault.named), None)
                said = "missed" if right is None else f"named at step {right}"
                print(f"{name:<20}{objective:<18}seed {seed}  {said:<20}{_listed(told)}", flush=True)


def healthy(folder: Path, arguments: argparse.Namespace) -> None:
    """Of each objective: false alarms in runs without a fault."""
    for objective in arguments.objectives:
        for seed in arguments.seeds:
            told = _watched(folder, arguments, objective, seed, arguments.steps, None)
            said = "FALSE ALARM" if told else "healthy"
            print(f"{'none':<20}{objective:<18}seed {seed}  {said:<20}{_listed(told)}", flush=True)


def _watched(
    folder: Path, arguments: argparse.Namespace, objective: str, seed: int, steps: int, fault: Fault | None
) -> list[tuple[int, str]]:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        watched = watch_dcgan(
            Path(own),
            _images(arguments, seed),
            fault=fault,
            seed=seed,
            steps=steps,
            width=arguments.width,
            batch_size=arguments.batch,
            settings=OBJECTIVES[objective],
        )
    return [(step, verdict.name) for step, verdict in watched.found]


def _listed(told: list[tuple[int, str]]) -> str:
    return ", ".join(f"{name} ({step})" for step, name in told)


def _images(arguments: argparse.Namespace, seed: int) -> torch.Tensor:
    if not arguments.photos:
        return shapes(2000 + HELD, arguments.size, seed)
    found = images.list_images(arguments.photos)[: 2000 + HELD]
    side = (arguments.size, arguments.size)
    pixels = torch.stack([images.to_tensor(images.read(path).pixels) for path in found])
    mixed = np.random.default_rng(seed).permutation(len(pixels))
    return torch.nn.functional.interpolate(pixels, side, mode="area")[mixed]


def not_finite(folder: Path, arguments: argparse.Namespace, seed: int) -> str:
    """Train by `translate fit`, with one value of batch 100 not finite; says what health.jsonl tells of it."""
    honest = rounds.stream

    def poisoned(*given: object, **named: object) -> Iterator[Batch]:
        for index, batch in enumerate(honest(*given, **named)):  # type: ignore[arg-type]
            if index == 100:
                batch.a[0, 0, 0, 0] = float("nan")
            yield batch

    pictures = save(folder / f"pictures{seed}", shapes(64, 16, seed))
    own = {"size": 16, "width": 8, "width_d": 8, "batch_size": 16, "workers": 0, "device": "cpu"}
    try:
        with mock.patch.object(rounds, "stream", poisoned):
            translate.fit(pictures, mode="dcgan", out=folder, seed=seed, steps=300, quiet=True, **own)
    except TrainingError:
        last = history.read(folder / f"{pictures.name}-dcgan")[-1]
        return f"{last['verdict']} at step {last['step']}: {last['cause'][:60]}"
    return "missed"


def translators(folder: Path, arguments: argparse.Namespace) -> None:
    """False alarms in short healthy runs of the translators on the drawn data sets."""
    for mode, (name, own) in TRANSLATORS.items():
        root = make(name, folder / name, size=64)
        for seed in arguments.seeds:
            run = translate.fit(
                root, mode=mode, out=folder, name=f"{mode}{seed}", seed=seed, size=64, steps=arguments.steps,
                sample_every=0, validate_every=0, device="cpu", threads=1, quiet=True, **own,
            )  # fmt: skip
            told = [(change.step, change.verdict) for change in history.changes(history.read(run))]
            told = [(step, verdict) for step, verdict in told if verdict != "healthy"]
            said = "FALSE ALARM" if told else "healthy"
            print(f"{'none':<20}{mode:<18}seed {seed}  {said:<20}{_listed(told)}", flush=True)


def overhead(turns: int = 6, steps: int = 25) -> None:
    """What watching adds to a step of paper64 at 64 pixels, in processor time, by turns; and what a look costs.

    All that is watched for counts: signs, how far weights moved, sums, and the verdict that ends each turn.
    """
    training = TrainingSettings.checked({"steps": 10**6, "probe_every": 0})
    kind = METHODS["dcgan"]
    torch.manual_seed(0)
    method = kind(kind.settings.checked({}), (3, 3), 64, "AtoB")
    trainer = Trainer(method, training, training.steps or 1, 100, torch.device("cpu"))
    held = shapes(method.probe_images, 64)
    held_out = HeldOut(lambda most: one_by_one(held[:most]), True, lambda most: one_by_one(held[:most]))
    judge = method.judge
    honest = judge.signals
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder), trainer, training, held_out, trainer.finished)
        images_ = as_batch(shapes(16, 64, 1))
        trainer.advance([images_])
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(turns):
            for watched in (True, False):
                judge.signals = honest if watched else lambda *_: {}
                began = time.process_time()
                with mock.patch.object(trainer_module, "UPDATE_EVERY", UPDATE_EVERY if watched else 10**9):
                    for count in range(1, steps + 1):
                        scalars = trainer.advance([images_])
                        if watched:
                            watch.after_step(count, scalars)
                seconds[watched].append((time.process_time() - began) / steps)
        plain = statistics.median(seconds[False])
        more = statistics.median(a - b for a, b in zip(seconds[True], seconds[False], strict=True))
        print(f"a step of paper64 at 64 pixels, batch 16: {plain * 1e3:.1f} ms; watched {more / plain:+.2%}")
        watch.settings = TrainingSettings.checked({"probe_every": 25})
        began = time.process_time()
        watch._probe(25)
        probe = time.process_time() - began
        print(f"a look at {method.probe_images} images: {probe:.2f} s, {probe / plain / 250:.2%} of 250 such steps")


if __name__ == "__main__":
    main()
