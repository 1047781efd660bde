"""How pictures are given colours."""

from pathlib import Path

from pydantic import Field

from translate.config.base import Config


class ColouringSettings(Config):
    """How pictures are given colours; every colorizing model shares these."""

    render_size: int | None = Field(
        None, ge=32, le=4096, description="Shorter side in pixels that the network sees; default: as it was trained."
    )
    saturation: float = Field(1.0, ge=0, le=4, description="Multiplies chroma; light stays.")
    warmth: float = Field(0.0, ge=-1, le=1, description="Moves all colours to blue (-1) or to yellow (1).")
    temperature: float | None = Field(
        None,
        ge=0.01,
        le=1,
        description="Of a classification head: 1 is the mean of its answers, dull; towards 0 the likeliest, vivid.",
    )
    vividness: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Of a classification head: 1 leans to rare colours, as it was trained; 0 answers by the true odds.",
    )
    seed: int | None = Field(
        None, ge=0, lt=2**31, description="Draw one of the answers of a classification head; the same seed, the same."
    )
    variants: int = Field(
        1,
        ge=1,
        le=64,
        description="So many answers a picture, named -1, -2 ... (reports too), from --seed (0) on.",
    )
    hints: Path | None = Field(
        None,
        description="Colours at places of the upright picture (EXIF orientation applied): a .json or transparent .png "
        "file, or a folder of them, named as the pictures.",
    )
    reference: Path | None = Field(None, description="A picture whose distribution of colours is taken over.")
    keep_tone: bool = Field(False, description="Leave the tone of a brown or blue print in the result.")
    recolor: bool = Field(False, description="Give new colours to pictures in colour, too, instead of leaving them.")
