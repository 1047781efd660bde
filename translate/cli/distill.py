"""translate distill: make a small generator of a big one."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from translate.cli.options import flag
from translate.config import DataSettings, TrainingSettings, parse_assignment
from translate.errors import ConfigError

RESERVED = {"checkpoint", "dataset", "name", "out", "resume", "quiet", "size", "student", "teacher"}
RESERVED |= {"crop", "direction", "config", "mode"}


def distill(
    checkpoint: Annotated[Path, typer.Argument(help="The teacher: a run folder or a .safetensors file.")],
    dataset: Annotated[str, typer.Argument(help="What it was trained on, or alike: a folder, or a name in datasets/.")],
    size: Annotated[
        Literal["small", "tiny"] | None,
        typer.Option(
            help="The student's operations: small, at most a tenth of the teacher's; tiny, a thirtieth.",
            show_default="small",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.", show_default="DATASET-SIZE")] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the run folders.")] = Path("checkpoints"),
    epochs: Annotated[int | None, flag(TrainingSettings, "epochs")] = None,
    steps: Annotated[int | None, flag(TrainingSettings, "steps")] = None,
    batch_size: Annotated[int | None, flag(DataSettings, "batch_size")] = None,
    crop: Annotated[
        int | None,
        typer.Option(help=DataSettings.model_fields["size"].description, show_default="as the teacher's"),
    ] = None,
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(help="Which way, if the teacher knows both.", show_default="as trained"),
    ] = None,
    device: Annotated[str | None, flag(TrainingSettings, "device")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on exactly where the run of that name stopped.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; `translate modes distill` lists them."),
    ] = None,
) -> None:
    """Train a small generator by the pictures of a big one, and print both side by side.

    What comes out is a run folder as that of fit: `translate convert` takes it, and needs the teacher no more.
    """
    asked: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    reserved = sorted(RESERVED & asked.keys())
    if reserved:
        raise ConfigError(f"{reserved[0]!r} is an argument or a flag, not for --set (`translate distill --help`).")
    flags = {"epochs": epochs, "steps": steps, "batch_size": batch_size, "device": device}
    asked |= {key: value for key, value in flags.items() if value is not None}

    from translate.cli.obtain import obtain
    from translate.distill import distill as run

    obtain(dataset, interactive=sys.stdin.isatty())
    run(checkpoint, dataset, size=size, name=name, out=out, crop=crop, direction=direction, resume=resume, **asked)
