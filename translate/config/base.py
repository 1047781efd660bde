"""Immutable, checked groups of settings, and how what a user typed finds its group."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from translate.errors import ConfigError


class Config(BaseModel):
    """A frozen group of settings. Build it with `checked`, which raises ConfigError with the near miss."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Validate `values`; raises ConfigError naming each setting, its value and what would do."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError("\n".join(_explain(cls, item) for item in error.errors())) from None


def sort_settings(values: Mapping[str, Any], groups: Mapping[str, type[Config]]) -> dict[str, dict[str, Any]]:
    """Put each of `values` into the one of `groups` that has a field of its name.

    Raises ConfigError, with the near miss, for a name that no group has.
    """
    sorted_values: dict[str, dict[str, Any]] = {name: {} for name in groups}
    for key, value in values.items():
        owner = next((name for name, group in groups.items() if key in group.model_fields), None)
        if owner is None:
            known = [field for group in groups.values() for field in group.model_fields]
            raise ConfigError(
                f"Unknown setting {key!r}.{near_miss(key, known)} `translate modes MODE` lists the settings."
            )
        field = groups[owner].model_fields[key]
        # Typed as text, none is how to say that a setting is not set; where it is a choice of its own, it is that.
        unset = value == "none" and field.default is None and "'none'" not in str(field.annotation)
        sorted_values[owner][key] = None if unset else value
    return sorted_values


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `name=value`; raises ConfigError if there is no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set takes name=value, not {text!r}.")
    return name.strip().replace("-", "_"), value.strip()


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the closest of `known`, or all of them if nothing is close."""
    known = sorted(set(known))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if len(known) <= 12 else ""


def _explain(cls: type[Config], item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"Unknown setting {name!r}.{near_miss(name, cls.model_fields)}"
    message = item["msg"].removeprefix("Value error, ")
    if not name:
        return f"Settings contradict each other: {message}."
    return f"Setting {name}={item['input']!r} will not do: {message[0].lower()}{message[1:]}."
