"""Repainting pictures: seconds, losses and where a step's time goes; memory of a print; beside a trained network.

scripts/bench stylize [CONTENT STYLE] [--weights FILE ...] [--memory | --feedforward RUN]; without pictures it draws
two. Each row of --memory is measured in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import translate
from translate import checkpoint, images
from translate.config import StylingSettings
from translate.data.drawn import DRAWN
from translate.stylize import Progress, Stylizer, make_stylizer
from translate.stylize.energy import Energy
from translate.stylize.paintings import read_painting
from translate.stylize.tiles import plan_tiles

DRAWN_SIDE = 512
PEAK_SIDE, PEAK_TRIES = 1024, 12
WAYS = ("features", "statistic", "backward", "other")
LAYERS, WEIGHTS = ("features", "pooling", "style_layers", "content_layers"), ("strength", "content", "variation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path, metavar="CONTENT STYLE", help="a photograph and a painting")
    parser.add_argument("--weights", action="append", default=[], metavar="FILE", help="of a network, beside patch")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="longer sides, of seconds and losses")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--memory", action="store_true", help="a print-size result, with the most memory held")
    parser.add_argument("--side", type=int, default=4000, help="of --memory: its longer side")
    parser.add_argument("--cap", type=float, default=2.0, metavar="GIB", help="of --memory: what features may take")
    parser.add_argument("--steps", type=int, default=2, help="of --memory: at the smallest scale")
    parser.add_argument("--feedforward", type=Path, metavar="RUN", help="a run of --mode style, beside repainting")
    parser.add_argument("--photos", type=Path, nargs="+", default=[], help="of --feedforward; default: CONTENT")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if len(given.pictures) not in (0, 2):
        parser.error("give a photograph and a painting, or neither")
    if given.row:
        print_row(given.row, given)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, device {given.device}", flush=True)
    if given.memory:
        prints(given)
    elif given.feedforward:
        feedforward(given)
    else:
        seconds(given)


def pictures_of(given: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """What is repainted, and in whose manner: (H, W, 3), float32 in [-1, 1]."""
    if not given.pictures:
        return drawn_content(), drawn_painting()
    content, painting = (read_painting(path)[0] for path in given.pictures)
    return content, painting


def drawn_content() -> np.ndarray:
    _, (scene, _) = DRAWN["drawn-seasons"].draw("test", np.random.default_rng(0), DRAWN_SIDE)
    return images.to_depth(scene, np.float32)


def drawn_painting() -> np.ndarray:
    """Thick strokes along circles, in five colours that change with height."""
    draw, side = np.random.default_rng(0), DRAWN_SIDE
    colours = np.array([(24, 38, 92), (44, 92, 160), (226, 190, 70), (190, 84, 36), (232, 224, 200)])
    canvas = np.full((side, side, 3), 60, np.uint8)
    for x, y, pick, shade in draw.random((9000, 4)):
        along = np.array([y - 0.4, 0.6 - x]) / (np.hypot(x - 0.6, y - 0.4) + 1e-6) * 12
        colour = colours[int((3 * y + 2 * pick) % 5)] * (0.7 + 0.3 * shade)
        first, last = (np.rint(np.array([x, y]) * side + sign * along).astype(int).tolist() for sign in (-1, 1))
        cv2.line(canvas, first, last, colour.tolist(), 4, cv2.LINE_AA)
    return images.to_depth(canvas, np.float32)


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """With a longer side of that many pixels."""
    factor = side / max(pixels.shape[:2])
    return images.resize(pixels, *(max(1, round(length * factor)) for length in pixels.shape[:2]))


def painter(features: str, painting: np.ndarray, device: str, **settings: Any) -> Stylizer:
    return make_stylizer([painting], StylingSettings(features=features, **settings), device)


# Seconds and losses


def seconds(given: argparse.Namespace) -> None:
    """Of each set of features and each size a picture with the default settings, and of its largest scale a step."""
    content, painting = pictures_of(given)
    rate = matmul_rate(torch.device(given.device))
    print(f"the most that a product of float32 matrices reached: {rate / 1e9:.0f} GFlop/s")
    print(f"\n{'':<12}{'':>12}{'':>8}{'':>7}  {'total loss':^18}{'a step of the largest scale, ms':^52}{'floor':^16}")
    heads = (f"{name:>10}" for name in ("all", *WAYS))
    line = f"{'features':<12}{'size':>12}{'seconds':>8}{'steps':>7}  {'before':>9}{'after':>9}"
    print(f"{line}  {''.join(heads)}{'GFlop':>8}{'reached':>9}", flush=True)
    for features in ["patch", *given.weights]:
        for side in given.sizes:
            print(second_row(features, resized(content, side), painting, given.device, rate), flush=True)


def second_row(features: str, content: np.ndarray, painting: np.ndarray, device: str, rate: float) -> str:
    stylizer = painter(features, painting, device)
    clock, marks, done = Clock(stylizer), [], 0

    def watch(progress: Progress) -> None:
        nonlocal done
        done = progress.done
        if (progress.height, progress.width) == content.shape[:2]:
            marks.append((time.perf_counter(), dict(clock.spent)))

    with clock.running():
        began = time.perf_counter()
        made = stylizer.paint(content, watch=watch)
        spent = time.perf_counter() - began
    before, after = (sum(stylizer.measure(content, each).values()) for each in (content, made))
    # From the end of its first step on: before that the scale is made ready.
    (first, one), (last, other), count = marks[0], marks[-1], max(1, len(marks) - 1)
    step = (last - first) / count
    parts = {way: (other.get(way, 0.0) - one.get(way, 0.0)) / count for way in WAYS}
    parts["other"] = step - sum(parts.values())
    flops = flops_of_a_step(features, content, painting, device)
    size = f"{content.shape[1]} x {content.shape[0]}"
    line = f"{stylizer.recipe.features.name:<12}{size:>12}{spent:8.1f}{done:>7}  {before:9.4f}{after:9.4f}  "
    ways = "".join(f"{each * 1e3:10.1f}" for each in (step, *(parts[way] for way in WAYS)))
    return f"{line}{ways}{flops / 1e9:8.1f}{flops / rate / step if step else 0:>9.0%}"


class Clock:
    """Adds up where time goes while a Stylizer paints: `spent`, in seconds; statistics without their gradients."""

    def __init__(self, stylizer: Stylizer) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._stylizer = stylizer

    @contextmanager
    def running(self) -> Iterator[None]:
        recipe = self._stylizer.recipe
        with ExitStack() as stack:
            for owner, name, way in (
                (recipe.features, "forward", "features"),
                (recipe.features, "columns", "statistic"),
                (recipe.statistic, "summary", "statistic"),
                (recipe.statistic, "loss", "statistic"),
                (torch.autograd, "grad", "backward"),
            ):
                stack.enter_context(mock.patch.object(owner, name, self._timed(getattr(owner, name), way)))
            yield

    def _timed(self, function: Callable[..., Any], way: str) -> Callable[..., Any]:
        def timed(*values: Any, **named: Any) -> Any:
            began = self._now()
            made = function(*values, **named)
            self.spent[way] += self._now() - began
            return made

        return timed

    def _now(self) -> float:
        if self._stylizer.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def flops_of_a_step(features: str, content: np.ndarray, painting: np.ndarray, device: str) -> float:
    """Of products of matrices and convolutions, forward and back; decompositions do not count."""
    stylizer = painter(features, painting, device, smallest=max(content.shape[:2]), steps=2)
    counter = FlopCounterMode(display=False)
    # Telling flops by module needs hooks that autograd.grad by a leaf does not bear.
    counter.mod_tracker = mock.MagicMock(parents={"Global"})

    def watch(progress: Progress) -> None:
        counter.__enter__() if progress.done == 1 else counter.__exit__(None, None, None)

    stylizer.paint(content, watch=watch)
    return float(counter.get_total_flops())


def matmul_rate(device: torch.device) -> float:
    """Floating point operations a second of the fastest of several products of float32 matrices."""
    one, other = torch.rand(2, PEAK_SIDE, PEAK_SIDE, device=device)
    best = 0.0
    for _ in range(PEAK_TRIES):
        began = time.perf_counter()
        float((one @ other)[0, 0])  # which waits for it
        best = max(best, 2 * PEAK_SIDE**3 / (time.perf_counter() - began))
    return best


# Memory of a print


def prints(given: argparse.Namespace) -> None:
    """Of each set of features one print; MiB and seconds, from a process of its own."""
    print(f"\nlonger side {given.side}, {given.cap:g} GiB for features, {given.steps} steps at the smallest scale")
    print(f"{'':<12}{'':>13}{'':>7}{'seconds':^20}{'MiB':^40}")
    heads = f"{'in all':>10}{'a look':>10}{'a picture':>12}{'before':>9}{'at most':>9}{'beyond':>9}"
    print(f"{'features':<12}{'size':>13}{'tiles':>7}{heads}{'pictures':>10}", flush=True)
    for features in ["patch", *given.weights]:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--row", features], check=True)


def print_row(features: str, given: argparse.Namespace) -> None:
    """`a look`: seconds of one measurement at the largest scale, all tiles; `beyond`: beyond what was held before and
    the cap; `pictures`: the same, in pictures of float32."""
    content, painting = pictures_of(given)
    height, width = (content := resized(content, given.side)).shape[:2]
    stylizer = painter(features, painting, given.device, memory=given.cap, steps=given.steps)
    layers = stylizer.recipe.fitting(height, width).layers
    cap = int(given.cap * 2**30)
    tiled = bool(layers) and not stylizer.recipe.features.sampled
    tiles = len(plan_tiles(stylizer.recipe.features, layers, height, width, cap)) if tiled else 1
    looks, measured = [], Energy.__call__

    def look(energy: Energy, *values: Any) -> Any:
        began = time.perf_counter()
        made = measured(energy, *values)
        if (energy.height, energy.width) == (height, width):
            looks.append(time.perf_counter() - began)
        return made

    before = resident()
    with mock.patch.object(Energy, "__call__", look):
        began = time.perf_counter()
        stylizer.paint(content)
        spent = time.perf_counter() - began
    beyond = max(0, peak() - before - (cap if tiled else 0))
    line = f"{stylizer.recipe.features.name:<12}{f'{width} x {height}':>13}{tiles:>7}{spent:10.1f}"
    line += f"{np.mean(looks):10.2f}{content.nbytes / 2**20:12.0f}{before / 2**20:9.0f}{peak() / 2**20:9.0f}"
    print(f"{line}{beyond / 2**20:9.0f}{beyond / content.nbytes:10.1f}", flush=True)


def resident() -> int:
    """Bytes that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """Bytes; the most that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# Beside a network that was trained for the painting


def feedforward(given: argparse.Namespace) -> None:
    """Total loss and seconds of a run of --mode style beside repainting, by the losses that the run was trained on."""
    config = checkpoint.load_config(given.feedforward / checkpoint.CONFIG)
    shared = {name: config["method"][name] for name in (*LAYERS, *WEIGHTS, "statistic", "style_scale")}
    painting = given.pictures[1] if given.pictures else Path(config["method"]["style"])
    stylizer = make_stylizer([painting], StylingSettings.checked(shared), given.device)
    network = translate.load(given.feedforward, given.device)
    print(f"{stylizer.recipe.features.about}; {config['training']['steps']} steps of training\n")
    heads = f"{'before':>10}{'repainted':>11}{'network':>10}{'ratio':>8}{'seconds':>10}{'network':>10}{'ratio':>8}"
    print(f"{'photograph':<24}{heads}")
    side, ratios = given.sizes[0], []
    for name, content in photographs(given):
        content = resized(content, side)
        network(content)  # the first one of a size is slower
        began = time.perf_counter()
        quick = np.asarray(network(content))
        middle = time.perf_counter()
        made = stylizer.paint(content)
        slow, fast = time.perf_counter() - middle, middle - began
        before, ours, theirs = (sum(stylizer.measure(content, each).values()) for each in (content, made, quick))
        ratios.append((theirs / ours, slow / fast))
        line = f"{name:<24}{before:10.4f}{ours:11.4f}{theirs:10.4f}{theirs / ours:8.2f}"
        print(f"{line}{slow:10.2f}{fast:10.3f}{slow / fast:8.0f}", flush=True)
    losses, times = np.median(ratios, axis=0)
    print(f"{'median':<24}{'':>31}{losses:8.2f}{'':>20}{times:8.0f}")


def photographs(given: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    if not given.photos and not given.pictures:
        yield "drawn", drawn_content()
    for path in given.photos or given.pictures[:1]:
        yield path.name, read_painting(path)[0]


if __name__ == "__main__":
    main()
