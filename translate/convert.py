"""Translate a file or a folder of files into a mirrored folder; a bad file is named and the others finish."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

from translate import images
from translate.config import Direction
from translate.errors import ConfigError, DataError, DiskFullError, TranslateError
from translate.translator import Translator


@dataclass
class Summary:
    """What became of the inputs."""

    done: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)


def convert(
    translator: Translator,
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    direction: Direction | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Translate every image under `source` to the same relative path under `target`, at its own size.

    Transparency, colour profile, EXIF and bit depth stay where the format can hold them. Raises DataError if there is
    nothing to translate, ConfigError if the two places or the direction will not do, DiskFullError at once.
    """
    direction = translator.checked(direction)
    jobs = plan(Path(source), Path(target), translator.channels(direction)[1])
    summary = Summary()
    for index, (taken, given) in enumerate(jobs):
        if progress:
            progress(index, len(jobs))
        try:
            picture = images.read(taken)
            given.parent.mkdir(parents=True, exist_ok=True)
            images.write(given, replace(picture, pixels=translator(picture.pixels, direction)))
        except DiskFullError:
            raise
        except (TranslateError, OSError) as error:
            summary.failed[taken] = _named(taken, error)
        else:
            summary.done.append(given)
    if progress:
        progress(len(jobs), len(jobs))
    return summary


def _named(taken: Path, error: Exception) -> str:
    text = str(error)
    return text if str(taken) in text else f"{taken}: {text}"


def plan(source: Path, target: Path, channels: int) -> list[tuple[Path, Path]]:
    """Pair every input with its output, before the first is read; raises DataError or ConfigError."""
    if not source.exists():
        raise DataError(f"There is no file or folder {source}.")
    if source.is_file():
        into = target / source.name if target.is_dir() or not target.suffix else target
        jobs = [(source, _with_suffix(into, channels))]
    else:
        if target.is_file():
            raise ConfigError(f"{target} is a file; a folder is translated into a folder.")
        here, there = source.resolve(), target.resolve()
        if here == there or here in there.parents:
            raise ConfigError(f"{target} lies inside {source}: outputs would be taken for inputs. Choose another.")
        found = images.list_images(source)
        if not found:
            raise DataError(f"{source} holds no images ({_known()}).")
        jobs = [(path, _with_suffix(target / path.relative_to(source), channels)) for path in found]
        # A single file may be given any name; those of a folder keep theirs.
    odd = next((target for _, target in jobs if target.suffix.lower() not in images.SUFFIXES), None)
    if odd:
        raise ConfigError(f"{odd}: cannot write {odd.suffix or 'a file without suffix'}. Known: {_known()}.")
    _refuse_collisions(jobs)
    return jobs


def _with_suffix(path: Path, channels: int) -> Path:
    """The output's name: the input's, unless its format cannot hold the output."""
    if channels not in (1, 3):
        return path.with_suffix(".npy")
    # A GIF holds 256 colours: a translation would lose most of its own. A .pgm is grey by name.
    other = {".gif": ".png", ".pgm": ".ppm" if channels == 3 else ".pgm"}.get(path.suffix.lower())
    return path.with_suffix(other) if other else path


def _known() -> str:
    return " ".join(sorted(images.SUFFIXES))


def _refuse_collisions(jobs: list[tuple[Path, Path]]) -> None:
    taken: dict[Path, Path] = {}
    for source, target in jobs:
        if target.resolve() == source.resolve():
            raise ConfigError(f"{target} would overwrite its own input. Choose another output.")
        if target in taken:
            raise ConfigError(f"{taken[target]} and {source} would both become {target}. Rename one of them.")
        taken[target] = source
