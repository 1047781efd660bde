"""Digits from noise by --mode dcgan, without and with conditions: classes, coverage, agreement, diversity, CPU seconds.

A small classifier, trained on the same 20,000 digits, says of each image what it shows; features are its last hidden
layer. Sample sheets go to --out.
"""

import argparse
import platform
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import translate
from translate.data import idx
from translate.errors import TranslateError
from translate.grid import draw_mosaic
from translate.images import write
from translate.metrics.diversity import diversity
from translate.metrics.prdc import prdc

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"
CLASSES, MADE = 10, 2000
COLUMNS = 8
"""Images of each class on a sheet."""

COMMON: dict[str, Any] = {
    "size": 28,
    "width": 32,
    "width_d": 32,
    "batch_size": 64,
    "learning_rate": 1e-3,
}
"""paper64 at 28 pixels and half its width; the rate suits a run of minutes."""


class Job(NamedTuple):
    """`steps` and further settings of one model; `wanted` targets by what is measured, beyond each least or most."""

    steps: int
    settings: dict[str, Any]
    wanted: dict[str, float]


FREE = {"classes": 10, "KL": 0.1, "coverage": 0.25}
ASKED = {"agreement": 0.9, "diversity": 0.6, "in pixels": 0.6}
JOBS = {
    "unconditional": Job(2000, {}, FREE),
    "concat": Job(2000, {"conditioning": "concat"}, ASKED),
    "projection": Job(2000, {"conditioning": "projection", "conditioning_g": "batchnorm"}, ASKED),
    "acgan": Job(2000, {"conditioning": "acgan"}, ASKED),
    "infogan": Job(2000, {"conditioning": "infogan"}, {"NMI": 0.5}),
}
AT_MOST = ("KL",)


class Judge(NamedTuple):
    """The classifier, and held-out digits with their features and classes: MADE of each."""

    network: nn.Sequential
    digits: Tensor
    features: Tensor
    labels: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; default: all")
    parser.add_argument("--mnist", type=Path, default=MNIST, help="folder of the idx files, as datasets idx reads them")
    parser.add_argument("--out", type=Path, default=Path("digits"), help="folder for the sample sheets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps; targets are then not to be met")
    arguments = parser.parse_args()
    unknown = [job for job in arguments.jobs if job not in JOBS]
    if unknown:
        parser.error(f"no job {unknown[0]!r}: there are {', '.join(JOBS)}")
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"torch {torch.__version__}, {platform.machine()}, one thread, seed {arguments.seed}", flush=True)
    try:
        judge = make_judge(arguments.mnist)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            idx.unpack(*_files(arguments.mnist, "train20k"), folder / "digits" / "train")
    except TranslateError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
