"""translate convert: translate a file or a folder."""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from translate.cli.options import with_settings
from translate.config import ConvertSettings
from translate.errors import TranslateError


@with_settings(ConvertSettings)
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
    *,
    given: dict[str, Any],
) -> None:
    """Translate a file, or every image of a folder, to the same relative path, size, depth and format.

    The same command again makes only what is missing or out of date. Exit codes: 0 done, 1 some inputs failed (they
    are named, the others are done), 2 nothing could be done or the disk is full, 130 stopped by Ctrl-C.
    """
    settings = ConvertSettings.checked(given)
    how = (device, backend, precision, compile)
    end_with(lambda: _run(checkpoint, source, target, direction, how, settings))


def end_with(run: Callable[[], int]) -> None:
    """End the command with the exit code that `run` returns."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        try:
            code = run()
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
    code = run()
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
    from translate.convert import convert as run
    from translate.loading import load
    from translate.machine import cores

    device, backend, precision, compile = how

    def convert_on(device: str, watch: Any) -> Any:
        translator = load(checkpoint, device, backend=backend, precision=precision, compile=compile, streams=cores())
        return run(translator, source, target, direction=direction, watch=watch, **settings.model_dump())

    return watched(convert_on, device, target, settings)


def watched(
    run: Callable[[str, Any], Any],
    device: str,
    target: Path,
    settings: ConvertSettings,
    *,
    words: tuple[str, str] = ("translated", "to translate"),
    bar: Callable[[Any], AbstractContextManager[Callable[[int, int | None], None]]] | None = None,
) -> int:
    """Show how `run(device, watch)` gets on and what came of it; returns the exit code.

    `words` say what happened to a picture, and what would; `bar` shows on a console how many there are.
    """
    from translate import distributed
    from translate.convert import Watch
    from translate.display import Counting, Screen

    distributed.start(device, patience=timedelta(days=30))  # shares differ, and pictures
    device = distributed.own_device(device)
    console = Screen()
    console.quiet = not distributed.is_main()

    def say(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    with bar(console) if bar else Counting("translating", console) as progress:
        watch = Watch(progress, say, lambda job, state: typer.echo(f"{job.source} -> {job.target}: {state.value}"))
        summary = run(device, watch)
    for reason in summary.failed.values():
        say(f"failed: {reason}")
    for text, count in summary.notes.items():
        named = ", ".join(summary.examples[text][:3]) + (" ..." if count > 3 else "")
        say(f"{text} ({count} {'image' if count == 1 else 'images'}: {named})")
    say(describe(summary, target, settings.dry_run, words))
    if summary.stopped:
        say("Stopped. The same command goes on.")
        return 130
    distributed.barrier()
    return 1 if summary.failed else 0


def describe(summary: Any, target: Path, dry_run: bool, words: tuple[str, str] = ("translated", "to translate")) -> str:
    """The last line: what became of the inputs."""
    parts = [f"{summary.translated} {words[dry_run]} into {target}"]
    if summary.skipped:
        parts.append(f"{summary.skipped} there already")
    if summary.failed:
        parts.append(f"{len(summary.failed)} failed")
    text = ", ".join(parts)
    if summary.translated and not dry_run:
        text += f"; {summary.seconds:.1f} s"
    if summary.per_second and not dry_run:
        text += f", {summary.per_second:.3g} images/s"
    if summary.flicker:
        text += "; from frame to frame the input changes by {:.2f}/255, the output by {:.2f}/255".format(
            *summary.flicker
        )
    return text
