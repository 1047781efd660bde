"""The tables of networks: one file and one row each. A network takes numbers, never a settings object."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.blocks import Discriminator, Generator
from translate.networks.colour_unet import ColourUNet
from translate.networks.patchgan import PatchGAN
from translate.networks.pixel import PixelDiscriminator
from translate.networks.resnet import ResNet
from translate.networks.unet import UNet

GENERATORS: dict[str, type[Generator]] = {
    "unet": UNet,
    "resnet": ResNet,
    "colour_unet": ColourUNet,
}

DISCRIMINATORS: dict[str, type[Discriminator]] = {
    "patchgan": PatchGAN,
    "pixel": PixelDiscriminator,
}


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make the network called `name`; what it was made with then stands, whole, in its `arguments`.

    Raises ConfigError, with the near miss, for an unknown name or argument, and for one that is missing or will not do.
    """
    table: dict[str, type[nn.Module]] = {**GENERATORS, **DISCRIMINATORS}
    if name not in table:
        raise ConfigError(f"Unknown network {name!r}.{near_miss(name, table)}")
    known = inspect.signature(table[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise ConfigError(f"Network {name!r} has no argument {argument!r}.{near_miss(argument, known)}")
    missing = [key for key, value in known.items() if value.default is value.empty and key not in arguments]
    if missing:
        raise ConfigError(f"Network {name!r} needs {', '.join(missing)}.")
    return table[name](**arguments)


def name_of(network: nn.Module) -> str:
    """The name under which `build` makes such a network."""
    return next(name for name, kind in (GENERATORS | DISCRIMINATORS).items() if type(network) is kind)


__all__ = ["DISCRIMINATORS", "GENERATORS", "build", "name_of"]
