"""Settings of the method distill."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from translate.config import Norm
from translate.methods.settings import AdversarialSettings
from translate.objectives import OBJECTIVES


class DistillSettings(AdversarialSettings):
    """What is learned from which teacher, by what sort of student, and how much each loss weighs."""

    teacher: Path | None = Field(None, description="The run folder or model file to learn from.")
    student: Literal["small", "tiny"] = Field(
        "small", description="Operations a picture: small, at most a tenth of the teacher's; tiny, a thirtieth."
    )
    domains: Literal["paired", "unpaired", "single"] = Field(
        "paired", description="What the data set holds: pairs, two folders that are none, one folder of inputs."
    )
    width: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Channels of the student's first layer; default: the largest multiple of 16 that student allows, "
        "where there is none of 8, 4, 2 or 1.",
    )
    blocks: int = Field(9, ge=0, le=64, description="Residual blocks of the student.")
    norm: Norm = Field("instance", description="Normalisation of the student.")
    upsampling: Literal["transposed", "resize"] = Field(
        "transposed", description="transposed convolution, or resize and convolve (no checkerboard)."
    )
    width_d: int = Field(64, ge=1, le=1024, description="Channels of the discriminator's first layer.")
    layers: int = Field(3, ge=1, le=8, description="Strided layers of the discriminator; 3 sees 70x70 pixels.")
    norm_d: Norm = Field("instance", description="Normalisation of the discriminator.")
    gan: float = Field(1.0, ge=0, description="Weight of the adversarial loss.")
    truth: float = Field(100.0, ge=0, description="Weight of the L1 distance to the truth, where there are pairs.")
    output: float = Field(50.0, ge=0, description="Weight of the L1 distance to what the teacher makes.")
    inner: float = Field(10.0, ge=0, description="Weight of the squared distance to the teacher's inner values.")
    lessons: int = Field(4, ge=1, le=16, description="Places where inner values are compared, at most.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Rate of the student's optimizer.")
    learning_rate_d: float | None = Field(2e-4, gt=0, le=1, description="The discriminator's rate.")
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field("xavier", description="Initial weights.")
    init_gain: float = Field(1.0, gt=0, description="Spread of the initial weights.")

    @model_validator(mode="after")
    def _judges_patches(self) -> Self:
        if OBJECTIVES[self.objective].energy:
            raise ValueError(
                f"objective={self.objective} takes the energies of an auto-encoder that sees whole images, and this "
                "discriminator judges patches: lsgan, vanilla and hinge do"
            )
        return self

    @property
    def discriminator_norm(self) -> Norm:
        return self.norm_d
