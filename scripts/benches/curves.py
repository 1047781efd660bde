"""Whether every way of computing a step gives the loss curves of fp32 eager within the noise between seeds.

Tiny Pix2Pix and CycleGAN on drawn pictures: each way from seed 0, fp32 eager from several. Curves are means over
windows of steps, one for each loss. How far a way's are from fp32 eager's of the same seed, in units of the spread
(standard deviation) over the seeds, is within the noise if two seeds of fp32 eager lie as far apart.
"""

import argparse
import hashlib
import itertools
import os
import tempfile
import time
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from _steps import VARIANTS

from translate.config import DataSettings, TrainingSettings
from translate.data import loader, open_split
from translate.data.drawn import make
from translate.data.layout import detect
from translate.methods import METHODS
from translate.training.execution import configure_backends
from translate.training.trainer import Trainer

TASKS: dict[str, tuple[str, Literal["paired", "unpaired"], int, dict[str, Any]]] = {
    "pix2pix": ("drawn-facades", "paired", 4, {"width": 16, "width_d": 16}),
    "cycle": ("drawn-seasons", "unpaired", 1, {"width": 8, "width_d": 8, "blocks": 2}),
}
EXACT = {"precision": "32", "execution": "eager", "channels_last": False}
DETERMINISTIC = {
    "deterministic": EXACT | {"deterministic": True},
    "deterministic-graph": EXACT | {"execution": "graph", "deterministic": True},
}
WAYS = {name: way for name, way in VARIANTS.items() if way} | DETERMINISTIC
ON_CPU = ("eager", "channels-last", "bf16", "compile", "compile-bf16")
ON_GPU = (*WAYS,)
BASE = "eager"


class Course(NamedTuple):
    """One run: each loss step by step, a digest of weights and losses early on, and what came out."""

    losses: dict[str, np.ndarray]
    digest: str
    psnr: float
    seconds: float
    notices: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, metavar="WAY", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--seeds", type=int, default=6, help="of fp32 eager; 3 or more")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--window", type=int, default=50, help="steps whose mean is one point of a curve")
    parser.add_argument("--again", type=int, default=100, help="steps of the second run, compared bit by bit; 0: none")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as torch chooses")
    given = parser.parse_args()
    if given.seeds < 3 or given.again > given.steps or given.steps < given.window:
        parser.error("--seeds is 3 or more, --again and --window are at most --steps")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before torch wakes the GPU
    given.ways = given.ways or list(ON_GPU if "cuda" in given.device else ON_CPU)
    print(f"torch {torch.__version__}, {given.device}, {given.size} pixels, {given.steps} steps, {given.seeds} seeds")
    with tempfile.TemporaryDirectory() as folder:
        for mode in given.mode:
            compare(mode, Path(folder), given)


def compare(mode: str, folder: Path, given: argparse.Namespace) -> None:
    """Run and print one task."""
    root = make(TASKS[mode][0], folder / mode, count=200, size=given.size)
    seeds = [run(mode, root, WAYS[BASE], seed, given.steps, given) for seed in range(given.seeds)]
    curves = [smoothed(each, given.window) for each in seeds]
    spread = spread_of(curves)
    pairs = np.array([apart(one, other, spread) for one, other in itertools.combinations(curves, 2)])
    print(f"\n{mode}: {', '.join(seeds[0].losses)}; {len(spread[0])} windows each")
    print(
        f"{'difference':<30}{'largest':>9}{'rms':>7}{'first steps':>13}{'PSNR dB':>9}{'seconds':>9}  verdict; run again"
    )
    for name, line in (("least", pairs.min(axis=0)), ("greatest", pairs.max(axis=0))):
        print(f"{f'{name} of two seeds':<30}{line[0]:>9.2f}{line[1]:>7.2f}")
    scores = [each.psnr for each in seeds]
    print(f"{'PSNR of the seeds':<30}{'':>29}{np.mean(scores):>9.2f}  spread {np.std(scores, ddof=1):.2f}", flush=True)
    for name in given.ways:
        own = seeds[0] if name == BASE else run(mode, root, WAYS[name], 0, given.steps, given)
        largest, rms = apart(smoothed(own, given.window), curves[0], spread)
        good = largest <= pairs[:, 0].max() and rms <= pairs[:, 1].max()
        verdict = "within noise" if good else "BEYOND NOISE"
        print(
            f"{name:<30}{largest:>9.2f}{rms:>7.2f}{early(own, seeds[0]):>13.1e}{own.psnr:>9.2f}{own.seconds:>9.0f}  "
            f"{verdict}; {repeated(mode, root, name, own, given)}",
            flush=True,
        )
        for notice in own.notices:
            print(f"  {notice}")


def repeated(mode: str, root: Path, name: str, before: Course, given: argparse.Namespace) -> str:
    """What a second run of the same way has to say."""
    if not given.again:
        return "not run"
    same = run(mode, root, WAYS[name], 0, given.again, given).digest == before.digest
    return "bit-equal" if same else "differs in bits"


def run(mode: str, root: Path, way: dict[str, Any], seed: int, steps: int, given: argparse.Namespace) -> Course:
    """Train from `seed`; the learning rate is that of a run of given.steps, of which `steps` are done."""
    _, kind_of_data, batch_size, own = TASKS[mode]
    device = torch.device(given.device)
    # Else a code object that was compiled for several networks before is no longer compiled, which goes unsaid.
    torch._dynamo.reset()
    settings = TrainingSettings.checked(way | {"steps": given.steps, "seed": seed, "threads": given.threads})
    configure_backends(settings, device)
    kind = METHODS[mode]
    data = open_split(detect(root, kind_of_data), "train", kind_of_data, DataSettings(size=given.size), seed)
    data.prepare()
    torch.manual_seed(seed)
    method = kind(kind.settings.checked(own), (3, 3), given.size, "AtoB")
    trainer = Trainer(method, settings, given.steps, loader.batches_per_epoch(data, batch_size), device)
    kept: list[dict[str, torch.Tensor]] = []
    digest = ""
    began = time.perf_counter()
    with closing(loader.stream(data, batch_size=batch_size, seed=seed, workers=0)) as batches:
        for _ in range(steps):
            scalars = trainer.advance([next(batches)])
            # A graph writes the next step's values where these lie.
            kept.append({name: value.clone() for name, value in scalars.items() if not name.startswith("health/")})
            if trainer.step == given.again:
                digest = fingerprint(trainer, kept)
    trainer.check_finite()
    seconds = time.perf_counter() - began
    losses = {name: np.array([float(each[name]) for each in kept]) for name in kept[0]}
    psnr = quality(trainer, root, kind_of_data, given.size) if steps == given.steps else float("nan")
    return Course(losses, digest, psnr, seconds, trainer.take_notices())


def fingerprint(trainer: Trainer, kept: list[dict[str, torch.Tensor]]) -> str:
    """Of all losses so far and all weights, to the last bit."""
    values = [value for each in kept for value in each.values()] + list(trainer.method.state_dict().values())
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def quality(trainer: Trainer, root: Path, kind: Any, size: int) -> float:
    """Held-out PSNR, the mean over directions."""
    held = open_split(detect(root, kind), "test", kind, DataSettings(size=size), 0)
    held.prepare()
    moved = (batch.to(trainer.device, trainer.dtype, trainer.memory_format) for batch in loader.held_out(held, 1))
    scores = trainer.method.evaluate(moved, trainer.finished())
    return float(np.mean([value for name, value in scores.items() if name.endswith("/psnr")]))


def smoothed(course: Course, window: int) -> np.ndarray:
    """Means over windows, (losses, windows)."""
    return np.stack(
        [each[: len(each) // window * window].reshape(-1, window).mean(1) for each in course.losses.values()]
    )


def spread_of(curves: list[np.ndarray]) -> np.ndarray:
    """Standard deviation over seeds, (losses, windows), each together with its neighbours': few seeds tell little."""
    variance = np.pad(np.var(curves, axis=0, ddof=1), ((0, 0), (1, 1)), mode="edge")
    return np.sqrt((variance[:, :-2] + variance[:, 1:-1] + variance[:, 2:]) / 3)


def apart(one: np.ndarray, other: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """The largest difference between two sets of curves, and the root of the mean square, in units of the spread."""
    difference = np.abs(one - other) / spread
    return float(difference.max()), float(np.sqrt(np.mean(difference**2)))


def early(one: Course, other: Course, steps: int = 5) -> float:
    """The largest relative difference of a loss in the first steps, before small differences have grown."""
    pairs = [(one.losses[name][:steps], other.losses[name][:steps]) for name in one.losses]
    return max(float(np.max(np.abs(a - b) / np.abs(b).clip(1e-12))) for a, b in pairs)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=".*deterministic.*")
    main()
