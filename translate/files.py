"""Write a file whole or not at all: temporary name, flush to disk, rename."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from translate.errors import TranslateError

_MARK = ".partial-"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it is flushed to disk and renamed to `path`.

    When the block raises, the temporary file goes and what stood at `path` stays. Raises TranslateError, naming the
    path, if the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.stem[:100]}{_MARK}{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise TranslateError(_reason(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, whole or not at all (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def remove_partial(folder: Path) -> None:
    """Delete the temporary files that a killed process left in `folder`."""
    for path in folder.glob(f".*{_MARK}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space left on the disk while writing {path}; what stood there before is unharmed. Free some space."
    return f"Cannot write {path}: {error.strerror or error}."
