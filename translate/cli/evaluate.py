"""translate evaluate: score a model on images whose truth is known."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from translate.cli.options import Backend, Device, Precision


def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(help="A run folder, a .safetensors file, an exported model, or colorize-small.")
    ],
    dataset: Annotated[str, typer.Argument(help="Pairs; for a colorizer any folder of colour pictures.")],
    split: Annotated[str | None, typer.Option(help="Which split.", show_default="test, else val, else all")] = None,
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(help="Which way, if the model knows both.", show_default="as trained"),
    ] = None,
    grid: Annotated[Path | None, typer.Option(help="Write a picture of the first 8: input | ours | truth.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the figures as .json.")] = None,
    device: Device = "auto",
    backend: Backend = None,
    precision: Precision = "fp32",
) -> None:
    """Translate every image of a split at its own size and print how near the truth it comes.

    Beside the model's figures stand those of its inputs: what doing nothing scores. A colorizer sees the pictures grey.
    """
    from translate import files
    from translate.colorize import open_model
    from translate.display import Counting, Screen
    from translate.errors import ConfigError
    from translate.evaluate import evaluate as run

    if report:
        if report.suffix.lower() != ".json":
            raise ConfigError(f"{report}: a report of figures ends in .json.")
        files.make_folder(report.parent)
    translator = open_model(checkpoint, device, backend=backend, precision=precision)
    console = Screen()
    with Counting("evaluating", console) as progress:
        found = run(translator, dataset, split=split, direction=direction, grid=grid, progress=progress)
    for text in (*found.notices[:8], *(["..."] if len(found.notices) > 8 else [])):
        typer.echo(text)
    typer.echo(f"{found.count} images{'':<14}{'model':>10}{'input':>10}")
    for name, score in found.scores.items():
        beside = f"{found.inputs[name]:>10.4f}" if name in found.inputs else ""
        typer.echo(f"{name:<22}{score:>10.4f}{beside}")
    if grid:
        typer.echo(f"Look: {grid}")
    if report:
        files.write_bytes(report, (json.dumps(found.as_dict(), indent=2) + "\n").encode())
