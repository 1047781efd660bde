"""translate demo2d: watch a GAN learn points in the plane."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.config import TrainingSettings, parse_assignment
from translate.errors import ConfigError

if TYPE_CHECKING:
    from translate.game2d import Played


def demo2d(
    out: Annotated[Path, typer.Option(help="A .webp that moves, or a sheet of frames as .png.")] = Path("demo2d.webp"),
    data: Annotated[str, typer.Option(help="ring (8 Gaussians) or grid (25).")] = "grid",
    objective: Annotated[str | None, typer.Option(help="Adversarial objective.", show_default="vanilla")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of both players.", show_default="1200 or 6000")] = None,
    seed: Annotated[int | None, typer.Option(help=TrainingSettings.model_fields["seed"].description)] = None,
    frames: Annotated[int, typer.Option(help="Frames of the film.")] = 48,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Any setting of the game; `translate modes dcgan` lists them."
        ),
    ] = None,
) -> None:
    """Watch a GAN learn points in the plane, under any objective, in seconds and without data.

    Grey: real points; violet: samples; orange: where D finds points real, blue: where not; arrows: where G is pulled.
    Ctrl-C ends the game, and what was played is drawn. Exit codes: 0 done, 2 it could not be done, 130 stopped.
    """
    asked: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    reserved = sorted({"data", "out", "frames", "progress"} & asked.keys())
    if reserved:
        raise ConfigError(f"{reserved[0]!r} is no setting: give it as a flag (`translate demo2d --help`).")
    flags = {"objective": objective, "steps": steps, "seed": seed}
    asked |= {key: value for key, value in flags.items() if value is not None}

    try:
        from translate.display import Display
        from translate.game2d import demo2d as play

        with Display().preparing("step") as progress:
            played = play(data, out, frames=frames, progress=progress, **asked)
    except KeyboardInterrupt:
        typer.echo(f"Stopped; {out} is as it was.", err=True)
        raise typer.Exit(130) from None
    _tell(played)
    if played.stopped:
        typer.echo(f"Stopped after {played.steps} of {played.total} steps; the film shows what was played.", err=True)
        raise typer.Exit(130)


def _tell(played: "Played") -> None:
    found = played.modes
    typer.echo(
        f"{found.covered} of {played.of} modes, {found.quality:.1%} within 3 sigma, KL {found.kl:.3f}, "
        f"after {played.steps} steps in {played.seconds:.0f} s of CPU time"
    )
    for step, verdict in played.verdicts:
        typer.echo(f"step {step}: {verdict.line}" + " again" * verdict.healthy)
    if not played.verdicts:
        typer.echo(f"health: {played.health}")
    typer.echo(f"Look at it: {played.path}")
