"""translate sample: make images from noise."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import Field

from translate.cli.goals import Goal, check_extent, check_place, find_goal
from translate.cli.options import Device, with_settings
from translate.config import Config
from translate.errors import ConfigError, UnwritableError

if TYPE_CHECKING:
    from torch import Tensor


Progress = Callable[[int, int | None], None]


class SampleSettings(Config):
    """What images are made and how they are written; every generator from noise shares these."""

    count: int | None = Field(None, ge=1, description="Images; default: 64, with --interpolate 8 points of the way.")
    seed: int = Field(0, ge=0, description="The same seed, the same images.")
    first: int = Field(0, ge=0, description="Number of the first image of the seed.")
    label: tuple[str, ...] = Field(
        (),
        description="A class by name, or number if none has a name; several: in turn; default: drawn for each image.",
    )
    codes: str | None = Field(
        None,
        description="InfoGAN's continuous codes in [-1, 1], as 0.5,-1; default: drawn for each image from -1 to 1.",
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
    with _named_as_flags():
        settings = SampleSettings.checked(given)
    goal = _goal(out, settings)
    try:
        _run(checkpoint, device, goal, settings)
    except KeyboardInterrupt as stopped:
        typer.echo(f"Stopped. {stopped}".strip(), err=True)
        raise typer.Exit(130) from None


def _run(checkpoint: Path, device: str, goal: Goal, settings: SampleSettings) -> None:
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
        with _named_as_flags():
            batches = sampler.interpolate(points, frames, loop=kind != "sheet", **asked)
        numbers, columns = range(frames * (points - (kind == "sheet"))), frames
        what = f"{len(numbers)} images on the way between {points} of seed {settings.seed}"
    else:
        count, columns = settings.count or 64, settings.columns
        with _named_as_flags():
            batches = sampler.batches(count, **asked)
        numbers = range(settings.first, settings.first + count)
        what = f"{count} {'image' if count == 1 else 'images'}, from number {settings.first} of seed {settings.seed} on"
    check_extent(goal, len(numbers), sampler.size, columns, settings.interpolate)
    check_place(goal)
    with Counting("sampling", Screen()) as progress:
        if kind == "folder":
            _write_folder(goal, batches, numbers, settings, progress)
        else:
            pictures = _counted(batches, len(numbers), progress)
            if kind == "film":
                _write_film(out, pictures, settings)
            else:
                _write_sheet(out, pictures, columns, settings.quality)
    typer.echo(f"{what}, {sampler.size} x {sampler.size} pixels: {out}")


def _write_folder(
    goal: Goal, batches: Iterable["Tensor"], numbers: range, settings: SampleSettings, progress: Progress
) -> None:
    """Single files 000000.png ..., whole or not at all each; several are encoded at once.

    KeyboardInterrupt, of SIGTERM too, and UnwritableError, as of a full disk, say how to go on.
    """
    import os

    from translate import files, images
    from translate.machine import cores
    from translate.stopping import asked_to_stop
    from translate.streams import in_order

    folder, _, suffix = goal
    digits = max(6, len(str(numbers[-1])))

    def write(job: tuple[int, "Tensor"]) -> None:
        number, image = job
        path = folder / f"{number:0{digits}d}{suffix}"
        pixels = images.to_array(image, "float32" if suffix == ".npy" else "uint8")
        data = images.encode(images.Picture(pixels), path.suffix, quality=settings.quality)
        files.publish(path, data, folder / f".{path.name}.partial-{os.getpid()}", lambda status: None)

    files.remove_partial(folder)
    jobs = zip(numbers, _one_by_one(batches), strict=True)
    done = 0
    try:
        with asked_to_stop() as stop:
            for done, _ in enumerate(in_order(write, jobs, cores()), 1):
                progress(done, len(numbers))
                if stop() and done < len(numbers):
                    raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_left(goal.out, numbers, done, settings)) from None
    except UnwritableError as error:
        raise type(error)(f"{error} {_left(goal.out, numbers, done, settings)}") from error


def _left(folder: Path, numbers: range, done: int, settings: SampleSettings) -> str:
    """How much is there, and how the rest is made."""
    there = f"{done} of {len(numbers)} images are in {folder}."
    if settings.interpolate:
        return f"{there} Give the same flags and --overwrite to make all of them again."
    rest = f"--first {settings.first + done} -n {len(numbers) - done} --overwrite"
    return f"{there} To go on, give the same flags with {rest}."


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


def _counted(batches: Iterable["Tensor"], total: int, progress: Progress) -> Iterator["Tensor"]:
    for done, picture in enumerate(_one_by_one(batches), 1):
        yield picture
        progress(done, total)


def _one_by_one(batches: Iterable["Tensor"]) -> Iterator["Tensor"]:
    for batch in batches:
        yield from batch


def _goal(out: Path, settings: SampleSettings) -> Goal:
    """What is to be written; raises ConfigError as `find_goal` does, and for a flag without effect on it."""
    goal = find_goal(out, settings.interpolate, settings.format)
    works = {
        "frames": (settings.interpolate, "with --interpolate"),
        "fps": (goal.kind == "film", "with --interpolate and --out FILM.webp"),
        "columns": (
            goal.kind == "sheet" and not settings.interpolate,
            "for one picture of all, where no path is a row",
        ),
        "format": (goal.kind == "folder", "with --out FOLDER"),
        "overwrite": (goal.kind == "folder", "with --out FOLDER"),
    }
    for name, (works_here, where) in works.items():
        if getattr(settings, name) not in (None, False) and not works_here:
            raise ConfigError(f"--{name} works only {where}: leave it out.")
    if settings.interpolate and settings.count == 1:
        raise ConfigError("--count (-n) 1 will not do: --interpolate leads from image to image, and needs 2 or more.")
    return goal


@contextmanager
def _named_as_flags() -> Iterator[None]:
    """Let errors within speak of flags, where they speak of settings and arguments."""
    try:
        yield
    except ConfigError as error:
        flags = {"count": "--count (-n)"} | {
            name: f"--{name}" for name in SampleSettings.model_fields if name != "count"
        }
        text = re.sub(
            rf"^(?:Setting )?({'|'.join(flags)})=", lambda m: f"{flags[m[1]]} ", str(error), flags=re.MULTILINE
        )
        raise ConfigError(text) from None


def _numbers(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--codes takes numbers, as 0.5,-1, not {text!r}.") from None
    if not all(-1 <= number <= 1 for number in numbers):
        raise ConfigError(f"--codes {text} will not do: each is from -1 to 1, which is what the network was taught.")
    return numbers
