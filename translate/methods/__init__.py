"""The table of training methods: one file and one row each."""

from translate.config import near_miss
from translate.errors import ConfigError
from translate.methods.adain import Adain
from translate.methods.base import Held, Method, Turn
from translate.methods.colorize import Colorize
from translate.methods.cycle import Cycle
from translate.methods.dcgan import Dcgan
from translate.methods.distill import Distill
from translate.methods.pix2pix import Pix2Pix
from translate.methods.style import Style

METHODS: dict[str, type[Method]] = {
    "pix2pix": Pix2Pix,
    "cycle": Cycle,
    "colorize": Colorize,
    "dcgan": Dcgan,
    "style": Style,
    "adain": Adain,
    "distill": Distill,
}


def find_method(mode: str) -> type[Method]:
    """Return the method called `mode`; raises ConfigError with the near miss."""
    if mode not in METHODS:
        raise ConfigError(f"Unknown mode {mode!r}.{near_miss(mode, METHODS)} `translate modes` lists them.")
    return METHODS[mode]


__all__ = ["METHODS", "Held", "Method", "Turn", "find_method"]
