"""How a picture is repainted in the manner of others."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from translate.config.base import Config


class StylingSettings(Config):
    """How a picture is repainted in the manner of paintings; every set of features shares these."""

    features: str = Field(
        "auto",
        description="What pictures are compared by: vgg19, vgg16, squeezenet, patch (needs no weights), random, or a "
        "file of weights; auto: the first of vgg19, vgg16, squeezenet that is at hand, else patch.",
    )
    size: int | None = Field(
        None, ge=16, le=32768, description="Longer side in pixels of what comes out; default: the picture's own size."
    )
    strength: float = Field(1.0, ge=0, le=1000, description="Weight of style against content; 0 leaves the picture.")
    style_scale: float = Field(1.0, ge=0.05, le=8, description="Size of the strokes: of the painting to the picture.")
    style_weight: tuple[float, ...] = Field(
        (), description="Of each painting, in their order, once for each; default: all alike."
    )
    mask: tuple[str, ...] = Field(
        (),
        description="Where in the picture each painting goes (white), in their order: a picture, a folder of them "
        "named as the inputs, or none for everywhere. What no painting is for stays bit for bit.",
    )
    style_mask: tuple[str, ...] = Field(
        (), description="What of each painting counts (white), in their order: a picture, or none for all of it."
    )
    colours: Literal["style", "luminance", "matched"] = Field(
        "style",
        description="Of the result: style: the painting's; the picture's own: luminance: only light is repainted; "
        "matched: the painting is first given the picture's colour statistics.",
    )
    statistic: Literal["auto", "gram", "wasserstein", "sliced"] = Field(
        "auto",
        description="What of the features is style: gram (Gatys et al. 2016), wasserstein (mean and covariance), "
        "sliced (their whole distribution); auto: sliced for patch, wasserstein for others.",
    )
    style_layers: tuple[str, ...] = Field(
        (), description="Layers that style is taken from, as relu1_1 or relu1_1=0.5 with a weight; default: the usual."
    )
    content_layers: tuple[str, ...] = Field((), description="Layers that content is taken from, in the same way.")
    pooling: Literal["auto", "max", "average"] = Field(
        "auto",
        description="Of networks: max, as trained, or average, as Gatys et al. prefer; auto: average.",
    )
    content: float | None = Field(None, ge=0, description="Weight of content; default: 0.25, of patch 0.005.")
    variation: float | None = Field(
        None, ge=0, description="Weight of the mean distance of neighbouring pixels; default: 0.3, of patch 0."
    )
    init: Literal["content", "noise"] = Field("content", description="What the result begins with.")
    optimizer: Literal["adam", "lbfgs", "gd"] = Field(
        "adam", description="Adam, L-BFGS (keeps to one draw of places) or gradient descent."
    )
    steps: int = Field(80, ge=1, le=100_000, description="Steps at the smallest scale; larger ones take fewer.")
    smallest: int = Field(64, ge=8, description="Longer side in pixels of the first of the scales.")
    average: float = Field(
        0.9, ge=0, lt=1, description="Decay of the running average of the steps; 0, and L-BFGS: the last one."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Every random draw follows from it.")
    memory: float | None = Field(
        None,
        gt=0,
        description="GiB that features may take, besides the pictures themselves: larger ones in tiles, the "
        "same but for rounding; default: 4, or half of what there is if that is less.",
    )
    temporal: float = Field(
        1.0, ge=0, description="Of a --sequence: weight of the distance from the frame before, moved along."
    )

    @field_validator("style_weight")
    @classmethod
    def _some_weight(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if value and (min(value) < 0 or max(value) == 0):
            raise ValueError("weights are 0 or more, and not all 0")
        return value

    @field_validator("mask", "style_mask", mode="before")
    @classmethod
    def _one_mask(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if self.init == "noise" and self.strength == 0 and self.content == 0:
            raise ValueError("strength and content are both 0: nothing would be made of the noise")
        return self
