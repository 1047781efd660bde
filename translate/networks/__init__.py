"""The tables of networks: one file and one row each. A network takes numbers, never a settings object."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from translate.config import near_miss
from translate.errors import ConfigError
from translate.networks.adain import AdaIN
from translate.networks.autoencoder import Autoencoder, MlpAutoencoder
from translate.networks.blocks import Discriminator, Generator
from translate.networks.colour_unet import ColourUNet
from translate.networks.course28 import Course28Discriminator, Course28Generator
from translate.networks.course32 import Course32Discriminator, Course32Generator
from translate.networks.critics import Critic
from translate.networks.dcgan import DcganDiscriminator, DcganGenerator
from translate.networks.mlp import MlpDiscriminator, MlpGenerator
from translate.networks.patchgan import PatchGAN
from translate.networks.pixel import PixelDiscriminator
from translate.networks.residual import ResidualDiscriminator, ResidualGenerator
from translate.networks.resnet import ResNet
from translate.networks.samplers import Sampler
from translate.networks.separable_resnet import SeparableResNet
from translate.networks.unet import UNet

GENERATORS: dict[str, type[Generator]] = {
    "unet": UNet,
    "resnet": ResNet,
    "colour_unet": ColourUNet,
    "adain": AdaIN,
    "separable_resnet": SeparableResNet,
}

DISCRIMINATORS: dict[str, type[Discriminator]] = {
    "patchgan": PatchGAN,
    "pixel": PixelDiscriminator,
}

SAMPLERS: dict[str, type[Sampler]] = {
    "dcgan_generator": DcganGenerator,
    "course28_generator": Course28Generator,
    "course32_generator": Course32Generator,
    "residual_generator": ResidualGenerator,
    "mlp_generator": MlpGenerator,
}
"""Images from noise."""

CRITICS: dict[str, type[Critic]] = {
    "dcgan_discriminator": DcganDiscriminator,
    "course28_discriminator": Course28Discriminator,
    "course32_discriminator": Course32Discriminator,
    "residual_discriminator": ResidualDiscriminator,
    "mlp_discriminator": MlpDiscriminator,
    "autoencoder": Autoencoder,
    "mlp_autoencoder": MlpAutoencoder,
}
"""Judges of whole images."""

NETWORKS: dict[str, type[nn.Module]] = {**GENERATORS, **DISCRIMINATORS, **SAMPLERS, **CRITICS}


def build(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make the network called `name`; what it was made with then stands, whole, in its `arguments`.

    Raises ConfigError, with the near miss, for an unknown name or argument, and for one that is missing or will not do.
    """
    if name not in NETWORKS:
        raise ConfigError(f"Unknown network {name!r}.{near_miss(name, NETWORKS)}")
    known = inspect.signature(NETWORKS[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise ConfigError(f"Network {name!r} has no argument {argument!r}.{near_miss(argument, known)}")
    missing = [key for key, value in known.items() if value.default is value.empty and key not in arguments]
    if missing:
        raise ConfigError(f"Network {name!r} needs {', '.join(missing)}.")
    return NETWORKS[name](**arguments)


def name_of(network: nn.Module) -> str:
    """The name under which `build` makes such a network."""
    return next(name for name, kind in NETWORKS.items() if type(network) is kind)


__all__ = ["CRITICS", "DISCRIMINATORS", "GENERATORS", "NETWORKS", "SAMPLERS", "build", "name_of"]
