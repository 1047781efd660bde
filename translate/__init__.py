"""Image-to-image translation: train on your own pictures, translate whole folders.

import translate

run = translate.fit("datasets/horse2zebra", mode="cycle", epochs=200)
to_zebra = translate.load(run)
to_zebra(PIL.Image.open("horse.jpg")).save("zebra.jpg")
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from translate.version import __version__

if TYPE_CHECKING:
    from translate.colorize import colorize
    from translate.distill import distill
    from translate.evaluate import evaluate
    from translate.fit import fit
    from translate.loading import load
    from translate.preflight import preflight
    from translate.sampler import Sampler
    from translate.stylize import stylize
    from translate.translator import Translator

__all__ = [
    "Sampler",
    "Translator",
    "__version__",
    "colorize",
    "distill",
    "evaluate",
    "fit",
    "load",
    "preflight",
    "stylize",
]

# Imported when first used, so that `translate --help` need not wait for torch.
_HOMES = {
    "colorize": "translate.colorize",
    "distill": "translate.distill",
    "evaluate": "translate.evaluate",
    "fit": "translate.fit",
    "load": "translate.loading",
    "preflight": "translate.preflight",
    "Sampler": "translate.sampler",
    "stylize": "translate.stylize",
    "Translator": "translate.translator",
}


class _Package(ModuleType):
    """Keeps a public name the function that it is, whoever imports the module of that name (import translate.fit)."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'translate' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
