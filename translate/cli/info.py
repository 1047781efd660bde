"""translate info: say what a checkpoint is."""

from pathlib import Path
from typing import Annotated

import typer


def info(checkpoint: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file.")]) -> None:
    """Print what a checkpoint is: mode, directions, networks, size, scores."""
    from translate.checkpoint import count_parameters, find_model, load_model

    path = find_model(checkpoint)
    model = load_model(path)
    about = model.about
    lines = {
        "file": f"{path} ({path.stat().st_size / 2**20:.1f} MiB)",
        "mode": about.mode,
        "direction": f"{about.direction} by default; knows {', '.join(model.networks)}",
        "channels": f"A {about.channels[0]}, B {about.channels[1]}, values in [-1, 1]",
        "trained at": f"{about.size} pixels, {about.step} steps" if about.step else "",
        "batch norm": {"image": "each image's own statistics", "running": "running statistics"}[about.statistics],
        "data": about.data,
        "scores": "  ".join(f"{name} {value:.4g}" for name, value in about.scores.items()),
        "origin": about.origin,
        "licence": about.licence,
        "version": about.version,
    }
    for name, text in lines.items():
        if text:
            typer.echo(f"{name:<12}{text}")
    for direction, network in model.networks.items():
        arguments = " ".join(f"{key}={value}" for key, value in network.arguments.items())  # type: ignore[union-attr, operator]
        millions = count_parameters(network) / 1e6
        typer.echo(f"{direction:<12}{type(network).__name__} {arguments} ({millions:.2f} M parameters)")
