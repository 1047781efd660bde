"""translate convert: translate a file or a folder."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def convert(
    checkpoint: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file.")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An image or a folder of images.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Where the translations go.")],
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(help="Which way, if the model knows both.", show_default="as trained"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Translate a file, or every image of a folder, to the same relative path and the same size.

    Exit code 1 if some inputs could not be translated; they are named and the others are done.
    """
    from rich.console import Console

    from translate.convert import convert as run
    from translate.display import Counting
    from translate.translator import load

    translator = load(checkpoint, device)
    console = Console(stderr=True, highlight=False)
    with Counting("translating", console) as progress:
        summary = run(translator, source, target, direction=direction, progress=progress)
    for reason in summary.failed.values():
        console.print(f"failed: {reason}", markup=False, soft_wrap=True)
    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    console.print(f"{len(summary.done)} translated into {target}{failed}", markup=False, soft_wrap=True)
    if summary.failed:
        raise typer.Exit(1)
