"""The settings of generators from noise: networks, conditions, objective, and tricks, off by default."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from translate.config import Norm
from translate.latent import NOISES
from translate.methods.diffaugment import check_policy
from translate.methods.presets import PRESETS
from translate.methods.settings import AdversarialSettings, ObjectiveName, names_of
from translate.objectives import OBJECTIVES


class NoiseSettings(AdversarialSettings):
    """Generator and discriminator, conditions, tricks. What a preset sets is used where nothing else is given."""

    preset: names_of(PRESETS) = Field("paper64", description="Networks and settings by the name of their source.")  # type: ignore[valid-type]
    network: Literal["dcgan", "course28", "course32", "residual", "mlp"] = Field(
        "dcgan", description="Family of generator and discriminator (mlp: of points, for demo2d)."
    )
    latent: int = Field(100, ge=1, le=4096, description="Numbers of noise an image is made from.")
    noise: names_of(NOISES) = Field("gaussian", description="Distribution of the noise, standardised.")  # type: ignore[valid-type]
    spherical: bool = Field(False, description="Bring all noise vectors to one length.")
    width: int = Field(64, ge=1, le=1024, description="Channels of the generator's last hidden layer.")
    width_d: int = Field(64, ge=1, le=1024, description="Channels of the discriminator's first layer.")
    norm: Norm = Field("batch", description="Normalisation.")
    norm_d: Norm | None = Field(
        None, description="Normalisation of the discriminator; default: as norm, but instance beside a penalty."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in a course32's discriminator.")
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field(
        "normal", description="Initial weights; a residual network has its own."
    )
    init_gain: float = Field(0.02, gt=0, description="Spread of the initial weights.")
    objective: ObjectiveName = Field("vanilla", description="Adversarial objective.")
    margin: float | None = Field(
        None, gt=0, description="ebgan: energy up to which fakes are pushed; default: its own."
    )
    gamma: float = Field(
        0.5, gt=0, le=1, description="began: energy of fakes for that of reals, diversity for quality."
    )
    k_rate: float = Field(1e-3, gt=0, le=1, description="began: rate of k, which keeps gamma.")
    optimizer: Literal["adam", "rmsprop"] = Field("adam", description="Optimizer of both players.")

    conditioning: Literal["none", "concat", "projection", "acgan", "infogan"] = Field(
        "none",
        description="What the discriminator does with class labels: sees them beside the image, projects on them, or "
        "names them (acgan); infogan has no labels and finds categories of its own.",
    )
    conditioning_g: Literal["concat", "batchnorm"] = Field(
        "concat", description="How the generator takes a label: beside the noise, or by conditional batch norm."
    )
    labels: Path | None = Field(None, description="CSV of file,label; default: the first sub-folder is the label.")
    class_weight: float = Field(1.0, ge=0, description="acgan: weight of naming the class.")
    categories: int = Field(10, ge=0, le=1000, description="infogan: values of the categorical code; 0: none.")
    continuous: int = Field(2, ge=0, le=64, description="infogan: continuous codes, even in [-1, 1].")
    info_weight: float = Field(1.0, ge=0, description="infogan: weight of finding the codes again.")

    smooth_real: float = Field(0.0, ge=0, le=0.5, description="Label smoothing: reals are labelled 1 - this.")
    smooth_fake: float = Field(0.0, ge=0, le=0.5, description="Two-sided label smoothing: fakes are labelled this.")
    label_noise: float = Field(
        0.0, ge=0, le=1, description="Noise, even in [0, this), taken off each label (the course's, whose fakes are 1)."
    )
    label_flip: float = Field(0.0, ge=0, lt=0.5, description="Share of D's labels that are exchanged.")
    instance_noise: float = Field(0.0, ge=0, le=2, description="Deviation of the noise on all that D sees, at first.")
    instance_noise_until: float = Field(
        1.0, gt=0, le=1, description="Share of the run after which the instance noise has faded to 0."
    )
    replay: int = Field(0, ge=0, le=2**20, description="Past fakes that D is shown again; 0: none.")
    batches: Literal["separate", "mixed"] = Field(
        "separate", description="Whether D sees reals and fakes in one batch: batch norm makes the difference."
    )
    n_critic: int = Field(1, ge=1, le=100, description="D's turns for one of G (5 in the WGAN paper).")
    skip_below: float | None = Field(None, description="D sits a turn out while its loss is below this.")
    skip_most: int = Field(5, ge=1, description="Turns in a row that D sits out at most.")
    diffaugment: str = Field(
        "", description="Differentiable augmentation of all that D sees: color,translation,cutout or some of them."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        name = values.get("preset", cls.model_fields["preset"].default)
        preset = PRESETS.get(name, {}) if isinstance(name, str) else {}
        objective = OBJECTIVES.get(str(values.get("objective", preset.get("objective"))))
        unfit = {"label_noise"} if objective and not objective.targets else set()
        return {key: value for key, value in preset.items() if key in cls.model_fields.keys() - unfit} | values

    @field_validator("labels")
    @classmethod
    def _found_from_anywhere(cls, value: Path | None) -> Path | None:
        return None if value is None else value.resolve()

    @field_validator("diffaugment")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        check_policy(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        objective = OBJECTIVES[self.objective]
        softened = [name for name in ("smooth_real", "smooth_fake", "label_noise", "label_flip") if getattr(self, name)]
        if softened and not objective.targets:
            known = ", ".join(name for name, kind in OBJECTIVES.items() if kind.targets)
            raise ValueError(f"{softened[0]} softens labels, and objective={self.objective} has none: {known} have")
        if objective.energy and self.conditioning not in ("none", "concat"):
            raise ValueError(
                f"objective={self.objective} judges by an auto-encoder, which has no features to read "
                f"{self.conditioning} from: set conditioning=concat, or another objective"
            )
        if self.conditioning == "infogan" and not self.categories + self.continuous:
            raise ValueError("infogan needs a code to find: set categories or continuous")
        if self.labels and not self.labelled:
            raise ValueError("labels are given and nothing asks for them: set conditioning=concat, projection or acgan")
        if self.network in ("residual", "mlp", "course32") and self.norm != "none":
            aside = " (and makes points, for translate demo2d)" if self.network == "mlp" else ""
            raise ValueError(f"network={self.network} has no normalisation{aside}: set norm=none")
        if self.conditioning_g == "batchnorm" and (self.norm == "none" or not self.classes_wanted):
            raise ValueError(
                "conditioning_g=batchnorm needs labels and a network with norm=batch or instance: "
                "set conditioning=projection, and preset=paper64 or course28"
            )
        return self

    @property
    def labelled(self) -> bool:
        """Whether the data must say of every image what class it is of."""
        return self.conditioning in ("concat", "projection", "acgan")

    @property
    def classes_wanted(self) -> bool:
        """Whether the generator takes a class or category."""
        return self.labelled or (self.conditioning == "infogan" and self.categories > 0)

    @property
    def discriminator_norm(self) -> Norm:
        if self.norm_d is not None:
            return self.norm_d
        return "instance" if self.norm == "batch" and self.penalties else self.norm
