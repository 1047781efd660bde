"""Command-line options made from settings, so that a default and a help text are said once."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer

from translate.config import Config

Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
Backend = Annotated[
    str | None,
    typer.Option(
        help="What computes: torch, openvino, onnx, auto.", show_default="torch; of an exported model its own"
    ),
]
Precision = Annotated[str, typer.Option(help="fp32, bf16, auto.")]


def flag(group: type[Config], name: str, *short: str) -> Any:
    """An option for the field `name` of `group`; None when it is not given."""
    field = group.model_fields[name]
    shown = None if field.default in (None, (), "") else str(field.default)
    return typer.Option(
        f"--{name.replace('_', '-')}", *short, help=field.description, show_default=shown or False, metavar=_meta(field)
    )


def switch(group: type[Config], name: str) -> Any:
    """A flag without value for the boolean field `name` of `group`; None when it is not given."""
    option = f"--{name.replace('_', '-')}"
    return typer.Option(option, help=group.model_fields[name].description, show_default=False)


def with_settings(
    *groups: type[Config], short: dict[str, str] | None = None, without: Collection[str] = ()
) -> Callable[[Any], Any]:
    """Give a command a flag for every field of `groups`; it gets those that were given in one dict, `given`.

    `short` are further names of flags, as {"variants": "-k"}; fields in `without` get no flag. Of a name that several
    groups have, the first one's field counts.
    """

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())
        hints = typing.get_type_hints(command, include_extras=True)
        own = [each.replace(annotation=hints[each.name]) for each in own if each.name != "given"]
        fields = {name: group for group in reversed(groups) for name in group.model_fields if name not in without}
        flags = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(group, name, short or {})
            )
            for group in groups
            for name in group.model_fields
            if fields.get(name) is group
        ]

        @functools.wraps(command)
        def run(*args: Any, **values: Any) -> None:
            given = {each.name: values.pop(each.name) for each in flags}
            command(*args, **values, given={k: v for k, v in given.items() if v not in (None, [], ())})

        run.__signature__ = inspect.Signature(own + flags)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in own + flags}
        return run

    return decorated


def _annotation(group: type[Config], name: str, short: dict[str, str]) -> Any:
    kind = _without_none(group.model_fields[name].annotation)
    if kind is bool:
        return Annotated[bool | None, switch(group, name)]
    more = (short[name],) if name in short else ()
    if typing.get_origin(kind) is tuple:
        return Annotated[list[str] | None, flag(group, name, *more)]
    plain = str if typing.get_origin(kind) is typing.Literal else kind
    return Annotated[plain | None, flag(group, name, *more)]


def _without_none(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _meta(field: Any) -> str | None:
    kind = _without_none(field.annotation)
    return "|".join(map(str, typing.get_args(kind))) if typing.get_origin(kind) is typing.Literal else None
