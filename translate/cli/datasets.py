"""translate datasets: list, check, make, unpack and download data sets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from translate.data.check import Report

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, check, draw, unpack and download data sets.")

_Root = Annotated[Path, typer.Option(help="Folder that data sets lie in.")]


@app.command("list")
def list_(root: _Root = Path("datasets")) -> None:
    """List the data sets known by name: drawn ones first, then public ones."""
    from rich.console import Console
    from rich.table import Table

    from translate.data.catalogue import KNOWN
    from translate.data.drawn import DRAWN

    table = Table("name", "kind", "MB", "here", "what it shows", box=None, pad_edge=False)
    for name, drawn in DRAWN.items():
        table.add_row(name, drawn.kind, "drawn", _here(root, name), drawn.description)
    for name, known in KNOWN.items():
        size = "by hand" if known.url is None else f"{known.bytes / 1e6:.0f}" if known.bytes else "?"
        table.add_row(name, known.kind, size, _here(root, name), known.description)
    others = _others(root, {*DRAWN, *KNOWN})
    for name in others:
        table.add_row(name, "", "", "yes", "")
    Console().print(table)


@app.command()
def check(folder: Annotated[str, typer.Argument(help="A folder, or the name of a data set.")]) -> None:
    """Look a data set through; exit code 1 if there is trouble, 2 if there is nothing to look at."""
    from translate.data.catalogue import find
    from translate.data.check import check as look_through

    root = find(folder)
    with _progress("checking") as progress:
        report = look_through(root, progress=progress)
    _print(report)
    if not report.ok:
        raise typer.Exit(1)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="drawn-facades or drawn-seasons.")],
    out: Annotated[Path, typer.Argument(help="Folder to make; it must be absent or empty.")],
    count: Annotated[int, typer.Option(help="Images to train on, a domain.")] = 400,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 64,
    seed: Annotated[int, typer.Option(help="Another seed draws other images.")] = 0,
) -> None:
    """Draw a data set with known truth: train, val and test."""
    from translate.data import drawn

    with _progress("drawing") as progress:
        drawn.make(name, out, count=count, size=size, seed=seed, progress=progress)
    typer.echo(f"Made {out}: {drawn.DRAWN[name].kind}, {count} images to train on.")


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of a public data set, as `list` shows it.")],
    root: _Root = Path("datasets"),
) -> None:
    """Download a public data set; run it again to go on with a download that was cut short."""
    from translate.data import catalogue
    from translate.data.download import download as fetch

    with _progress("downloading", in_bytes=True) as progress:
        folder = fetch(name, root, progress=progress)
    typer.echo(f"{folder} is there. {catalogue.KNOWN[name].description} {catalogue.KNOWN[name].terms}")


@app.command()
def idx(
    images: Annotated[Path, typer.Argument(help="An idx3 file, as train-images-idx3-ubyte.gz of MNIST.")],
    out: Annotated[Path, typer.Argument(help="Folder to make; it must be absent or empty.")],
    labels: Annotated[Path | None, typer.Option(help="Its idx1 file: a folder a class.")] = None,
) -> None:
    """Unpack a data set that is published as idx files, as MNIST is, into PNGs."""
    from translate.data.idx import unpack

    with _progress("unpacking") as progress:
        count = unpack(images, out, labels, progress)
    typer.echo(f"Made {out}: {count} images{'' if labels is None else ', a folder a class'}.")


def _here(root: Path, name: str) -> str:
    return "yes" if (root / name).is_dir() else ""


def _others(root: Path, known: set[str]) -> list[str]:
    """Folders in `root` that go by no known name: the user's own sets."""
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if p.is_dir() and p.name not in known and not p.name.startswith("."))


@contextmanager
def _progress(verb: str, in_bytes: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """Give a callback (done, total or None) that draws a bar with the time left; silent where no terminal looks on."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn(verb), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(verb, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("layout", report.layout or "not understood")
    table.add_row("images", ", ".join(f"{folder} {count}" for folder, count in report.folders.items()))
    if report.classes:
        table.add_row("classes", _describe_classes(report.classes))
    table.add_row("sizes", _describe_sizes(report))
    table.add_row("channels", ", ".join(f"{channels}" for channels in sorted(report.channels)))
    table.add_row("depth", ", ".join(sorted(report.depths)))
    console.print(table)
    for text in report.warnings:
        console.print(f"warning: {text}", markup=False, highlight=False, soft_wrap=True)
    for text in report.troubles:
        console.print(f"trouble: {text}", markup=False, highlight=False, soft_wrap=True)
    console.print("Fine." if report.ok else f"{len(report.troubles)} kinds of trouble.", markup=False)


def _describe_classes(classes: dict[str, int], most: int = 12) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in list(classes.items())[:most])
    more = f" and {len(classes) - most} more" if len(classes) > most else ""
    return f"{len(classes)}: {shown}{more}"


def _describe_sizes(report: "Report") -> str:
    """The sizes, if they are few; else the smallest, the median and the largest by area."""
    if len(report.sizes) <= 3:
        return ", ".join(f"{w}x{h}" for w, h in sorted(report.sizes))
    every = sorted(report.sizes.elements(), key=lambda size: size[0] * size[1])
    (w0, h0), (w1, h1), (w2, h2) = every[0], every[len(every) // 2], every[-1]
    return f"{w0}x{h0} to {w2}x{h2}, median {w1}x{h1}, {len(report.sizes)} different"
