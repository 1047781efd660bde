"""Pieces that several methods put together: their networks and optimizers."""

import math
from collections.abc import Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from translate import networks
from translate.errors import ConfigError
from translate.methods.noise_settings import NoiseSettings
from translate.methods.settings import AdversarialSettings, TranslatorSettings
from translate.networks.blocks import translate_any_size
from translate.networks.init import initialise
from translate.objectives.constraints import spectrally_normalise


def make_generator(
    settings: TranslatorSettings, in_channels: int, out_channels: int, size: int, **more: object
) -> nn.Module:
    """A fresh, initialised generator for crops of `size` pixels; `more` are arguments of its own."""
    arguments: dict[str, object] = {
        "in_channels": in_channels,
        "out_channels": out_channels,
        "width": settings.width,
        "norm": settings.norm,
        "dropout": settings.dropout,
        "upsampling": settings.upsampling,
    }
    if settings.generator == "unet":
        arguments["depth"] = settings.depth or max(2, min(8, int(math.log2(size))))
    elif settings.generator == "resnet":
        arguments["blocks"] = settings.blocks
    network = networks.build(settings.generator, arguments | more)
    initialise(network, settings.generator_init, settings.init_gain)
    return network


def make_discriminator(settings: TranslatorSettings, in_channels: int, size: int) -> nn.Module:
    """A fresh, initialised discriminator over `in_channels` channels; raises ConfigError if `size` is too small."""
    arguments: dict[str, object] = {
        "in_channels": in_channels,
        "width": settings.width_d,
        "norm": settings.discriminator_norm,
    }
    if settings.discriminator == "patchgan":
        arguments["layers"] = settings.layers
    network = networks.build(settings.discriminator, arguments)
    minimum = int(network.minimum)  # type: ignore[arg-type]
    if size < minimum:
        raise ConfigError(
            f"--size {size} is too small for a patchgan with layers={settings.layers}, which needs {minimum} "
            "pixels: use a larger --size, or fewer layers (--set layers=2)."
        )
    initialise(network, settings.init, settings.init_gain)
    if settings.spectral_norm:
        spectrally_normalise(network)
    return network


def adam(settings: AdversarialSettings, rate: float, *modules: nn.Module) -> Adam:
    """One Adam over the parameters of all `modules`."""
    parameters: Iterable[nn.Parameter] = chain(*(module.parameters() for module in modules))
    return Adam(parameters, lr=rate, betas=(settings.beta1, settings.beta2), fused=True)


def together(settings: AdversarialSettings, discriminator: nn.Module) -> bool:
    """Whether real and made images may go through `discriminator` in one pass with the same answers.

    Not where a norm mixes a batch, nor where each pass moves the estimate of spectral norms on.
    """
    return bool(discriminator.per_image) and not settings.spectral_norm


def optimizer(settings: NoiseSettings, rate: float, *modules: nn.Module) -> Optimizer:
    """Adam, or RMSprop with the decay of 0.9 that the course's framework has."""
    if settings.optimizer == "adam":
        return adam(settings, rate, *modules)
    return RMSprop(chain(*(module.parameters() for module in modules)), lr=rate, alpha=0.9, eps=1e-7)


def rates(settings: AdversarialSettings) -> dict[str, float]:
    """Learning rate of each player."""
    return {"G": settings.learning_rate, "D": settings.learning_rate_d or settings.learning_rate}


def run(generator: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Translate each of `inputs`, in one pass where the network treats every image on its own (exactly the same)."""
    alike = all(images.shape[1:] == inputs[0].shape[1:] for images in inputs)
    if len(inputs) == 1 or not (generator.per_image and alike):
        return [translate_any_size(generator, images) for images in inputs]
    together = translate_any_size(generator, torch.cat(inputs))
    return list(together.split([len(images) for images in inputs]))
