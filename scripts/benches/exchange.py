"""Gradients between two gloo processes on this CPU: a Pix2Pix step without exchange, with a flat one, in buckets."""

import argparse
import os
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from translate import distributed
from translate.data.batch import Batch
from translate.exchange import BUCKET, Exchange
from translate.methods import METHODS

WORLD = 2
WAYS = ("no exchange", "flat, afterwards", "buckets, afterwards", "buckets, overlapping")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", default="pix2pix", choices=["pix2pix", "cycle"])
    parser.add_argument("--rounds", type=int, default=7, help="steps of each way, interleaved; medians are shown")
    parser.add_argument("--side", type=int, default=256, help="pixels of the square image")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, arguments), nprocs=WORLD)


def work(rank: int, port: int, arguments: argparse.Namespace) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(arguments.threads)
    distributed.start("cpu")
    bench = Bench(arguments.mode, arguments.side)
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(1 + arguments.rounds):
        for way in WAYS:
            distributed.barrier()
            began = time.perf_counter()
            bench.step(way)
            if turn:
                taken[way].append(time.perf_counter() - began)
    calls, seconds = counted(lambda: bench.step(WAYS[0]))
    if rank == 0:
        show(bench, arguments, taken, calls, seconds)
    distributed.barrier()
    os._exit(0)  # gloo's threads sometimes abort a process that ends the usual way


class Bench:
    """A method of full size with its optimizers, and one image in each process."""

    def __init__(self, mode: str, side: int) -> None:
        torch.manual_seed(0)
        kind = METHODS[mode]
        self.method = kind(kind.settings.checked({}), (3, 3), side, "AtoB").train()  # type: ignore[arg-type]
        self.optimizers = self.method.optimizers()
        self.players = {n: [p for g in o.param_groups for p in g["params"]] for n, o in self.optimizers.items()}
        self.exchanges = {name: Exchange(parameters) for name, parameters in self.players.items()}
        torch.manual_seed(distributed.rank())
        a, b = torch.rand(2, 1, 3, side, side) * 2 - 1
        self.batch = Batch(a, b, ("image",))

    def step(self, way: str) -> None:
        for turn in self.method.step(self.batch, 0):
            parameters, exchange = self.players[turn.player], self.exchanges[turn.player]
            self.optimizers[turn.player].zero_grad(set_to_none=True)
            loss = torch.stack(list(turn.losses.values())).sum()
            with exchange.overlapping(last=way == "buckets, overlapping"):
                loss.backward(inputs=parameters)
            if way == "flat, afterwards":
                flat(parameters)
            elif way != "no exchange":
                exchange.finish()
            self.optimizers[turn.player].step()


def flat(parameters: list[nn.Parameter]) -> None:
    """Average all gradients of a player as one tensor."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    together = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(together)
    together /= distributed.world()
    for gradient, mean in zip(gradients, together.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def counted(step: Callable[[], None]) -> tuple[int, float]:
    """How many exchanges that must be waited for `step` makes, and their seconds."""
    spent: list[float] = []
    all_reduce = dist.all_reduce

    def timed(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = all_reduce(*given, **named)
        spent.append(time.perf_counter() - began)
        return result

    dist.all_reduce = timed
    step()
    dist.all_reduce = all_reduce
    return len(spent), sum(spent)


def show(
    bench: Bench, arguments: argparse.Namespace, taken: dict[str, list[float]], calls: int, seconds: float
) -> None:
    sizes = {name: sum(p.numel() for p in parameters) for name, parameters in bench.players.items()}
    counts = ", ".join(f"{name} {size / 1e6:.1f} M parameters" for name, size in sizes.items())
    print(f"{arguments.mode}: {counts}; 1 image of {arguments.side} pixels, {arguments.threads} thread(s) a process;")
    print(
        f"torch {torch.__version__}, {WORLD} gloo processes, buckets of {BUCKET >> 20} MiB, {arguments.rounds} rounds"
    )
    print(f"{'':<22}{'s a step':>10}{'beyond none':>13}{'share of step':>15}{'least s':>9}")
    without = statistics.median(taken[WAYS[0]])
    for way, times in taken.items():
        median = statistics.median(times)
        print(f"{way:<22}{median:>10.3f}{median - without:>13.3f}{1 - without / median:>15.1%}{min(times):>9.3f}")
    print(f"Batch norm's statistics: {calls} exchanges a step, {seconds:.3f} s, in every row.")


if __name__ == "__main__":
    main()
