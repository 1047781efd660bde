"""Settings: immutable, checked, said once.

A field's default, range and help text stand on the field alone; the command line, the checkpoint's JSON and the
documentation derive from it. This file imports neither torch nor numpy, so that `--help` is instant.
"""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from translate.errors import ConfigError

Direction = Literal["AtoB", "BtoA"]
Role = Direction | Literal["noise"]
"""What a generator makes its images from: another domain's, or noise."""
Norm = Literal["batch", "instance", "none"]


class Config(BaseModel):
    """A frozen group of settings. Build it with `checked`, which raises ConfigError with the near miss."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Validate `values`; raises ConfigError naming each setting, its value and what would do."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError("\n".join(_explain(cls, item) for item in error.errors())) from None


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

    @model_validator(mode="after")
    def _load_size_holds_the_crop(self) -> Self:
        if self.load_size is not None and self.load_size < self.size and self.preprocess not in ("crop", "none"):
            raise ValueError(f"load_size is {self.load_size}, smaller than size {self.size}: nothing to crop from")
        return self

    @property
    def resized(self) -> int:
        """Pixels to resize to before the crop (Isola et al. 2017 resize 256-pixel images to 286)."""
        return self.load_size if self.load_size is not None else round(self.size * 286 / 256)


class TrainingSettings(Config):
    """How long, how fast and on what to train; every mode shares these."""

    epochs: int | None = Field(
        None,
        ge=1,
        description="Passes over the data; default 200 unless --steps is given.",
    )
    steps: int | None = Field(None, ge=1, description="Optimizer steps, instead of --epochs.")
    seed: int = Field(0, ge=0, lt=2**31, description="Every random draw follows from it.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
    precision: Literal["32", "bf16", "64"] = Field("32", description="32, bf16 (autocast), or 64 for checking.")
    compile: bool = Field(False, description="Compile the networks with torch.compile.")
    tf32: bool = Field(True, description="Allow TF32 matrix products on a GPU in precision 32.")
    channels_last: bool = Field(False, description="Keep images in channels-last memory order.")
    schedule: Literal["linear", "cosine", "step", "constant", "inverse"] = Field(
        "linear",
        description="Learning rate: linear (constant, then to zero from decay_start on), cosine, step, constant, "
        "inverse (divided by 1 + decay * step).",
    )
    decay: float = Field(0.0, ge=0, description="Of the inverse schedule.")
    decay_start: float = Field(0.5, ge=0, lt=1, description="Share of the run after which linear decays.")
    decay_every: float = Field(0.25, gt=0, le=1, description="Share of the run after which step decays again.")
    decay_factor: float = Field(0.1, gt=0, lt=1, description="What the step schedule multiplies the rate by.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the running average of the generators; 0: none.")
    clip: float = Field(0.0, ge=0, description="Largest norm of a player's gradient; 0: no clipping.")
    clip_value: float = Field(0.0, ge=0, description="Largest value in a player's gradient; 0: no clipping.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step (spares memory in cycle only).")
    report_every: int = Field(50, ge=1, description="Steps between two lines of log.jsonl.")
    sample_every: int = Field(500, ge=0, description="Steps between two sample grids; 0: only at the end.")
    save_every: int = Field(500, ge=1, description="Steps between two checkpoints.")
    validate_every: int = Field(1000, ge=0, description="Steps between two validations; 0: only at the end.")
    validate_images: int = Field(64, ge=1, description="Held-out images that a validation looks at, at most.")
    health_every: int = Field(25, ge=0, description="Steps between two verdicts on the health of training; 0: none.")
    probe_every: int = Field(
        250, ge=0, description="Steps between two looks at fixed inputs, for the verdict; 0: none."
    )
    on_trouble: Literal["warn", "stop", "act"] = Field(
        "warn",
        description="What to do when training is sick: warn; stop; act (back to the last healthy checkpoint with half "
        "the learning rate, at most three times).",
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads of the CPU to compute with; 0: as torch chooses.")
    deterministic: bool = Field(
        True, description="Same seed, same machine, same weights, also on a GPU (slower there)."
    )
    licence: str = Field("", description="Note on the licence of model and data that the model files carry.")
    tensorboard: bool = Field(False, description="Write TensorBoard files too (needs the extra tensorboard).")

    @model_validator(mode="after")
    def _trouble_is_looked_for(self) -> Self:
        if self.on_trouble != "warn" and not self.health_every:
            raise ValueError(f"on_trouble={self.on_trouble} waits for verdicts, and health_every=0 asks for none")
        return self

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given: choose one")
        return self


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
        False, description="Inputs are the frames of one clip, by name: all are normalised by the same statistics."
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


def sort_settings(values: Mapping[str, Any], groups: Mapping[str, type[Config]]) -> dict[str, dict[str, Any]]:
    """Put each of `values` into the one of `groups` that has a field of its name.

    Raises ConfigError, with the near miss, for a name that no group has.
    """
    sorted_values: dict[str, dict[str, Any]] = {name: {} for name in groups}
    for key, value in values.items():
        owner = next((name for name, group in groups.items() if key in group.model_fields), None)
        if owner is None:
            known = [field for group in groups.values() for field in group.model_fields]
            raise ConfigError(
                f"Unknown setting {key!r}.{near_miss(key, known)} `translate modes MODE` lists the settings."
            )
        field = groups[owner].model_fields[key]
        # Typed as text, none is how to say that a setting is not set; where it is a choice of its own, it is that.
        unset = value == "none" and field.default is None and "'none'" not in str(field.annotation)
        sorted_values[owner][key] = None if unset else value
    return sorted_values


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `name=value`; raises ConfigError if there is no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set takes name=value, not {text!r}.")
    return name.strip().replace("-", "_"), value.strip()


def near_miss(word: str, known: Iterable[str]) -> str:
    """Return ' Did you mean X?' for the closest of `known`, or all of them if nothing is close."""
    known = sorted(set(known))
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if len(known) <= 12 else ""


def _explain(cls: type[Config], item: Any) -> str:
    name = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"Unknown setting {name!r}.{near_miss(name, cls.model_fields)}"
    message = item["msg"].removeprefix("Value error, ")
    if not name:
        return f"Settings contradict each other: {message}."
    return f"Setting {name}={item['input']!r} will not do: {message[0].lower()}{message[1:]}."
