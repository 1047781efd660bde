"""The command line: one file a verb. Nothing here imports torch before a verb runs, so that --help is instant."""

import errno
import os
import sys
from typing import Annotated

import typer

from translate.cli import (
    colorize,
    convert,
    datasets,
    demo2d,
    distill,
    evaluate,
    export,
    fit,
    health,
    import_,
    info,
    modes,
    sample,
    stylize,
)
from translate.errors import TranslateError
from translate.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Image-to-image translation: train on your own pictures, translate whole folders.",
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


app.command("fit")(fit.fit)
app.command("convert")(convert.convert)
app.command("colorize")(colorize.colorize)
app.command("stylize")(stylize.stylize)
app.command("distill")(distill.distill)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("health")(health.health)
app.command("info")(info.info)
app.command("import")(import_.import_)
app.command("modes")(modes.modes)
app.command("sample")(sample.sample)
app.command("demo2d")(demo2d.demo2d)
app.add_typer(datasets.app, name="datasets")


def main() -> None:
    """Run the command line; a TranslateError is printed without a traceback and ends with exit code 2."""
    # Read when torch is loaded: threads that wait for each other sleep, instead of taking time from other processes.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except TranslateError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # the output itself cannot be written: a full disk, a reader that has gone
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 (so that Python does not try again at its end)
        if error.errno != errno.EPIPE:
            typer.echo(f"Error: {error}.", err=True)
        sys.exit(2)
