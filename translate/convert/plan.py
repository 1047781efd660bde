"""Which input becomes which output: streamed, so that a folder of a million files starts at once."""

import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from translate import files, images
from translate.config import ConvertSettings
from translate.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Job:
    """One input and its output; `name` is the output's path below the output folder, with slashes.

    Of a clip, `before` are input and output of the frame before.
    """

    source: Path
    target: Path
    name: str
    before: tuple[Path, Path] | None = None

    @property
    def renamed(self) -> bool:
        """Whether the output has another suffix than its input because the format it had would not do."""
        return self.target.suffix.lower() != self.source.suffix.lower()


class Plan:
    """Pairs inputs with outputs. `channels` are those that come out, 0 for as many as went in."""

    def __init__(self, source: Path, target: Path, settings: ConvertSettings, channels: int) -> None:
        """Raises DataError if there is no input, ConfigError if the places or the format will not do."""
        self.source, self.target, self.settings, self.channels = source, target, settings, channels
        self.single = source.is_file()
        if not source.exists():
            raise DataError(f"There is no file or folder {source}.")
        if settings.format and settings.format not in images.SUFFIXES:
            raise ConfigError(f"Unknown format {settings.format[1:]!r}. Known: {_known()}.")
        if settings.mask and not settings.mask.is_dir():
            raise ConfigError(f"There is no folder of masks {settings.mask}.")
        if settings.report:
            _refuse_report(settings.report)
        if self.single:
            self._refuse_single()
        else:
            self._refuse_nested()

    @property
    def folder(self) -> Path:
        """The folder that outputs are named from."""
        return self.target if not self.single else self._single_target().parent

    def jobs(self, report: Callable[[Path, str], None] | None = None, rank: int = 0, world: int = 1) -> Iterator[Job]:
        """Every job, or the share of process `rank` of `world`; `report` is told of folders that cannot be read.

        In no particular order, but for the frames of a clip: those come by name, numbers in it counted as numbers.
        """
        if self.single:
            found: Iterator[Path] = iter([self.source])
        else:
            found = self._walk(report)
            if self.settings.sequence:
                found = iter(sorted(found, key=lambda path: _natural(path.relative_to(self.source).as_posix())))
        before: tuple[Path, Path] | None = None
        for path in found:
            job = self._job(path)
            if self.settings.sequence:
                job, before = replace(job, before=before), (job.source, job.target)
            if world == 1 or zlib.crc32(os.fsencode(job.name)) % world == rank:
                yield job

    def count(self, stopped: Callable[[], bool] = lambda: False) -> int:
        """How many jobs there are for all processes together."""
        total = 0
        for _ in [self.source] if self.single else self._walk():
            total += 1
            if stopped():
                break
        return total

    def refuse_collisions(self) -> None:
        """Raise ConfigError if two inputs would become one output. Looks at every name where outputs are renamed."""
        if self.single or not (self.settings.format or self.channels not in (0, 1, 3)):
            return
        taken: set[int] = set()
        for path in self._walk():
            name = self._job(path).name
            key = hash(name)
            if key in taken:
                self._explain_collision(name)
            taken.add(key)

    def _explain_collision(self, name: str) -> None:
        same = [path for path in self._walk() if self._job(path).name == name]
        if len(same) > 1:
            raise ConfigError(
                f"{same[0]} and {same[1]} would both become {self.target / name}. "
                "Rename one of them, or leave one out with --exclude."
            )

    def _walk(self, report: Callable[[Path, str], None] | None = None) -> Iterator[Path]:
        below_target = lru_cache(maxsize=64)(self._is_output)
        if self.target.resolve() in self.source.resolve().parents:
            below_target = lru_cache(maxsize=1)(lambda folder: False)  # the input lies in the output, not among outputs
        settings = self.settings
        for path in images.walk_images(self.source, settings.include, settings.exclude, on_error=report):
            if not below_target(path.parent):  # by way of a link
                yield path

    def _is_output(self, folder: Path) -> bool:
        here, there = folder.resolve(), self.target.resolve()
        return here == there or there in here.parents

    def _job(self, path: Path) -> Job:
        target = self._renamed(self._single_target() if self.single else self.target / path.relative_to(self.source))
        return Job(path, target, target.relative_to(self.folder).as_posix())

    def _single_target(self) -> Path:
        if self.target.is_dir() or not self.target.suffix:
            return self.target / self.source.name
        return self.target

    def _renamed(self, path: Path) -> Path:
        path = path.with_stem(path.stem + self.settings.tag) if self.settings.tag else path
        if self.settings.format:
            return path.with_suffix(self.settings.format)
        if self.channels not in (0, 1, 3):
            return path.with_suffix(".npy")
        return path.with_suffix(".ppm") if path.suffix.lower() == ".pgm" and self.channels == 3 else path

    def _refuse_single(self) -> None:
        target = self._job(self.source).target
        if target.suffix.lower() not in images.SUFFIXES:
            raise ConfigError(f"{target}: cannot write {target.suffix or 'a file without suffix'}. Known: {_known()}.")
        if target.resolve() == self.source.resolve():
            raise ConfigError(f"{target} would overwrite its own input. Choose another output.")

    def _refuse_nested(self) -> None:
        if self.target.is_file():
            raise ConfigError(f"{self.target} is a file; a folder is translated into a folder.")
        here, there = self.source.resolve(), self.target.resolve()
        if here == there:
            raise ConfigError(f"{self.target} is the input itself. Choose another output.")
        if here in there.parents:
            inside = there.relative_to(here).as_posix()
            if not images.matches(f"{inside}/x.png", self.settings.exclude):
                raise ConfigError(
                    f"{self.target} lies inside {self.source}: outputs would be taken for inputs. "
                    f"Choose another, or add --exclude '{inside}/**'."
                )


def _refuse_report(path: Path) -> None:
    """Raise ConfigError now if the report cannot be written once everything is done."""
    if path.is_dir():
        raise ConfigError(f"The report {path} is a folder: give the name of a file.")
    files.make_folder(path.parent)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts frame10 behind frame9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _known() -> str:
    return " ".join(sorted(images.SUFFIXES))
