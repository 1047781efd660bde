"""Unpack a zip or tar archive that comes from elsewhere: nothing outside the folder, no links, no bombs."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from translate.errors import DataError

MAX_FILES = 500_000
# Images hardly compress: an archive that grows twentyfold is no data set.
MAX_GROWTH = 20
_SLACK = 1 << 28
_BLOCK = 1 << 20
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_MEANINGFUL = ("train", "val", "test", "A", "B", *(s + d for s in ("train", "val", "test") for d in "AB"))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack `archive` into the existing empty `folder`, leaving out a single folder around everything.

    Raises DataError, naming the member, for absolute names, `..`, links, devices, two members of one name, encrypted
    members, too many files or too many bytes; and if the archive is damaged or of another format.
    """
    members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
    budget = MAX_GROWTH * archive.stat().st_size + _SLACK
    count = 0
    try:
        for name, source in members:
            path = folder / _safe(name, archive)
            if _is_junk(name):
                continue
            count += 1
            if count > MAX_FILES:
                raise DataError(f"{archive} holds more than {MAX_FILES} files: refused.")
            path.parent.mkdir(parents=True, exist_ok=True)
            budget -= _copy(source, path, budget, archive)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f"{archive} is damaged: {error}. Remove it and download it again.") from error
    except RuntimeError as error:  # how zipfile says that it does not know a compression
        raise DataError(f"{archive} cannot be unpacked here: {error}. Unpack it by hand.") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"{archive} holds {error.filename} twice: refused.") from error
    if not count:
        raise DataError(f"{archive} holds no files.")
    _strip(folder)


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{archive} holds {info.filename!r}, a link or device: refused.")
            if info.flag_bits & 1:
                raise DataError(f"{archive} holds {info.filename!r}, which is encrypted: refused.")
            if info.is_dir():
                _safe(info.filename, archive)
                continue
            with file.open(info) as source:
                yield info.filename, source


def _tar_members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as file:
        for info in file:
            if info.isdir():
                # "./" is how many an archive names its own root.
                if info.name not in (".", "./"):
                    _safe(info.name, archive)
                continue
            source = file.extractfile(info) if info.isreg() else None
            if source is None:
                raise DataError(f"{archive} holds {info.name!r}, a link or device: refused.")
            with source:
                yield info.name, source


def _safe(name: str, archive: Path) -> PurePosixPath:
    """The member's relative path; raises DataError if it would lead out of the folder on any system."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or any(c in name for c in "\\:\0"):
        raise DataError(f"{archive} holds the unsafe name {name!r}: refused.")
    return path


def _is_junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part in _JUNK for part in parts) or parts[-1].startswith("._")


def _copy(source: IO[bytes], path: Path, budget: int, archive: Path) -> int:
    """Copy `source` to the new file `path`, counting what truly comes and not what a header claims."""
    done = 0
    with path.open("xb") as target:
        while block := source.read(_BLOCK):
            done += len(block)
            if done > budget:
                raise DataError(f"{archive} unpacks to more than {MAX_GROWTH} times its size: refused.")
            target.write(block)
    return done


def _strip(folder: Path) -> None:
    """If all lies in one folder that says nothing, such as the set's own name, lift its contents up."""
    inside = list(folder.iterdir())
    if len(inside) != 1 or not inside[0].is_dir() or inside[0].name in _MEANINGFUL:
        return
    # Renamed first, for it may hold something of its own name.
    around = inside[0].rename(folder / ".around")
    for path in around.iterdir():
        shutil.move(path, folder / path.name)
    around.rmdir()
