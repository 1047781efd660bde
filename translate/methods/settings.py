"""Settings that several methods share: those of every adversarial game, and those of the translators among them."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from translate.config import Config, Norm
from translate.objectives import OBJECTIVES
from translate.objectives.penalties import PENALTIES

if TYPE_CHECKING:
    ObjectiveName = str
else:
    ObjectiveName = Literal[tuple(OBJECTIVES)]  # a row of the table is a choice here


def names_of(table: Collection[str]) -> Any:
    """The type of a setting that takes one of the names in `table`."""
    return Literal[tuple(table)]


class AdversarialSettings(Config):
    """Objective, penalties, constraints and rates. A method overrides defaults by its paper's."""

    objective: ObjectiveName = Field("lsgan", description="Adversarial objective.")
    gradient_penalty: float | None = Field(
        None, ge=0, description="Weight of the gradient penalty; default: 10 for wgan that nothing else holds, else 0."
    )
    dragan: float = Field(0.0, ge=0, description="Weight of DRAGAN's penalty, around real images (10 in its paper).")
    r1: float = Field(0.0, ge=0, description="Weight of R1: half the squared gradient at real images.")
    r2: float = Field(0.0, ge=0, description="Weight of R2: the same at made images.")
    penalty_every: int = Field(
        1, ge=1, le=64, description="Steps from one turn with penalties to the next, which then weigh so many times."
    )
    weight_clip: float = Field(
        0.0, ge=0, description="Largest weight of the discriminator (0.01 in the WGAN paper); 0: any."
    )
    spectral_norm: bool = Field(False, description="Keep every layer of the discriminator at spectral norm 1.")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="Rate of the generators' optimizer.")
    learning_rate_d: float | None = Field(None, gt=0, le=1, description="The discriminators' rate; default: the same.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's first momentum.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second momentum.")

    @property
    def penalties(self) -> dict[str, float]:
        """Weight of each penalty that is not 0."""
        weights = {name: getattr(self, name) for name in PENALTIES}
        if weights["gradient_penalty"] is None:
            held = (
                self.weight_clip or self.spectral_norm or any(v for k, v in weights.items() if k != "gradient_penalty")
            )
            weights["gradient_penalty"] = 0.0 if held else OBJECTIVES[self.objective].default_penalty
        return {name: weight for name, weight in weights.items() if weight}

    @property
    def discriminator_norm(self) -> Norm:
        """Normalisation of the discriminator, as it is used."""
        return "none"

    @model_validator(mode="after")
    def _penalty_needs_per_image_norm(self) -> Self:
        if self.penalties and self.discriminator_norm == "batch":
            raise ValueError(
                "a gradient penalty is taken image by image, which batch norm in the discriminator mixes up: "
                "set norm_d=instance"
            )
        return self


class TranslatorSettings(AdversarialSettings):
    """Generator, discriminator, objective and optimizers of a translator."""

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

    @model_validator(mode="after")
    def _judges_patches(self) -> Self:
        if OBJECTIVES[self.objective].energy:
            raise ValueError(
                f"objective={self.objective} takes the energies of an auto-encoder that sees whole images, and a "
                "translator's discriminator judges patches: --mode dcgan has such a one"
            )
        return self

    @property
    def generator_init(self) -> str:
        return self.init

    @property
    def discriminator_norm(self) -> Norm:
        return self.norm if self.norm_d is None else self.norm_d
