"""Teachers and their students on a CPU: quality on held-out images, and images a second in each engine, by turns.

    python scripts/benches/distill.py TEACHER DATASET STUDENT... [--rounds 7] [--threads 1] [--side 256]

The yardstick of speed is the teacher's network in eager fp32, as it stands in its file; every other row is what
`translate.load` makes of a model. Ratios are medians over rounds, of each row to the yardstick, and to the teacher in
the same engine, in the same round.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from operator import truediv
from pathlib import Path
from typing import cast

import torch

import translate
from translate.checkpoint import CONFIG, find_model, load_config, load_model
from translate.config import Direction
from translate.data import catalogue
from translate.distill import compare
from translate.engines.extras import installed

YARDSTICK = "teacher, eager fp32"
ENGINES = {
    "torch fp32": {"backend": "torch", "precision": "fp32"},
    "torch bf16": {"backend": "torch", "precision": "bf16"},
    "torch bf16 compiled": {"backend": "torch", "precision": "bf16", "compile": True},
    "openvino fp32": {"backend": "openvino", "precision": "fp32"},
    "openvino bf16": {"backend": "openvino", "precision": "bf16"},
}

Row = Callable[[torch.Tensor], torch.Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("students", type=Path, nargs="+", metavar="STUDENT", help="run folders that distill made")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", type=int, help="pixels of the pictures timed; default: what the teacher learned on")
    parser.add_argument("--images", type=int, default=64, help="held-out images at most")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(ENGINES), metavar="ENGINE")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads of {os.cpu_count()} cores, by turns, medians")
    quality(arguments)
    speed(arguments)


def quality(arguments: argparse.Namespace) -> None:
    """Operations, size and held-out scores of each student beside its teacher's."""
    root = catalogue.find(str(arguments.dataset))
    for student in arguments.students:
        found = compare(find_model(arguments.teacher), student, root, device="cpu", most=arguments.images)
        print(f"\n{student.name}")
        print("\n".join(found.table()))
        fewer = found.teacher.operations / found.student.operations
        lost = found.teacher.scores.get("psnr", 0) - found.student.scores.get("psnr", 0)
        print(f"{fewer:.1f} times fewer operations" + (f", {lost:+.2f} dB PSNR lost" if found.teacher.scores else ""))


def speed(arguments: argparse.Namespace) -> None:
    """Images a second of each in each engine; one picture at a time."""
    direction = cast(Direction, load_config(arguments.students[0] / CONFIG)["data"]["direction"])
    model = load_model(find_model(arguments.teacher))
    side = arguments.side or model.about.size
    rows: dict[str, Row] = {YARDSTICK: model.networks[direction]}
    for engine in arguments.engines:
        if "openvino" in engine and not installed("openvino"):
            print(f"without {engine}: openvino is not installed")
            continue
        for path in (arguments.teacher, *arguments.students):
            made = translate.load(path, "cpu", **ENGINES[engine])  # type: ignore[arg-type]
            made.about.__dict__["size"] = side  # what it is compiled for
            rows[f"{'teacher' if path == arguments.teacher else path.name}, {engine}"] = made.engine(direction)
    spent = timed(rows, side, arguments.rounds)
    print(f"\n{'at ' + str(side) + ' pixels':44}{'ms':>9}{'images/s':>10}{'to eager':>10}{'to teacher':>12}")
    for name, times in spent.items():
        middle = statistics.median(times)
        beside = spent[f"teacher, {name.partition(', ')[2]}"]
        ratios = [statistics.median(map(truediv, base, times)) for base in (spent[YARDSTICK], beside)]
        print(f"{name:44}{1e3 * middle:9.1f}{1 / middle:10.2f}{ratios[0]:9.1f}x{ratios[1]:11.1f}x")


@torch.no_grad()
def timed(rows: dict[str, Row], side: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each row in each round, after one that prepares."""
    images = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    spent: dict[str, list[float]] = {name: [] for name in rows}
    for turn in range(rounds + 1):
        for name, run in rows.items():
            began = time.perf_counter()
            run(images)
            if turn:
                spent[name].append(time.perf_counter() - began)
    return spent


if __name__ == "__main__":
    main()
