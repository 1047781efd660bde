"""Presets of --mode dcgan against each other: same pictures, same CPU time, several seeds, KID in the same features."""

import argparse
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from translate import latent
from translate.config import DataSettings, TrainingSettings
from translate.data import ImageDataset, loader, open_split
from translate.data.layout import Layout, Split, detect
from translate.methods import METHODS
from translate.methods.dcgan import Dcgan
from translate.metrics.frechet import frechet_distance
from translate.metrics.kid import kid_interval
from translate.metrics.local_features import local_features
from translate.metrics.prdc import prdc
from translate.metrics.random_features import RandomFeatures
from translate.networks.samplers import Sampler
from translate.settings import resolve
from translate.training.trainer import Trainer

HELD = 1000
LINE = "{:<10}{:>5}{:>8}{:>9}{:>12}{:>22}{:>12}{:>22}{:>11}{:>10}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of pictures; 1,000 of them are held out")
    parser.add_argument("--presets", nargs="+", default=["paper64", "modern"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=300, help="of CPU time to train, a run")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--features", type=Path, help="squeezenet1_1's weights (.safetensors) for KID-squeezenet")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, 1 thread of {os.cpu_count()} cores; {arguments.size} pixels, width "
        f"{arguments.width}, batches of {arguments.batch_size}, {arguments.seconds:g} CPU seconds of training"
    )
    names = ("preset", "seed", "steps", "s/step", "KID-random", "95 %", "KID-squeeze", "95 %", "FD-random", "coverage")
    print(LINE.format(*names))
    for seed in range(arguments.seeds):
        train, held = split(detect(arguments.data, "single"), arguments, seed)
        for preset in arguments.presets:
            print(LINE.format(*measure(preset, seed, train, held, arguments)), flush=True)


def split(layout: Layout, arguments: argparse.Namespace, seed: int) -> tuple[ImageDataset, Tensor]:
    """The pictures to train on, and those held out, (HELD, C, H, W): the same for every seed."""
    found = sorted(source for part in layout.splits.values() for source in part.a)
    random.Random(0).shuffle(found)
    parts = {"test": Split(tuple(found[:HELD])), "train": Split(tuple(found[HELD:]))}
    settings = DataSettings(size=arguments.size, load_size=arguments.size, preprocess="scale_shortest", flip=False)
    whole = Layout(layout.root, layout.name, parts)
    train, test = (open_split(whole, name, "single", settings, seed) for name in ("train", "test"))
    train.prepare()
    test.prepare()
    return train, torch.cat([batch.a for batch in loader.held_out(test, 100)])


def measure(
    preset: str, seed: int, train: ImageDataset, held: Tensor, arguments: argparse.Namespace
) -> Iterator[str | int]:
    asked = {"preset": preset, "size": arguments.size, "width": arguments.width, "width_d": arguments.width}
    asked |= {"batch_size": arguments.batch_size, "steps": 10**6, "seed": seed, "device": "cpu"}
    chosen = resolve("dcgan", "", asked, {})
    torch.manual_seed(seed)
    method = cast(Dcgan, METHODS["dcgan"](chosen.method, (held.shape[1],) * 2, arguments.size, "AtoB"))
    trainer = Trainer(method, cast(TrainingSettings, chosen.training), 10**6, len(train), torch.device("cpu"))
    batches = loader.stream(train, batch_size=arguments.batch_size, seed=seed, workers=0)
    began = time.process_time()
    while time.process_time() - began < arguments.seconds:
        trainer.advance([next(batches)])
    spent = time.process_time() - began
    generator = trainer.finished()["noise"]
    made = torch.cat([samples(generator, range(start, start + 100)) for start in range(0, HELD, 100)])
    yield from (preset, seed, trainer.step, f"{spent / trainer.step:.3f}")
    networks = [RandomFeatures(held.shape[1])] + ([local_features(arguments.features)] if arguments.features else [])
    known = [(described(network, held), described(network, made)) for network in networks]
    for real, fake in known:
        mean, low, high = (float(value) for value in kid_interval(real, fake))
        yield from (f"{mean:.4f}", f"{low:.4f} to {high:.4f}")
    if not arguments.features:
        yield from ("", "")
    yield from (f"{float(frechet_distance(*known[0])):.2f}", f"{float(prdc(*known[-1])['coverage']):.3f}")


@torch.no_grad()
def samples(generator: nn.Module, numbers: range) -> Tensor:
    return generator(latent.draw_each("gaussian", 0, numbers, cast(Sampler, generator).latent))


@torch.no_grad()
def described(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(part) for part in images.split(100)])


if __name__ == "__main__":
    main()
