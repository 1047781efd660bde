"""The settings of colorizing: the generator's own, those of its two heads, and the phases of a game."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from translate.config import Norm
from translate.methods.settings import ObjectiveName, TranslatorSettings


class ColorizeSettings(TranslatorSettings):
    """A U-Net with a deep encoder that classifies chroma; what only one of the heads heeds says so."""

    generator: Literal["colour_unet", "unet", "resnet"] = Field("colour_unet", description="Generator network.")
    head: Literal["classification", "regression"] = Field(
        "classification",
        description="classification over quantised chroma (vivid; several answers can be drawn), or regression with "
        "L1 and a PatchGAN.",
    )
    encoder: Literal["own", "resnet18", "resnet34"] = Field(
        "own",
        description="Way down of a colour_unet; a resnet, of its own width, begins with ImageNet's weights if they are "
        "at hand.",
    )
    encoder_weights: Path | None = Field(
        None, description="File of the resnet's weights; default: where torchvision keeps what was downloaded."
    )
    width: int = Field(32, ge=1, le=1024, description="Channels of the generator's first layer.")
    depth: int | None = Field(None, ge=2, le=12, description="Halvings; default: from size, at most 5 (unet: 8).")
    attention: bool = Field(True, description="Self-attention at 1/16 of the size.")
    norm: Norm = Field("batch", description="Normalisation.")
    norm_d: Norm | None = Field("instance", description="Normalisation of the discriminator.")
    upsampling: Literal["transposed", "resize"] = Field(
        "resize", description="transposed convolution, or resize and convolve (no checkerboard)."
    )
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field(
        "normal", description="Initial weights; a classifying generator's are kaiming."
    )
    objective: ObjectiveName = Field("vanilla", description="Adversarial objective.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's rate for the generator.")
    learning_rate_d: float | None = Field(2e-4, gt=0, le=1, description="The discriminator's rate.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first momentum.")
    hints: bool = Field(True, description="Take colour hints, and learn from simulated ones.")
    rebalance: float = Field(
        0.5, ge=0, le=1, description="classification: how much rare colours are weighed up; 0: not at all, 1: fully."
    )
    temperature: float = Field(
        0.05, ge=0.01, le=1, description="classification: of the annealed mean; 1: the mean, towards 0: the likeliest."
    )
    vividness: float = Field(
        1.0, ge=0, le=1, description="classification: 1 answers with the odds as rebalanced, 0 with the true ones."
    )
    l1: float = Field(10.0, ge=0, description="regression: weight of the L1 distance to the true chroma.")
    gan: float = Field(1.0, ge=0, description="regression: weight of the adversarial loss; 0: no discriminator.")
    pretrain: float = Field(0.7, ge=0, le=1, description="regression: share of the run with the generator alone.")
    critic: float = Field(0.1, ge=0, le=1, description="regression: share after that with the discriminator alone.")
    look_every: int = Field(
        100, ge=1, description="regression: steps between held-out looks while both play, which ends when they turn."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.pretrain + self.critic > 1:
            raise ValueError(f"pretrain {self.pretrain} and critic {self.critic} are more than the whole run")
        if self.head == "classification" and self.generator != "colour_unet":
            raise ValueError(f"a {self.generator} has no classification head: set head=regression")
        if self.encoder != "own" and self.generator != "colour_unet":
            raise ValueError(f"a {self.generator} has no encoder {self.encoder}: set generator=colour_unet")
        return self

    @property
    def generator_init(self) -> str:
        # On drawn shapes a regression hardly leaves grey from kaiming's larger weights, a classifier learns faster.
        return "kaiming" if self.head == "classification" else self.init

    @property
    def adversarial(self) -> bool:
        return self.head == "regression" and self.gan > 0
