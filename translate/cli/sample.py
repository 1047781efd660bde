"""translate sample: make images from noise."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from pydantic import Field

from translate.cli.options import Device, with_settings
from translate.config import Config
from translate.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from translate.sampler import Sampler

Progress = Callable[[int, int | None], None]


class SampleSettings(Config):
    """What images are made and how they are written; every generator from noise shares these."""

    count: int | None = Field(None, ge=1, description="Images; default: 64, with --interpolate 8 points of the way.")
    seed: int = Field(0, ge=0, description="The same seed, the same images.")
    first: int = Field(0, ge=0, description="Number of the first image of the seed.")
    label: tuple[str, ...] = Field(
        (), description="A class, by name or number; several of them: in turn; default: drawn for each image."
    )
    codes: str | None = Field(
        None, description="InfoGAN's continuous codes, as 0.5,-1; default: drawn for each image from -1 to 1."
    )
    truncation: float | None = Field(
        None, gt=0, description="Cut the noise off there: 2 changes little, 0.5 much; more usual, more alike."
    )
    interpolate: bool = Field(
        False, description="The way from image to image: a film if --out is a .webp, else a picture, a row a path."
    )
    frames: int | None = Field(None, ge=2, description="Of each path; default: 16.")
    fps: float | None = Field(None, ge=1, le=100, description="Frames a second of a film; default: 24.")
    columns: int | None = Field(
        None, ge=1, description="Of the picture of all together; default: about as many as rows."
    )
    format: str | None = Field(None, description="Of single files: png, jpg, webp, npy ...; default: png.")
    quality: int | None = Field(
        None, ge=1, le=100, description="Of JPEG, WebP and AVIF; default: 95, a film up to 128 pixels without loss."
    )
    overwrite: bool = Field(False, description="Write into a folder that is not empty; files of other names stay.")


class Goal(NamedTuple):
    """`kind` is folder (single files of `suffix`), sheet (one picture of all) or film (.webp, with --interpolate)."""

    out: Path
    kind: str
    suffix: str


@with_settings(SampleSettings, short={"count": "-n"})
def sample(
    checkpoint: Annotated[Path, typer.Argument(help="A run folder or a .safetensors file of --mode dcgan.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A picture (.png ...) for all together, or a folder for single files.")
    ],
    device: Device = "auto",
    *,
    given: dict[str, Any],
) -> None:
    """Make images from noise: one picture of all, single files in a folder, or the way from one to the next.

    Image number i of a seed is always the same, however many are made. A picture that is there is replaced.
    Exit codes: 0 done, 2 it could not be done, 130 stopped by Ctrl-C.
    """
    settings = SampleSettings.checked(given)
    goal = _goal(out, settings)
    try:
        _run(checkpoint, device, goal, settings)
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        raise typer.Exit(130) from None


def _run(checkpoint: Path, device: str, goal: Goal, settings: SampleSettings) -> None:
    from translate import files
    from translate.display import Counting, Screen
    from translate.sampler import Sampler

    out, kind, _ = goal
    if kind == "folder" and not settings.overwrite and out.is_dir() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty: give another folder, or --overwrite to write into this one.")
    asked = {name: getattr(settings, name) for name in ("seed", "first", "truncation")}
    asked |= {"label": settings.label or None, "codes": _numbers(settings.codes)}
    sampler = Sampler(checkpoint, device)
    columns: int | None
    if settings.interpolate:
        points, frames = settings.count or 8, settings.frames or 16
        batches = sampler.interpolate(points, frames, loop=kind != "sheet", **asked)
        numbers, columns = range(frames * (points - (kind == "sheet"))), frames
        what = f"{len(numbers)} images on the way between {points} of seed {settings.seed}"
    else:
        count, columns = settings.count or 64, settings.columns
        batches = sampler.batches(count, **asked)
        numbers = range(settings.first, settings.first + count)
        what = f"{count} {'image' if count == 1 else 'images'}, from number {settings.first} of seed {settings.seed} on"
    if kind == "sheet":
        _refuse_too_many(len(numbers), sampler)
    files.make_folder(out if kind == "folder" else out.parent)
    with Counting("sampling", Screen()) as progress:
        if kind == "folder":
            _write_folder(goal, batches, numbers, settings.quality, progress)
        else:
            pictures = _counted(batches, len(numbers), progress)
            if kind == "film":
                _write_film(out, pictures, settings)
            else:
                _write_sheet(out, pictures, columns, settings.quality)
    typer.echo(f"{what}, {sampler.size} x {sampler.size} pixels: {out}")


def _write_folder(
    goal: Goal, batches: Iterable["Tensor"], numbers: range, quality: int | None, progress: Progress
) -> None:
    """Single files 000000.png ..., whole or not at all each; several are encoded at once."""
    import os

    from translate import files, images
    from translate.machine import cores
    from translate.streams import in_order

    folder, _, suffix = goal
    digits = max(6, len(str(numbers[-1])))

    def write(job: tuple[int, "Tensor"]) -> None:
        number, image = job
        path = folder / f"{number:0{digits}d}{suffix}"
        pixels = images.to_array(image, "float32" if suffix == ".npy" else "uint8")
        data = images.encode(images.Picture(pixels), path.suffix, quality=quality)
        files.publish(path, data, folder / f".{path.name}.partial-{os.getpid()}", lambda status: None)

    files.remove_partial(folder)
    jobs = zip(numbers, _one_by_one(batches), strict=True)
    for done, _ in enumerate(in_order(write, jobs, cores()), 1):
        progress(done, len(numbers))


def _write_film(path: Path, pictures: Iterable["Tensor"], settings: SampleSettings) -> None:
    from translate import files, images
    from translate.images.animation import encode_animation

    frames = (images.to_array(picture, "uint8") for picture in pictures)
    files.write_bytes(path, encode_animation(frames, settings.fps or 24, quality=settings.quality))


def _write_sheet(path: Path, pictures: Iterable["Tensor"], columns: int | None, quality: int | None) -> None:
    import torch

    from translate import images
    from translate.grid import draw_mosaic

    images.write(path, draw_mosaic(torch.stack(list(pictures)), columns), quality=quality)


def _refuse_too_many(count: int, sampler: "Sampler") -> None:
    from translate import images

    if count * sampler.size**2 > images.MOST_PIXELS:
        raise ConfigError(f"{count} images of {sampler.size} pixels are too many for one picture: give --out a folder.")


def _counted(batches: Iterable["Tensor"], total: int, progress: Progress) -> Iterator["Tensor"]:
    for done, picture in enumerate(_one_by_one(batches), 1):
        yield picture
        progress(done, total)


def _one_by_one(batches: Iterable["Tensor"]) -> Iterator["Tensor"]:
    for batch in batches:
        yield from batch


def _goal(out: Path, settings: SampleSettings) -> Goal:
    """What is to be written; raises ConfigError for a format that is not known, and for a flag without effect on it."""
    kind, suffix = "sheet", ".png"
    if out.is_dir() or not out.suffix:
        kind, suffix = "folder", _suffix_of(settings.format or "png")
    elif settings.interpolate and _suffix_of(out.suffix) == ".gif":
        raise ConfigError(f"{out}: a film is a .webp here; other pictures, as .png, show each path in a row.")
    elif settings.interpolate and _suffix_of(out.suffix) == ".webp":
        kind = "film"
    else:
        _suffix_of(out.suffix)
    works = {
        "frames": (settings.interpolate, "with --interpolate"),
        "fps": (kind == "film", "with --interpolate and --out FILM.webp"),
        "columns": (kind == "sheet" and not settings.interpolate, "for one picture of all, where no path is a row"),
        "format": (kind == "folder", "with --out FOLDER"),
        "overwrite": (kind == "folder", "with --out FOLDER"),
    }
    for name, (works_here, where) in works.items():
        if getattr(settings, name) not in (None, False) and not works_here:
            raise ConfigError(f"--{name} works only {where}: leave it out.")
    return Goal(out, kind, suffix)


def _suffix_of(name: str) -> str:
    """`name`, with or without its dot, as a suffix that can be written; raises ConfigError."""
    from translate import images
    from translate.config import near_miss

    suffix = "." + name.lower().removeprefix(".")
    if suffix not in images.SUFFIXES:
        known = " ".join(sorted(images.SUFFIXES))
        raise ConfigError(
            f"Cannot write {suffix}.{near_miss(suffix, images.SUFFIXES)} Known: {known}; no suffix: a folder."
        )
    return suffix


def _numbers(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--codes takes numbers, as 0.5,-1, not {text!r}.") from None
