"""The settings that the adversarial translators share: their networks, objective and optimizers."""

from typing import Literal, Self

from pydantic import Field, model_validator

from translate.config import Config, Norm


class TranslatorSettings(Config):
    """Generator, discriminator, objective and rates. A method overrides defaults by its paper's."""

    generator: str = Field(description="Generator network.")
    width: int = Field(64, ge=1, le=1024, description="Channels of the generator's first layer.")
    depth: int | None = Field(None, ge=2, le=12, description="Downsamplings of a unet; default: from size, at most 8.")
    blocks: int = Field(9, ge=1, le=64, description="Residual blocks of a resnet (6 or 9 in the paper).")
    norm: Norm = Field("instance", description="Normalisation.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in the generator.")
    upsampling: Literal["transposed", "resize"] = Field(
        "transposed", description="transposed convolution, or resize and convolve (no checkerboard)."
    )
    discriminator: Literal["patchgan", "pixel"] = Field("patchgan", description="Discriminator network.")
    width_d: int = Field(64, ge=1, le=1024, description="Channels of the discriminator's first layer.")
    layers: int = Field(3, ge=1, le=8, description="Strided layers of the patchgan; 3 sees 70x70 pixels.")
    norm_d: Norm | None = Field(None, description="Normalisation of the discriminator; default: as norm.")
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field("normal", description="Initial weights.")
    init_gain: float = Field(0.02, gt=0, description="Spread of the initial weights.")
    objective: Literal["vanilla", "lsgan", "hinge", "wgan"] = Field("lsgan", description="Adversarial objective.")
    gradient_penalty: float | None = Field(
        None, ge=0, description="Weight of the gradient penalty; default: 10 for wgan, else 0."
    )
    learning_rate: float = Field(2e-4, gt=0, le=1, description="Adam's rate for the generators.")
    learning_rate_d: float | None = Field(None, gt=0, le=1, description="The discriminators' rate; default: the same.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first momentum.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second momentum.")

    @model_validator(mode="after")
    def _penalty_needs_per_image_norm(self) -> Self:
        penalised = self.gradient_penalty if self.gradient_penalty is not None else float(self.objective == "wgan")
        if penalised and self.discriminator_norm == "batch":
            raise ValueError(
                "a gradient penalty is taken image by image, which batch norm in the discriminator mixes up: "
                "set norm_d=instance"
            )
        return self

    @property
    def generator_init(self) -> str:
        return self.init

    @property
    def discriminator_norm(self) -> Norm:
        return self.norm if self.norm_d is None else self.norm_d
