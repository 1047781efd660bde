"""Imports point down: a module imports only from its own layer's lower neighbours, as docs/design.md draws it."""

import ast
from pathlib import Path

import pytest

import translate

ROOT = Path(translate.__file__).parent
LAYERS = [
    [
        "errors",
        "version",
        "files",
        "config",
        "images",
        "distributed",
        "exchange",
        "stopping",
        "log",
        "machine",
        "streams",
        "shipped",
    ],
    ["colour", "data", "networks", "objectives", "metrics", "latent", "schedule", "grid", "means", "features", "style"],
    ["methods", "tiling", "health"],
    [
        "checkpoint",
        "training",
        "foreign",
        "validation",
        "watch",
        "recovery",
        "report",
        "run",
        "settings",
        "engines",
        "fitting",
        "rendering",
    ],
    [
        "translator",
        "loading",
        "export",
        "convert",
        "colorize",
        "stylize",
        "distill",
        "evaluate",
        "display",
        "rounds",
        "fit",
        "preparing",
        "preflight",
        "game2d",
        "sampler",
    ],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# Parts of one level know nothing of each other, but for these.
KNOWN = {
    ("config", "errors"),
    ("files", "errors"),
    ("images", "files"),
    ("images", "errors"),
    ("distributed", "errors"),
    ("exchange", "distributed"),
    ("training", "checkpoint"),
    ("foreign", "checkpoint"),
    ("log", "errors"),
    ("shipped", "errors"),
    ("log", "files"),
    ("validation", "checkpoint"),
    ("validation", "training"),
    ("run", "checkpoint"),
    ("run", "validation"),
    ("run", "watch"),
    ("run", "recovery"),
    ("run", "report"),
    ("report", "training"),
    ("recovery", "checkpoint"),
    ("watch", "training"),
    ("watch", "validation"),
    ("run", "training"),
    ("engines", "checkpoint"),
    ("fitting", "engines"),
    ("metrics", "colour"),
    ("networks", "colour"),
    ("features", "data"),
    ("style", "features"),
    ("convert", "translator"),
    ("loading", "translator"),
    ("colorize", "convert"),
    ("evaluate", "translator"),
    ("colorize", "loading"),
    ("colorize", "translator"),
    ("distill", "display"),
    ("distill", "fit"),
    ("distill", "loading"),
    ("distill", "translator"),
    ("stylize", "convert"),
    ("stylize", "loading"),
    ("stylize", "translator"),
    ("fit", "rounds"),
    ("rounds", "display"),
    ("fit", "preparing"),
    ("preparing", "rounds"),
    ("preparing", "display"),
    ("preflight", "preparing"),
    ("preflight", "rounds"),
    ("preflight", "display"),
}
# Only at a public door: the package itself and `python -m translate`.
DOORS = {"__init__", "__main__"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if room_of(path) not in DOORS]


def imported(path: Path) -> set[str]:
    """Rooms of the package that `path` imports from, anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("translate.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path):
    room = room_of(path)
    for other in imported(path) - {room}:
        below = LEVEL[other] < LEVEL[room]
        assert below or (room, other) in KNOWN, f"{path.name} ({room}) imports {other}"


def test_every_room_has_a_level():
    assert {room_of(path) for path in modules()} == set(LEVEL)
