"""The settings of networks that paint in a manner: what `translate stylize` calls by the same name is the same."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, field_validator, model_validator

from translate.config import Config, StylingSettings
from translate.features import FEATURES, weights


def _shared(name: str) -> Any:
    """A field of StylingSettings: its default, range and help."""
    return copy.copy(StylingSettings.model_fields[name])


class AdamSettings(Config):
    """Of the one optimizer of a network that is trained by losses alone."""

    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's rate.")
    beta1: float = Field(0.9, ge=0, lt=1, description="Adam's first momentum.")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's second momentum.")


class StyleSettings(AdamSettings):
    """A ResNet with five blocks and resize-convolutions; losses, and their weights, as in `translate stylize`."""

    style: Path | None = Field(None, description="The painting: a picture file. There is no default.")
    style_scale: float = _shared("style_scale")
    features: str = _shared("features")
    pooling: Literal["auto", "max", "average"] = _shared("pooling")
    statistic: Literal["auto", "gram", "wasserstein", "sliced"] = _shared("statistic")
    style_layers: tuple[str, ...] = Field(
        (),
        description="Layers that style is taken from, as relu1_1 or relu1_1=0.5 with a weight; default: the usual, of "
        "patch all.",
    )
    content_layers: tuple[str, ...] = _shared("content_layers")
    strength: float = _shared("strength")
    content: float | None = _shared("content")
    variation: float | None = _shared("variation")
    width: int = Field(32, ge=1, le=1024, description="Channels of the generator's first layer.")
    blocks: int = Field(5, ge=1, le=64, description="Residual blocks.")
    norm: Literal["instance_affine", "instance", "batch", "none"] = Field(
        "instance_affine", description="Normalisation; instance_affine: instance norm with weights."
    )
    upsampling: Literal["resize", "transposed"] = Field(
        "resize", description="transposed convolution, or resize and convolve (no checkerboard)."
    )
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field("normal", description="Initial weights.")
    init_gain: float = Field(0.02, gt=0, description="Spread of the initial weights.")

    @field_validator("style_layers", "content_layers", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return _parts(value)

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.strength == 0 and self.content == 0 and not self.variation:
            raise ValueError("strength, content and variation are all 0: nothing would be learned")
        return self


class AdainSettings(AdamSettings):
    """The paper's: VGG up to relu4_1, its mirror image as decoder, style weighed 10 times."""

    features: str = Field(
        "auto",
        description="The encoder: vgg19, vgg16 or a file of VGG's weights; auto: the first of those that is at hand.",
    )
    layer: Literal["auto", "relu1_1", "relu2_1", "relu3_1", "relu4_1"] = Field(
        "auto",
        description="Where features are given the style's statistics; auto: relu4_1, or relu3_1 if it ends there.",
    )
    pooling: Literal["max", "average"] = Field("max", description="Of the encoder.")
    style: Path | None = Field(
        None,
        description="The painting in whose manner a model file paints; default: the mean of up to 16 trained on.",
    )
    style_scale: float = _shared("style_scale")
    strength: float = Field(1.0, ge=0, le=1, description="Of the style in a model file; 0: the picture's own features.")
    content: float = Field(1.0, ge=0, description="Weight of content.")
    style_loss: float = Field(10.0, ge=0, description="Weight of style.")
    learning_rate: float = Field(1e-4, gt=0, le=1, description="Adam's rate.")
    init: Literal["normal", "xavier", "kaiming", "orthogonal"] = Field(
        "kaiming", description="Initial weights of the decoder."
    )
    init_gain: float = Field(0.02, gt=0, description="Spread of the initial weights; kaiming has its own.")

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.content == 0 and self.style_loss == 0:
            raise ValueError("content and style_loss are both 0: nothing would be learned")
        return self


Painting = TypeVar("Painting", StyleSettings, AdainSettings)


def settled(settings: Painting, kinds: Iterable[str], otherwise: str) -> Painting:
    """With whole paths, links as they are, so that a run goes on from any folder, and a name for features=auto.

    That is the first of `kinds` whose weights are at hand, or `otherwise`: weights that arrive later are not taken up.
    """
    features, style = settings.features, settings.style
    if features == "auto":
        features = at_hand(kinds) or otherwise
    elif features not in FEATURES and Path(features).expanduser().exists():
        features = str(Path(features).expanduser().absolute())
    return settings.model_copy(
        update={"features": features, "style": None if style is None else style.expanduser().absolute()}
    )


def at_hand(kinds: Iterable[str]) -> str:
    """The first of `kinds` whose weights lie where torchvision keeps them; "": none."""
    return next((kind for kind in kinds if weights.place(kind).is_file()), "")


def _parts(value: object) -> object:
    """Typed as text, several names stand with commas between them."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
