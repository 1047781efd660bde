"""translate fit: train on a folder of images."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from translate.cli.options import flag, switch
from translate.config import DataSettings, TrainingSettings, parse_assignment
from translate.errors import ConfigError


def fit(
    dataset: Annotated[str, typer.Argument(help="A folder, or a name in datasets/ (`translate datasets list`).")],
    mode: Annotated[
        str,
        typer.Option(
            help="What to train: pix2pix (pairs), cycle or adain (two folders), colorize, style or dcgan (one)."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the run.", show_default="DATASET-MODE")] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the run folders.")] = Path("checkpoints"),
    epochs: Annotated[int | None, flag(TrainingSettings, "epochs")] = None,
    steps: Annotated[int | None, flag(TrainingSettings, "steps")] = None,
    batch_size: Annotated[int | None, flag(DataSettings, "batch_size")] = None,
    size: Annotated[int | None, flag(DataSettings, "size")] = None,
    direction: Annotated[str | None, flag(DataSettings, "direction")] = None,
    device: Annotated[str | None, flag(TrainingSettings, "device")] = None,
    precision: Annotated[str | None, flag(TrainingSettings, "precision")] = None,
    execution: Annotated[str | None, flag(TrainingSettings, "execution")] = None,
    workers: Annotated[int | None, flag(DataSettings, "workers")] = None,
    seed: Annotated[int | None, flag(TrainingSettings, "seed")] = None,
    skip_bad: Annotated[bool | None, switch(DataSettings, "skip_bad")] = None,
    on_trouble: Annotated[str | None, flag(TrainingSettings, "on_trouble")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on exactly where the run of that name stopped.")] = False,
    preflight: Annotated[
        bool,
        typer.Option("--preflight", help="Only measure some steps: memory, what would fit, how long all would take."),
    ] = False,
    config: Annotated[Path | None, typer.Option(help="A saved config.json to start from.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; `translate modes MODE` lists them."),
    ] = None,
) -> None:
    """Train a translator, or a generator of images from noise, on a folder of images.

    Order of settings: defaults, then --config, then flags and --set.
    """
    asked: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    reserved = sorted({"dataset", "mode", "name", "out", "resume", "config", "quiet"} & asked.keys())
    if reserved:
        raise ConfigError(f"{reserved[0]!r} is no setting: give it as an argument or flag (`translate fit --help`).")
    flags = {
        "epochs": epochs,
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "direction": direction,
        "device": device,
        "precision": precision,
        "execution": execution,
        "workers": workers,
        "seed": seed,
        "skip_bad": skip_bad,
        "on_trouble": on_trouble,
    }
    asked |= {key: value for key, value in flags.items() if value is not None}

    from translate.cli.obtain import obtain
    from translate.fit import fit as train
    from translate.methods import find_method

    find_method(mode)
    obtain(dataset, interactive=sys.stdin.isatty())
    if preflight:
        from translate.preflight import preflight as measure

        typer.echo(measure(dataset, mode=mode, name=name, out=out, resume=resume, config=config, **asked))
        return
    train(dataset, mode=mode, name=name, out=out, resume=resume, config=config, **asked)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Everything is written and closed. Seen in one of 25 runs: gloo's own threads, taken down after Python's end,
        # abort the process, and the launcher takes the whole job for failed.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
