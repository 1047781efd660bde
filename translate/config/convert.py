"""How a folder is translated into a folder."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from translate.config.base import Config


class ConvertSettings(Config):
    """How a folder is translated into a folder; every model shares these."""

    format: str | None = Field(None, description="Write png, jpg, webp, tif ... instead of each input's own format.")
    tag: str = Field("", pattern=r"^[^/\\]*$", description="Added to each output's name, before its suffix.")
    quality: int | None = Field(
        None, ge=1, le=100, description="Of JPEG, WebP and AVIF; default: 95, and never coarser than the input was."
    )
    strip_metadata: bool = Field(False, description="Leave EXIF, XMP and texts out; the colour profile stays.")
    max_pixels: int = Field(2**28, ge=1, description="Refuse larger pictures before they are decoded.")
    include: tuple[str, ...] = Field((), description="Only these: a glob on the path below INPUT, as '*.jpg', 'a/**'.")
    exclude: tuple[str, ...] = Field((), description="Not these: a glob as for --include.")
    overwrite: bool = Field(False, description="Make all outputs anew, also over files that convert did not make.")
    dry_run: bool = Field(False, description="Say what would be done, and do nothing.")
    tile: str = Field(
        "auto", pattern="^(auto|off|[1-9][0-9]*)$", description="Tiles of large pictures: auto, off, or pixels a side."
    )
    int8_psnr: float = Field(
        35.0, ge=0, description="Least PSNR (dB) from fp32, on inputs it was not calibrated on, at which int8 is used."
    )
    batch: int | None = Field(
        None, ge=1, le=1024, description="Images of one size translated together; default: as suits the device."
    )
    sequence: bool = Field(
        False,
        description="Inputs are the frames of one clip, by name: a network normalises all by the same statistics, "
        "stylize begins each with the last.",
    )
    lock: Literal["first", "mean"] = Field(
        "first", description="Statistics of a --sequence: of its first frame, or the mean of up to 16 spread over it."
    )
    mask: Path | None = Field(
        None, description="Folder of masks of the same names: black stays bit for bit, white is translated."
    )
    side_by_side: bool = Field(False, description="Write input and output beside each other in one picture.")
    report: Path | None = Field(None, description="Write a report: .json, or .html with a gallery.")

    @field_validator("format")
    @classmethod
    def _suffix(cls, value: str | None) -> str | None:
        return None if value is None else "." + value.lower().removeprefix(".")

    @field_validator("report")
    @classmethod
    def _known_report(cls, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() not in (".json", ".html"):
            raise ValueError("a report ends in .json or .html")
        return value
