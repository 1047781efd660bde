"""Seconds of a training step of Pix2Pix and CycleGAN in every way of computing it, beside the incumbent and the floor.

scripts/bench train [--reference DIR] [--mode ...] [--batch ...] [--variants ...]. Every row has a process of its own,
which is asked for a step when it is its turn and sleeps else; so rows are interleaved, and each has its own memory.
The floor is the operations of a step over the measured peak of a matrix product in the row's precision,
which is taken in the same rounds.
"""

import argparse
import json
import os
import platform
from pathlib import Path
from statistics import median
from typing import Any

import torch
from _steps import MODES, REFERENCE, USUAL, VARIANTS, Row, operations
from _turns import MARGIN, PEAK, BrokenRowError, DoesNotFitError, Player, Turn, available

DETAILS = """
On a CPU a step of CycleGAN takes 5 to 12 s on two cores and compiling it a minute or two, so by default only batch 1
is measured there, of these rows: reference, eager, channels-last, bf16, compile, compile-bf16. On a GPU: batch 1, 4 and
16, all rows but auto. Rows that do not fit into memory are named and left out.

median, least: wall seconds of one step. processor: median of processor seconds, which other programs disturb less.
ratio: median over rounds of the reference's seconds (without it: eager's) over the row's, in seconds of both kinds.
MiB: on a CPU, the most that the process held during a step beyond what it held before the networks were made; on a
GPU, what the allocator had taken from the device. floor: share of the floor that is reached, floor / median.
first: seconds until the first steps were done, with compiling.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=DETAILS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="copy of pytorch-CycleGAN-and-pix2pix")
    parser.add_argument("--mode", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--batch", nargs="+", type=int, help="images of a domain in a step")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, metavar="ROW", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="times that every row has its turn")
    parser.add_argument("--steps", type=int, help="steps in a turn; default: 1 on a CPU, 10 on a GPU")
    parser.add_argument("--warmup", type=int, help="untimed steps of each row; default: 2 on a CPU, 12 on a GPU")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as torch chooses")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was measured")
    given = _settled(parser, parser.parse_args())
    found = measure(given)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _settled(parser: argparse.ArgumentParser, given: argparse.Namespace) -> argparse.Namespace:
    kind = torch.device(given.device).type
    on_gpu = kind == "cuda"
    given.batch = given.batch or ([1, 4, 16] if on_gpu else [1])
    given.steps = given.steps or (10 if on_gpu else 1)
    given.warmup = given.warmup or (12 if on_gpu else 2)
    given.variants = list(given.variants or USUAL.get(kind, USUAL["cpu"]))
    if given.rounds < 1 or min(given.batch) < 1:
        parser.error("--rounds and --batch are 1 or more")
    if not on_gpu and any("graph" in name for name in given.variants):
        parser.error("graph rows are CUDA graphs: they need --device cuda")
    if "pix2pix" in given.mode and given.size % 256:
        parser.error("--size is a multiple of 256 for pix2pix: the incumbent's U-Net takes no other")
    if given.reference is None:
        given.variants = [name for name in given.variants if name != REFERENCE]
    elif not (given.reference / "models" / "cycle_gan_model.py").exists():
        parser.error(f"--reference {given.reference} holds no models/cycle_gan_model.py")
    elif REFERENCE not in given.variants:
        given.variants.insert(0, REFERENCE)
    return given


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Print a table for each mode and batch; returns all that was measured, for the JSON file."""
    machine = {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(given.device) if "cuda" in given.device else _processor(),
        "threads": given.threads or torch.get_num_threads(),
        "size": given.size,
        "load": os.getloadavg()[0],
    }
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"{given.rounds} rounds of {given.steps} steps by turns, after {given.warmup} untimed ones", flush=True)
    products = Player(Row(PEAK, "", 0, 0, given.device, given.threads, None), 0)
    try:
        tables = [table(given, mode, batch, products) for mode in given.mode for batch in given.batch]
    finally:
        products.stop()
    return {**machine, "rounds": given.rounds, "steps": given.steps, "tables": tables}


def table(given: argparse.Namespace, mode: str, batch: int, products: Player) -> dict[str, Any]:
    """Start all rows of one table, let them and the products of matrices play by turns, print it."""
    print(f"\n{mode}, batch {batch}", flush=True)
    players: dict[str, Player] = {}
    speed: dict[str, float] = {}
    count = operations(mode, batch, given.size)
    try:
        for name in given.variants:
            start(players, _row(given, name, mode, batch)._replace(operations=count), given.warmup)
        turns: dict[str, list[Turn]] = {name: [] for name in players}
        for _ in range(given.rounds):
            speed = products.peaks(speed)
            for name, player in list(players.items()):
                try:
                    turns[name].append(player.turn(given.steps))
                except (DoesNotFitError, BrokenRowError) as error:
                    print(f"{name} is left out, after {len(turns[name])} turns: {error}", flush=True)
                    del players[name], turns[name]
        return show(players, turns, mode, batch, count, speed)
    finally:
        for player in players.values():
            player.stop()


def start(players: dict[str, Player], row: Row, warmup: int) -> None:
    """Start a row, unless there is not enough memory for it beside the others."""
    try:
        player = Player(row, warmup)
    except DoesNotFitError as error:
        print(f"{row.variant} does not fit into memory: {error}", flush=True)
        return
    except BrokenRowError as error:
        print(f"{row.variant} is left out: {error}", flush=True)
        return
    growth = max([player.ready.held, *(other.ready.held for other in players.values())])
    if available() < growth + MARGIN:
        player.stop()
        print(f"{row.variant} does not fit into memory beside the rows before it", flush=True)
        return
    players[row.variant] = player
    if row.variant == "auto":
        print(f"auto: {player.ready.words}")
    for notice in player.ready.notices:
        print(f"{row.variant}: {notice}", flush=True)


def _row(given: argparse.Namespace, name: str, mode: str, batch: int) -> Row:
    return Row(name, mode, batch, given.size, given.device, given.threads, given.reference)


def show(
    players: dict[str, Player],
    turns: dict[str, list[Turn]],
    mode: str,
    batch: int,
    count: float,
    speed: dict[str, float],
) -> dict[str, Any]:
    floors = {precision: count / each for precision, each in speed.items()}
    said = ", ".join(f"{p} {floors[p]:.4g} s at {speed[p] / 1e9:.0f} GFLOP/s" for p in floors)
    print(f"{count / 1e9:.1f} GFLOP a step; floor {said}")
    beside = next((name for name in (REFERENCE, "eager") if name in turns), "")
    print(
        f"{'':<28}{'median s':>10}{'least s':>10}{'processor s':>13}{'images/s':>10}{'ratio':>8}{'processor':>11}"
        f"{'MiB':>8}{'floor':>8}{'first s':>9}"
    )
    rows = []
    for name, player in players.items():
        wall, processor = ([turn[place] for turn in turns[name]] for place in (0, 1))
        precision = player.ready.precision
        row = {
            "variant": name,
            "precision": precision,
            "execution": player.ready.words,
            "notices": player.ready.notices,
            "seconds": wall,
            "processor": processor,
            "ratio": _ratio([turn.seconds for turn in turns.get(beside, [])], wall),
            "ratio_processor": _ratio([turn.processor for turn in turns.get(beside, [])], processor),
            "mebibytes": player.ready.memory / 2**20,
            "floor": floors[precision],
            "first": player.ready.first,
        }
        rows.append(row)
        print(
            f"{name:<28}{median(wall):>10.4g}{min(wall):>10.4g}{median(processor):>13.4g}"
            f"{batch / median(wall):>10.4g}{row['ratio']:>8.2f}{row['ratio_processor']:>11.2f}"
            f"{row['mebibytes']:>8.0f}{floors[precision] / median(wall):>8.0%}{player.ready.first:>9.1f}",
            flush=True,
        )
    return {"mode": mode, "batch": batch, "operations": count, "beside": beside, "peaks": speed, "rows": rows}


def _ratio(beside: list[float], own: list[float]) -> float:
    return median(a / b for a, b in zip(beside, own, strict=True)) if beside else float("nan")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
