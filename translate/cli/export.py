"""translate export: write a generator for other runtimes."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    checkpoint: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file.")],
    out: Annotated[Path, typer.Argument(help="The file to write: OUT.onnx, OUT.xml (OpenVINO) or OUT.pt2 (torch).")],
    format: Annotated[
        Literal["onnx", "openvino", "torch"] | None, typer.Option(help="The format.", show_default="by the suffix")
    ] = None,
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(help="Which way, if the model knows both.", show_default="as trained"),
    ] = None,
) -> None:
    """Write a generator as ONNX, OpenVINO or torch.export, for images of any number and size.

    The written model is run beside the original first; if the two differ, nothing is written.
    """
    from translate.export import export as run

    difference = run(checkpoint, out, format=format, direction=direction, tell=typer.echo)
    typer.echo(f"{out}: differs from the original by {difference:.1e} at most. It runs without translate;")
    typer.echo(f"with it: translate convert {out} INPUT OUTPUT")
