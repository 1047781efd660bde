"""The packages that are not always there."""

from importlib.util import find_spec

from translate.errors import ConfigError


def installed(*packages: str) -> bool:
    return all(find_spec(package) is not None for package in packages)


def require(extra: str, *packages: str) -> None:
    """Raise ConfigError, with what installs it, if one of `packages` is missing."""
    missing = [package for package in packages if not installed(package)]
    if missing:
        raise ConfigError(f"This needs {' and '.join(missing)}: `pip install 'translate[{extra}]'`.")
