"""Command-line options made from settings, so that a default and a help text are said once."""

from typing import Any

import typer

from translate.config import Config


def flag(group: type[Config], name: str) -> Any:
    """An option for the field `name` of `group`; None when it is not given."""
    field = group.model_fields[name]
    shown = None if field.default in (None, ()) else str(field.default)
    return typer.Option(f"--{name.replace('_', '-')}", help=field.description, show_default=shown or False)


def switch(group: type[Config], name: str) -> Any:
    """A flag without value for the boolean field `name` of `group`; None when it is not given."""
    option = f"--{name.replace('_', '-')}"
    return typer.Option(option, help=group.model_fields[name].description, show_default=False)
