"""GANs on points in the plane: modes, quality, KL, CPU seconds and verdict of every objective, on ring and grid."""

import argparse
import platform
import time
from statistics import mean

import torch

from translate.errors import ConfigError
from translate.game2d import MIXTURES, Played, demo2d
from translate.objectives import OBJECTIVES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objectives", nargs="*", metavar="OBJECTIVE", help=f"of {', '.join(OBJECTIVES)}; default: all")
    parser.add_argument("--data", nargs="+", default=list(MIXTURES), choices=list(MIXTURES))
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[2], help="their means are shown (settings: seeds 0, 1)"
    )
    parser.add_argument("--steps", type=int, default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    seeds = ", ".join(map(str, arguments.seeds))
    print(f"torch {torch.__version__}, {platform.machine()}, one thread; means over seeds {seeds}")
    print(f"{'data':<6}{'objective':<19}{'modes':>7}{'good %':>8}{'KL':>8}{'CPU s':>7}  verdict")
    length = {} if arguments.steps is None else {"steps": arguments.steps}
    for data in arguments.data:
        for objective in arguments.objectives or OBJECTIVES:
            try:
                games = [demo2d(data, objective=objective, seed=seed, threads=1, **length) for seed in arguments.seeds]
            except ConfigError as error:
                raise SystemExit(str(error)) from None
            show(data, objective, games)
    print(f"{time.process_time() - began:.0f} s of CPU time in all")


def show(data: str, objective: str, games: list[Played]) -> None:
    covered, quality = mean(game.modes.covered for game in games), mean(game.modes.quality for game in games)
    divergence, seconds = mean(game.modes.kl for game in games), mean(game.seconds for game in games)
    verdicts = ", ".join(dict.fromkeys(game.verdict.name for game in games))
    print(
        f"{data:<6}{objective:<19}{covered:>7.1f}{quality:>8.1%}{divergence:>8.3f}{seconds:>7.1f}  {verdicts}",
        flush=True,
    )


if __name__ == "__main__":
    main()
