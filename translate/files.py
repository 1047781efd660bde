"""Write a file whole or not at all: temporary name, flush to disk, rename. Keep a folder to one process."""

import contextlib
import errno
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from translate.errors import DiskFullError, TranslateError, UnwritableError

_MARK = ".partial-"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it is flushed to disk and renamed to `path`.

    When the block raises, the temporary file goes and what stood at `path` stays. Raises DiskFullError, or
    TranslateError if the folder cannot be written, naming the path.
    """
    # Of the name only a hash: the temporary one must not be too long where the name itself just fits.
    temporary = path.with_name(f".{zlib.crc32(os.fsencode(path.name)):08x}{_MARK}{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, whole or not at all (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def make_folder(folder: Path) -> None:
    """Make `folder` and what lies above it, where they are not there; raises as `replacing` does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from error


def publish(path: Path, data: bytes, temporary: Path, before: Callable[[os.stat_result], None]) -> None:
    """Replace `path` by `data` through `temporary`, on the same file system; `before` the rename sees its status.

    Not flushed to disk, so that thousands of files do not wait for it: a crash of the machine, other than one of the
    process, may cost what was written in its last seconds. Raises as `replacing` does.
    """
    try:
        temporary.write_bytes(data)
        before(temporary.stat())
        try:
            temporary.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            write_bytes(path, data)  # a subfolder that lies on another disk
            before(path.stat())
    except OSError as error:
        raise failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def lock(folder: Path) -> int | None:
    """Keep other processes from locking `folder`, until the descriptor is closed or this process ends, however it does.

    Returns the descriptor, None where folders cannot be locked. Raises BlockingIOError if another process has it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:  # some network file systems
        os.close(descriptor)
        return None
    return descriptor


def remove_partial(folder: Path) -> None:
    """Delete the temporary files that a killed process left in `folder` and below."""
    for path in folder.rglob(f".*{_MARK}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def failure(path: Path, error: OSError) -> TranslateError:
    """The error that says that `path` cannot be written, and why."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(
            f"No space left on the disk while writing {path}; what stood there before is unharmed. Free some space."
        )
    text = f"Cannot write {path}: {error.strerror or error}."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO):
        return UnwritableError(text)
    return TranslateError(text)
