"""translate health: what became of a run's health."""

from pathlib import Path
from typing import Annotated

import typer


def health(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[Path | None, typer.Option(help="Where to draw the charts.", show_default="RUN/health.png")] = None,
) -> None:
    """Print when training was sick, of what, and what would help; draw the signs of health over the steps."""
    from translate import files, images
    from translate.health import history
    from translate.health.drawing import draw

    lines = history.read(run)
    picture = draw(lines, f"Health of {run.resolve().name}")
    typer.echo(history.table(lines))
    target = out or run / "health.png"
    files.make_folder(target.parent)
    images.write(target, picture)
    typer.echo(f"Look: {target}")
