"""translate import: turn a generator that pytorch-CycleGAN-and-pix2pix saved into a model file."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def import_(
    file: Annotated[Path, typer.Argument(help="A generator's .pth file, such as latest_net_G.pth.")],
    out: Annotated[Path, typer.Argument(help="The model file to write, OUT.safetensors.")],
    direction: Annotated[Literal["AtoB", "BtoA"], typer.Option(help="What to call the way it translates.")] = "AtoB",
    statistics: Annotated[
        Literal["running", "image"],
        typer.Option(help="Batch norm by its running statistics, or by each image's own as that project's test does."),
    ] = "running",
) -> None:
    """Read a generator that pytorch-CycleGAN-and-pix2pix saved; its settings are told from its weights."""
    from translate import files, networks
    from translate.checkpoint import About, save_model
    from translate.errors import CheckpointError, ConfigError
    from translate.foreign import read_foreign
    from translate.version import __version__

    if out.suffix != ".safetensors":
        raise ConfigError(f"A model file ends in .safetensors, not {out.suffix or 'nothing'}: {out}.")
    foreign = read_foreign(file)
    if foreign.kind != "generator":
        raise CheckpointError(f"{file} holds a discriminator ({foreign.name}): only generators translate.")
    if out.exists():
        raise ConfigError(f"{out} exists already: choose another name, or delete it first.")
    network = networks.build(foreign.name, foreign.arguments)
    network.load_state_dict(foreign.state)
    for note in foreign.notes:
        typer.echo(note, err=True)
    channels = (foreign.arguments["in_channels"], foreign.arguments["out_channels"])
    colorizes = channels == (1, 2)  # L / 50 - 1 to ab / 110: no other of that project's models has these channels
    if colorizes and direction != "AtoB":
        raise ConfigError("A colorization model goes one way, from grey to colour: leave --direction out.")
    shown = (1, 3) if colorizes else channels
    about = About(
        mode="colorize" if colorizes else "imported",
        direction=direction,
        channels=shown if direction == "AtoB" else shown[::-1],
        size=256,
        statistics=statistics,
        origin=f"{file.name}, saved by pytorch-CycleGAN-and-pix2pix",
        licence="as the file it was imported from",
        version=__version__,
    )
    files.make_folder(out.parent)
    save_model(out, {direction: network}, about)
    arguments = " ".join(f"{key}={value}" for key, value in foreign.arguments.items())
    use = f"translate colorize PHOTOS OUT --model {out}" if colorizes else f"translate convert {out} INPUT OUTPUT"
    typer.echo(f"{out}: {foreign.name} {arguments}\nUse it: {use}")
