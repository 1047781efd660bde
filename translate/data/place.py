"""Make a folder whole or not at all: fill a temporary one beside it, then rename."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from translate.errors import DataError

_MARK = ".partial-"


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path`; when the block ends well it is renamed to `path`, else it goes.

    Raises DataError if `path` exists and is not an empty folder, if the disk is full or cannot be written.
    """
    refuse_taken(path)
    # The absolute path has a name even where `path` is "." or ends in "..".
    place = path.absolute()
    temporary = place.with_name(f".{place.name}{_MARK}{os.getpid()}")
    try:
        _remove_left_over(place)
        temporary.mkdir(parents=True)
        yield temporary
        if place.is_dir():
            place.rmdir()
        temporary.rename(place)
    except OSError as error:
        raise DataError(_reason(path, error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_taken(path: Path) -> None:
    """Raise DataError if something that must not be overwritten stands at `path`."""
    if path.is_dir():
        if any(path.iterdir()):
            raise DataError(f"{path} exists and is not empty: give another place, or remove it first.")
    elif path.exists() or path.is_symlink():
        raise DataError(f"{path} exists and is not a folder: give another place, or remove it first.")


def _remove_left_over(place: Path) -> None:
    """Delete what processes that were killed while filling `place` left behind; those alive keep theirs."""
    for folder in place.parent.glob(f".{place.name}{_MARK}*"):
        process = folder.name.rpartition("-")[2]
        if process.isdecimal() and (int(process) == os.getpid() or not _alive(int(process))):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(process: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space left on the disk while making {path}; nothing was left there. Free some space."
    return f"Cannot make {path}: {error.strerror or error}."
