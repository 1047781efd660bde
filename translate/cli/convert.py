"""translate convert: translate a file or a folder."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from translate.cli.options import flag, switch
from translate.config import ConvertSettings
from translate.errors import TranslateError


def convert(
    checkpoint: Annotated[
        str, typer.Argument(help="A run folder, a .safetensors file, an exported model; `identity` changes nothing.")
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An image or a folder of images.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Where the translations go.")],
    direction: Annotated[
        Literal["AtoB", "BtoA"] | None,
        typer.Option(help="Which way, if the model knows both.", show_default="as trained"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    backend: Annotated[
        str,
        typer.Option(help="What computes: torch, openvino, onnx; auto: openvino on a CPU if installed, else torch."),
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option(
            help="fp32, bf16, or int8 (openvino, calibrated on the inputs, used if it stays close to fp32); "
            "auto: bf16 if a short trial finds it faster here."
        ),
    ] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network (torch; takes a minute).")] = False,
    format: Annotated[str | None, flag(ConvertSettings, "format")] = None,
    quality: Annotated[int | None, flag(ConvertSettings, "quality")] = None,
    strip_metadata: Annotated[bool | None, switch(ConvertSettings, "strip_metadata")] = None,
    max_pixels: Annotated[int | None, flag(ConvertSettings, "max_pixels")] = None,
    include: Annotated[list[str] | None, flag(ConvertSettings, "include")] = None,
    exclude: Annotated[list[str] | None, flag(ConvertSettings, "exclude")] = None,
    overwrite: Annotated[bool | None, switch(ConvertSettings, "overwrite")] = None,
    dry_run: Annotated[bool | None, switch(ConvertSettings, "dry_run")] = None,
    tile: Annotated[str | None, flag(ConvertSettings, "tile")] = None,
    int8_psnr: Annotated[float | None, flag(ConvertSettings, "int8_psnr")] = None,
    batch: Annotated[int | None, flag(ConvertSettings, "batch")] = None,
    sequence: Annotated[bool | None, switch(ConvertSettings, "sequence")] = None,
    lock: Annotated[str | None, flag(ConvertSettings, "lock")] = None,
    mask: Annotated[Path | None, flag(ConvertSettings, "mask")] = None,
    side_by_side: Annotated[bool | None, switch(ConvertSettings, "side_by_side")] = None,
    report: Annotated[Path | None, flag(ConvertSettings, "report")] = None,
) -> None:
    """Translate a file, or every image of a folder, to the same relative path, size, depth and format.

    The same command again makes only what is missing or out of date. Exit codes: 0 done, 1 some inputs failed (they
    are named, the others are done), 2 nothing could be done or the disk is full, 130 stopped by Ctrl-C.
    """
    given = {
        "format": format,
        "quality": quality,
        "strip_metadata": strip_metadata,
        "max_pixels": max_pixels,
        "include": include or None,
        "exclude": exclude or None,
        "overwrite": overwrite,
        "dry_run": dry_run,
        "tile": tile,
        "int8_psnr": int8_psnr,
        "batch": batch,
        "sequence": sequence,
        "lock": lock,
        "mask": mask,
        "side_by_side": side_by_side,
        "report": report,
    }
    settings = ConvertSettings.checked({name: value for name, value in given.items() if value is not None})
    how = (device, backend, precision, compile)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        try:
            code = _run(checkpoint, source, target, direction, how, settings)
        except TranslateError as error:
            typer.echo(f"Error: {error}", err=True)
            code = 2
        except RuntimeError as error:  # another process has failed and says why
            typer.echo(f"Ended with the others: {str(error).splitlines()[0]}", err=True)
            code = 2
        sys.stdout.flush()
        sys.stderr.flush()
        # As in `translate fit`: everything is written, and gloo may abort a process at its end, or wait for others.
        os._exit(code)
    code = _run(checkpoint, source, target, direction, how, settings)
    if code:
        raise typer.Exit(code)


def _run(
    checkpoint: str,
    source: Path,
    target: Path,
    direction: Any,
    how: tuple[str, str, str, bool],
    settings: ConvertSettings,
) -> int:
    from translate import distributed
    from translate.convert import Watch
    from translate.convert import convert as run
    from translate.display import Counting, Screen
    from translate.loading import load
    from translate.machine import cores

    device, backend, precision, compile = how
    distributed.start(device, patience=timedelta(days=30))  # shares differ, and pictures
    device = distributed.own_device(device)
    console = Screen()
    console.quiet = not distributed.is_main()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    translator = load(checkpoint, device, backend=backend, precision=precision, compile=compile, streams=cores())
    with Counting("translating", console) as progress:
        watch = Watch(progress, say, lambda job, state: typer.echo(f"{job.source} -> {job.target}: {state.value}"))
        summary = run(translator, source, target, direction=direction, watch=watch, **settings.model_dump())
    for reason in summary.failed.values():
        say(f"failed: {reason}")
    for text, count in summary.notes.items():
        say(f"{text} ({count} {'image' if count == 1 else 'images'})")
    say(describe(summary, target, settings.dry_run))
    if summary.stopped:
        say("Stopped. The same command goes on.")
        return 130
    distributed.barrier()
    return 1 if summary.failed else 0


def describe(summary: Any, target: Path, dry_run: bool) -> str:
    """The last line: what became of the inputs."""
    parts = [f"{summary.translated} {'to translate' if dry_run else 'translated'} into {target}"]
    if summary.skipped:
        parts.append(f"{summary.skipped} there already")
    if summary.failed:
        parts.append(f"{len(summary.failed)} failed")
    text = ", ".join(parts)
    if summary.per_second and not dry_run:
        text += f"; {summary.seconds:.1f} s, {summary.per_second:.3g} images/s"
    if summary.flicker:
        text += "; from frame to frame the input changes by {:.2f}/255, the output by {:.2f}/255".format(
            *summary.flicker
        )
    return text
