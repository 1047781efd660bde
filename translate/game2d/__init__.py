"""Games in the plane: `dcgan` on points, where one sees what a GAN does. `demo2d` plays one and draws it."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from translate import stopping
from translate.errors import ConfigError
from translate.game2d.film import SUFFIXES, check_place, write_film
from translate.game2d.mixtures import MIXTURES, Mixture, find_mixture
from translate.game2d.picture import draw_scene
from translate.game2d.playing import Game
from translate.game2d.settings import DEFAULTS, OWN, choose
from translate.health import NOT_FINITE, Verdict
from translate.metrics.modes import Modes

SHOWN = 600
"""Real points, and samples, that a frame shows; its words speak of the samples that are scored."""
__all__ = ["DEFAULTS", "MIXTURES", "OWN", "SUFFIXES", "Mixture", "Played", "demo2d"]


class Played(NamedTuple):
    """What a game came to.

    `modes` of 2500 samples at its end; `of` how many there are; `verdict` the last on the health of training, and
    `verdicts` each that differs from the one before, with its step; `health` its name, where a healthy one of a game
    too short to tell is called so; `seconds` of CPU time that training took; `path` of what was drawn; `stopped`
    whether Ctrl-C or SIGTERM ended it before the `total` of its steps.
    """

    modes: Modes
    of: int
    verdict: Verdict
    verdicts: tuple[tuple[int, Verdict], ...]
    health: str
    steps: int
    total: int
    seconds: float
    path: Path | None
    stopped: bool


def demo2d(
    data: str = "grid",
    out: str | PathLike[str] | None = None,
    *,
    frames: int = 48,
    progress: Callable[[int, int | None], None] | None = None,
    **asked: Any,
) -> Played:
    """Play `dcgan` on `data`, ring or grid, and draw it to `out` in `frames`: a .webp that moves, or a sheet as .png.

    `asked` are settings by name, of `dcgan` and of training: `demo2d("ring", "a.webp", objective="wgan", steps=1000)`.
    The same settings give the same file on the same machine. Ctrl-C and SIGTERM end the game, and what was played is
    drawn. Raises TranslateError: before anything is played ConfigError, and what `files.replacing` raises where `out`
    cannot be written; after it the latter alone.
    """
    path = None if out is None else Path(out)
    if not 2 <= frames <= 500:
        raise ConfigError(f"frames={frames} will not do: from 2 to 500.")
    mixture = find_mixture(data)
    game = Game(mixture, choose(asked, mixture.steps))
    if path is not None:
        check_place(path)
    wanted = set(_moments(frames, game.total)) if path is not None else set()
    drawn = []
    with stopping.asked_to_stop() as asked_to_stop:
        for step in game.play():
            if step in wanted:
                drawn.append(_frame(game, data))
            if progress:
                progress(step, game.total)
            if stopped := step < game.total and asked_to_stop():
                break
        if path is not None:
            # A game that diverged has gone on since the last step that it told of: its end is always drawn anew.
            if game.trainer.step not in wanted or game.verdict is NOT_FINITE:
                drawn.append(_frame(game, data))
            write_film(path, drawn)
    return Played(
        modes=game.score(),
        of=len(mixture.centres),
        verdict=game.verdict,
        verdicts=tuple(game.verdicts),
        health=game.health,
        steps=game.trainer.step,
        total=game.total,
        seconds=game.seconds,
        path=path,
        stopped=stopped,
    )


def _moments(frames: int, total: int) -> list[int]:
    """The steps that are drawn: close to each other at the beginning, where most happens."""
    return [round(total * (index / (frames - 1)) ** 1.6) for index in range(frames)]


def _frame(game: Game, data: str) -> np.ndarray:
    scene = game.scene(SHOWN)
    hit = game.score()
    left = f"{game.chosen.method.objective}, {data}", f"step {scene.step}"
    right = f"{hit.covered} of {len(game.mixture.centres)} modes", f"{hit.quality:.0%} within 3 sigma"
    return draw_scene(scene, left, right, (game.health, game.verdict.healthy if game.told else None))
