"""Train: from a folder of images to a run folder that `translate.load` takes."""

from os import PathLike
from pathlib import Path
from typing import Any

from translate import distributed, rounds
from translate.preparing import prepared
from translate.run import Run


def fit(
    dataset: str | PathLike[str],
    *,
    mode: str,
    name: str | None = None,
    out: str | PathLike[str] = "checkpoints",
    resume: bool = False,
    config: str | PathLike[str] | None = None,
    quiet: bool = False,
    **asked: Any,
) -> Path:
    """Train `mode` on `dataset` and return the run folder, OUT/NAME.

    `dataset` is a folder or a name in `datasets/`. `asked` are settings by name (`translate modes MODE` lists them):
    `fit("photos", mode="cycle", epochs=100, size=128, identity=0)`. `config` is a saved config.json to start from.
    `resume` goes on exactly where the run of that name stopped. Ctrl-C and SIGTERM save and return.
    Raises TranslateError (DataError, ConfigError, CheckpointError, TrainingError); what was saved stays good.
    """
    return train(dataset, mode=mode, name=name, out=out, resume=resume, config=config, quiet=quiet, asked=asked)[0]


def train(
    dataset: str | PathLike[str],
    *,
    mode: str,
    name: str | None,
    out: str | PathLike[str],
    resume: bool,
    config: str | PathLike[str] | None,
    quiet: bool,
    asked: dict[str, Any],
) -> tuple[Path, bool]:
    """Do what `fit` does; returns the run folder, and whether the run came to its end and was not stopped."""
    with prepared(
        dataset, mode=mode, name=name, out=out, resume=resume, config=config, quiet=quiet, asked=asked
    ) as ready:
        trainer = ready.trainer()
        about = ready.about(trainer.method)
        run = Run(ready.folder, trainer, ready.chosen.training, about, ready.held, ready.fingerprint)
        rounds.play(run, trainer, ready.train, ready.chosen, ready.display)
        distributed.barrier()  # no process goes on, or ends, before the main one has written all
        return ready.folder, trainer.step >= trainer.total or distributed.any_true(run.over)
