"""How files become batches."""

from typing import Literal, Self

from pydantic import Field, model_validator

from translate.config.base import Config

Direction = Literal["AtoB", "BtoA"]
Role = Direction | Literal["noise"]
"""What a generator makes its images from: another domain's, or noise."""
Norm = Literal["batch", "instance", "none"]


class DataSettings(Config):
    """How files become batches; every mode shares these."""

    size: int = Field(256, ge=4, le=8192, description="Side in pixels of the square crops that training sees.")
    direction: Direction = Field("AtoB", description="Which way to translate: domain A to B, or B to A.")
    batch_size: int = Field(1, ge=1, description="Images a step, over all processes together.")
    workers: int | None = Field(
        None,
        ge=0,
        description="Data-loading processes; default: with CUDA the cores less one, at most 4; else 0.",
    )
    skip_bad: bool = Field(False, description="Leave unreadable files out, naming them, instead of stopping.")
    preprocess: Literal["resize_and_crop", "crop", "scale_width", "scale_shortest", "none"] = Field(
        "resize_and_crop",
        description="resize_and_crop: to load_size squared, then a random crop; crop: a random crop as it is; "
        "scale_width, scale_shortest: that side to load_size, then a random crop; none: whole images.",
    )
    load_size: int | None = Field(
        None, ge=4, description="Pixels to resize to before the crop; default: size * 286/256."
    )
    flip: bool = Field(True, description="Mirror left-right at random.")
    vertical_flip: bool = Field(False, description="Mirror top-bottom at random.")
    turn: bool = Field(False, description="Turn by 0, 90, 180 or 270 degrees at random.")
    jitter: float = Field(0.0, ge=0, le=1, description="Strength of random brightness, contrast, saturation and hue.")
    jitter_on: Literal["a", "b", "both"] = Field("both", description="Which domain the colour jitter changes.")
    cache: int = Field(
        2048, ge=0, le=2**20, description="MiB of memory for decoded images; what does not fit is decoded as needed."
    )
    resident: bool | None = Field(
        None,
        description="Keep the decoded images on the device and augment them there; default: on a GPU, if all are of 8 "
        "or 16 bits and fit into `cache` and into a quarter of its memory. Jitter then needs 8 bits, grey or colour.",
    )

    @model_validator(mode="after")
    def _load_size_holds_the_crop(self) -> Self:
        if self.load_size is not None and self.load_size < self.size and self.preprocess not in ("crop", "none"):
            raise ValueError(f"load_size is {self.load_size}, smaller than size {self.size}: nothing to crop from")
        return self

    @property
    def resized(self) -> int:
        """Pixels to resize to before the crop (Isola et al. 2017 resize 256-pixel images to 286)."""
        return self.load_size if self.load_size is not None else round(self.size * 286 / 256)
