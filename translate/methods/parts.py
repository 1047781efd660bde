"""Pieces that several methods put together: their networks, their objective's terms, their optimizers."""

import math
from collections.abc import Callable, Iterable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim import Adam

from translate import networks, objectives
from translate.errors import ConfigError
from translate.methods.settings import TranslatorSettings
from translate.networks.blocks import translate_any_size
from translate.networks.init import initialise
from translate.objectives.penalties import gradient_penalty


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
    return network


def adam(settings: TranslatorSettings, rate: float, *modules: nn.Module) -> Adam:
    """One Adam over the parameters of all `modules`."""
    parameters: Iterable[nn.Parameter] = chain(*(module.parameters() for module in modules))
    return Adam(parameters, lr=rate, betas=(settings.beta1, settings.beta2), fused=True)


def rates(settings: TranslatorSettings) -> dict[str, float]:
    """Learning rate of each player."""
    return {"G": settings.learning_rate, "D": settings.learning_rate_d or settings.learning_rate}


def run(generator: nn.Module, *inputs: Tensor) -> list[Tensor]:
    """Translate each of `inputs`, in one pass where the network treats every image on its own (exactly the same)."""
    alike = all(images.shape[1:] == inputs[0].shape[1:] for images in inputs)
    if len(inputs) == 1 or not (generator.per_image and alike):
        return [translate_any_size(generator, images) for images in inputs]
    together = translate_any_size(generator, torch.cat(inputs))
    return list(together.split([len(images) for images in inputs]))


class Judge:
    """An objective with its gradient penalty, as weighted loss terms; holds no tensors."""

    def __init__(self, settings: TranslatorSettings) -> None:
        self.objective = objectives.OBJECTIVES[settings.objective]()
        given = settings.gradient_penalty
        self.penalty = self.objective.default_penalty if given is None else given

    def discriminator(self, discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Terms of D's loss on `real` and `fake` (detached): the objective's and the penalty.

        The objective's are halved, as both papers do to slow D down; not beside a penalty, whose weight is balanced
        against the whole of them (Gulrajani et al. 2017).
        """
        # Fakes first, as in the published training: batch norm's running statistics depend on the order.
        judged = discriminate(fake)
        terms = self.objective.discriminator(real=discriminate(real), fake=judged)
        losses = {name: term if self.penalty else term / 2 for name, term in terms.items()}
        if self.penalty:
            losses["penalty"] = self.penalty * gradient_penalty(discriminate, real, fake)
        return losses

    def generator(self, discriminate: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
        """G's adversarial loss."""
        seen = discriminate(real) if self.objective.pairs else None
        return self.objective.generator(real=seen, fake=discriminate(fake))
