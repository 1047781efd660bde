"""translate info: say what a checkpoint is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from translate.checkpoint import About, Model

MOST_NAMES = 20


def info(checkpoint: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file.")]) -> None:
    """Print what a checkpoint is: mode, directions or classes, networks, size, scores."""
    from translate.checkpoint import count_parameters, find_model, load_model

    path = find_model(checkpoint)
    model = load_model(path)
    about = model.about
    lines = {
        "file": f"{path} ({path.stat().st_size / 2**20:.1f} MiB)",
        "mode": about.mode,
        **_role(model),
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
        name = "generator" if direction == "noise" else direction
        typer.echo(f"{name:<12}{type(network).__name__} {arguments} ({millions:.2f} M parameters)")


def _role(model: "Model") -> dict[str, str]:
    """What goes in and what comes out."""
    about = model.about
    if "noise" in model.networks:
        return _of_noise(about, model.networks["noise"].arguments)
    return {
        "direction": f"{about.direction} by default; knows {', '.join(model.networks)}",
        "channels": f"A {about.channels[0]}, B {about.channels[1]}, values in [-1, 1]",
    }


def _of_noise(about: "About", arguments: Any) -> dict[str, str]:
    classes, continuous, size = arguments["classes"], arguments["continuous"], arguments["size"]
    names = ", ".join(about.labels[:MOST_NAMES]) + (" ..." if len(about.labels) > MOST_NAMES else "")
    labels = f"{classes}: {names}" if len(about.labels) == classes else f"{classes} without names, 0 to {classes - 1}"
    return {
        "makes": f"images of {size} x {size} pixels, {arguments['out_channels']} channels, values in [-1, 1]",
        "noise": f"{arguments['latent']} numbers, {about.noise}{', scaled to one length' if about.spherical else ''}",
        "labels": labels if classes else "",
        "codes": f"{continuous} in [-1, 1], besides the noise" if continuous else "",
    }
