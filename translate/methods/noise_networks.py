"""The networks of a generator from noise and of its discriminator, as the settings ask for them."""

from typing import Any

from torch import nn

from translate import networks
from translate.methods.noise_settings import NoiseSettings
from translate.networks.init import initialise
from translate.objectives import OBJECTIVES
from translate.objectives.constraints import spectrally_normalise


def make_generator(settings: NoiseSettings, channels: int, size: int, labels: int) -> nn.Module:
    """A fresh, initialised generator of images of `size` pixels, of `labels` classes if the settings want them."""
    infogan = settings.conditioning == "infogan"
    arguments = {
        "out_channels": channels,
        "size": size,
        "latent": settings.latent,
        "width": settings.width,
        "norm": settings.norm,
        "classes": settings.categories if infogan else labels,
        "conditioning": settings.conditioning_g if settings.classes_wanted else "none",
        "continuous": settings.continuous if infogan else 0,
    }
    return _initialised(networks.build(f"{settings.network}_generator", arguments), settings)


def make_discriminator(settings: NoiseSettings, channels: int, size: int, labels: int) -> nn.Module:
    """A fresh, initialised discriminator: of the generator's family, or the auto-encoder that an energy needs."""
    arguments: dict[str, Any] = {
        "in_channels": channels,
        "size": size,
        "width": settings.width_d,
        "norm": settings.discriminator_norm,
        "classes": labels if settings.labelled else 0,
        "conditioning": settings.conditioning if settings.labelled else "none",
    }
    if OBJECTIVES[settings.objective].energy:
        name = "mlp_autoencoder" if settings.network == "mlp" else "autoencoder"
        arguments["power"] = 2 if settings.objective == "ebgan" else 1
    else:
        name = f"{settings.network}_discriminator"
        if settings.conditioning == "infogan":
            arguments |= {"categories": settings.categories, "continuous": settings.continuous}
        if settings.network == "course32":
            arguments["dropout"] = settings.dropout
    return _initialised(networks.build(name, arguments), settings, normalised=settings.spectral_norm)


def _initialised(network: nn.Module, settings: NoiseSettings, *, normalised: bool = False) -> nn.Module:
    initialise(network, settings.init, settings.init_gain)
    if normalised:
        spectrally_normalise(network)
    return network
