"""Held-out PSNR of pix2pix and cycle on the built-in data sets, above copying the input, with seconds."""

import argparse
import os
import tempfile
import time
from pathlib import Path

import torch

import translate
from translate.config import DataSettings
from translate.data import loader, open_split
from translate.data.drawn import DRAWN, make
from translate.data.layout import detect
from translate.metrics import METRICS

JOBS = {
    "pix2pix": ("drawn-facades", {"batch_size": 4, "width": 32, "width_d": 32, "dropout": 0.0, "steps": 1200}),
    "cycle": ("drawn-seasons", {"batch_size": 1, "width": 16, "blocks": 3, "width_d": 16, "steps": 3000}),
}
WANTED = {"pix2pix": 6.0, "cycle": 3.0}
KIND = {"pix2pix": "paired", "cycle": "unpaired"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modes", nargs="*", metavar="MODE", help=f"of {', '.join(JOBS)}; default: all")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores, {arguments.size} pixels, device {arguments.device}")
    print(
        f"{'mode':<9}{'data':<15}{'direction':<11}{'copy dB':>9}{'ours dB':>9}{'gain dB':>9}{'wanted':>8}{'seconds':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for mode in arguments.modes or JOBS:
            measure(mode, Path(folder), arguments)


def measure(mode: str, folder: Path, arguments: argparse.Namespace) -> None:
    name, chosen = JOBS[mode]
    assert name in DRAWN
    root = make(name, folder / name, size=arguments.size, seed=arguments.seed)
    began = time.perf_counter()
    run = translate.fit(
        root,
        mode=mode,
        out=folder / "checkpoints",
        size=arguments.size,
        seed=arguments.seed,
        device=arguments.device,
        sample_every=0,
        validate_every=0,
        quiet=True,
        **chosen,
    )
    seconds = time.perf_counter() - began
    translator = translate.load(run, arguments.device)
    settings = DataSettings(size=arguments.size)
    test = open_split(detect(root, KIND[mode]), "test", KIND[mode], settings, 0)
    test.prepare()
    for direction in translator.directions:
        copied, ours = [], []
        for batch in loader.held_out(test, 1):
            source, target = batch.oriented(direction)
            copied.append(METRICS["psnr"](source, target))
            ours.append(METRICS["psnr"](translator(source, direction), target))
        copy, our = float(torch.cat(copied).mean()), float(torch.cat(ours).mean())
        print(
            f"{mode:<9}{name:<15}{direction:<11}{copy:>9.2f}{our:>9.2f}{our - copy:>9.2f}"
            f"{WANTED[mode]:>8.1f}{seconds:>9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
