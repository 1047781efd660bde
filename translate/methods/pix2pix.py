"""Pix2Pix: image-to-image translation with conditional adversarial networks (Isola et al., CVPR 2017)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from translate.config import Direction, Norm, Role
from translate.data.batch import Batch
from translate.methods import parts
from translate.methods.base import Method, Turn
from translate.methods.judge import Judge
from translate.methods.settings import ObjectiveName, TranslatorSettings


class Pix2PixSettings(TranslatorSettings):
    """The paper's defaults: U-Net with dropout, batch norm, conditional 70x70 PatchGAN, L1 weight 100."""

    generator: Literal["unet", "resnet"] = Field("unet", description="Generator network.")
    norm: Norm = Field("batch", description="Normalisation.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout in the generator.")
    objective: ObjectiveName = Field("vanilla", description="Adversarial objective.")
    l1: float = Field(100.0, ge=0, description="Weight of the L1 distance to the truth.")


class Pix2Pix(Method):
    """Needs pairs. Plays D first, then G on the same fakes."""

    settings = Pix2PixSettings
    source = "paired"

    def __init__(self, settings: Pix2PixSettings, channels: tuple[int, int], size: int, direction: Direction) -> None:
        nn.Module.__init__(self)
        self.config = settings
        self.direction = direction
        self.channels = channels
        source, target = channels if direction == "AtoB" else channels[::-1]
        self.generator = parts.make_generator(settings, source, target, size)
        self.discriminator = parts.make_discriminator(settings, source + target, size)
        self.judge = Judge(settings, together=parts.together(settings, self.discriminator))
        self.takes_bf16 = self.graphable = self.compilable = self.judge.compilable

    def optimizers(self) -> dict[str, Optimizer]:
        rates = parts.rates(self.config)
        return {
            "D": parts.adam(self.config, rates["D"], self.discriminator),
            "G": parts.adam(self.config, rates["G"], self.generator),
        }

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        source, target = batch.oriented(self.direction)
        (fake,) = parts.run(self.generator, source)

        def discriminate(output: Tensor) -> Tensor:
            # Conditional: D sees the input beside the output. There may be several outputs an input, one after another.
            inputs = source.repeat(len(output) // len(source), 1, 1, 1)
            return self.discriminator(torch.cat([inputs, output.to(source.dtype)], dim=1))

        yield Turn("D", *self.judge.discriminator(discriminate, target, fake.detach(), index))
        self.judge.constrain(self.discriminator)
        yield Turn(
            "G",
            {
                "gan": self.judge.generator(discriminate, target, fake),
                "l1": self.config.l1 * F.l1_loss(fake.to(target.dtype), target),
            },
        )

    def generators(self) -> dict[Role, nn.Module]:
        return {self.direction: self.generator}

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        return (self.discriminator(torch.cat(batch.oriented(self.direction), dim=1)).flatten(1).mean(dim=1),)
