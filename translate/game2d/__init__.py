"""Games in the plane: `dcgan` on points, where one sees what a GAN does. `demo2d` plays one and draws it."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from translate import files
from translate.errors import ConfigError
from translate.game2d.film import SUFFIXES, write_film
from translate.game2d.mixtures import MIXTURES, Mixture, find_mixture
from translate.game2d.picture import draw_scene
from translate.game2d.playing import Game
from translate.game2d.settings import DEFAULTS, OWN, choose
from translate.health import Verdict
from translate.metrics.modes import Modes, modes

SHOWN = 600
"""Real points, and samples, of a frame; its words speak of these."""
__all__ = ["DEFAULTS", "MIXTURES", "OWN", "SUFFIXES", "Mixture", "Played", "demo2d"]


class Played(NamedTuple):
    """What a game came to.

    `modes` of 2500 samples at its end; `of` how many there are; `verdict` the last on the health of training, and
    `verdicts` each that differs from the one before, with its step; `seconds` of CPU time that training took; `path`
    of what was drawn.
    """

    modes: Modes
    of: int
    verdict: Verdict
    verdicts: tuple[tuple[int, Verdict], ...]
    steps: int
    seconds: float
    path: Path | None


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
    The same settings give the same file on the same machine. Raises TranslateError: ConfigError before anything is
    played, and what `files.replacing` raises.
    """
    path = None if out is None else Path(out)
    if path is not None and path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path} will not do: a film ends in .webp, a sheet of its frames in .png.")
    if not 2 <= frames <= 500:
        raise ConfigError(f"frames={frames} will not do: from 2 to 500.")
    mixture = find_mixture(data)
    game = Game(mixture, choose(asked, mixture.steps))
    if path is not None:
        files.make_folder(path.parent)
    wanted = set(_moments(frames, game.total)) if path is not None else set()
    drawn = []
    for step in game.play():
        if step in wanted:
            drawn.append(_frame(game, data))
        if progress:
            progress(step, game.total)
    ended = game.trainer.step
    if path is not None:
        if ended not in wanted:
            drawn.append(_frame(game, data))
        write_film(path, drawn)
    return Played(game.score(), len(mixture.centres), game.verdict, tuple(game.verdicts), ended, game.seconds, path)


def _moments(frames: int, total: int) -> list[int]:
    """The steps that are drawn: close to each other at the beginning, where most happens."""
    return [round(total * (index / (frames - 1)) ** 1.6) for index in range(frames)]


def _frame(game: Game, data: str) -> np.ndarray:
    scene = game.scene(SHOWN)
    hit = modes(scene.made, game.mixture.centres, game.mixture.sigma)
    left = f"{game.chosen.method.objective}, {data}", f"step {scene.step}"
    right = f"{hit.covered} of {len(game.mixture.centres)} modes", f"{hit.quality:.0%} within 3 sigma"
    return draw_scene(scene, left, right)
