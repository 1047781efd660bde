"""translate modes: list the modes, and the settings of one."""

import types
import typing
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo


def modes(mode: Annotated[str | None, typer.Argument(help="Print this mode's settings.")] = None) -> None:
    """List what can be trained; with MODE, print its settings."""
    from translate.config import Config, DataSettings, TrainingSettings
    from translate.methods import METHODS, find_method

    if mode is None:
        import sys

        for name, method in METHODS.items():
            about = (sys.modules[method.__module__].__doc__ or "").strip().splitlines()[0]
            typer.echo(f"{name:<10}{about}\n{'':<10}{(method.__doc__ or '').strip().splitlines()[0]}")
        typer.echo("\n`translate modes MODE` prints the settings of one.")
        return
    groups: dict[str, type[Config]] = {
        f"--mode {mode}: set with --set name=value": find_method(mode).settings,
        "data: every mode has these": DataSettings,
        "training: every mode has these": TrainingSettings,
    }
    usual = find_method(mode).usual
    for title, group in groups.items():
        typer.echo(f"\n{title}")
        for name, field in group.model_fields.items():
            default = usual.get(name, field.default)
            typer.echo(f"  {name:<17}{default!s:<16}{field.description} [{describe_type(field)}]")


def describe_type(field: FieldInfo) -> str:
    """What the field takes, in a few signs: `int >=1`, `batch|instance|none`."""
    bounds = {"Ge": ">=", "Gt": ">", "Le": "<=", "Lt": "<"}
    limits = []
    for item in field.metadata:
        sign = bounds.get(type(item).__name__)
        if sign:
            limits.append(f"{sign}{getattr(item, type(item).__name__.lower())}")
    return " ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "|".join(str(value) for value in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in typing.get_args(annotation) if part is not type(None))
    return getattr(annotation, "__name__", str(annotation))
