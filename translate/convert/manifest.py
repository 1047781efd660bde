"""What was made from what: the memory by which an interrupted conversion goes on, in OUTPUT/.translate.

A line is written before its output takes its place, with the size and the time that the output will have then: so a
process that is killed at any moment leaves either an output that the manifest knows, or none.
"""

import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from translate import files
from translate.errors import ConfigError, DiskFullError, UnwritableError

FOLDER = ".translate"
_VERSION = 1
_COLUMNS = "name, source, stamp, settings, output, before, at"
_TABLES = """
    CREATE TABLE IF NOT EXISTS outputs (
        name BLOB PRIMARY KEY, source BLOB, stamp TEXT, settings TEXT, output TEXT, before TEXT, at INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT);
"""
Found = TypeVar("Found")


class State(Enum):
    """What is known of an output."""

    MISSING = "to make"
    DONE = "made already"
    STALE = "to make anew: its input, the model or the settings have changed"
    FOREIGN = "kept: not made by convert, or changed since; --overwrite replaces it"
    OTHERS = "kept: made from another input; --overwrite replaces it"


class Manifest:
    """The manifest of one output folder. Each of several processes writes a file of its own."""

    def __init__(self, folder: Path, rank: int = 0) -> None:
        """Raises UnwritableError if the folder cannot be written, ConfigError if another conversion writes there."""
        self.folder = folder / FOLDER
        self.partial = self.folder / "partial"
        self._rank, self._numbers, self._writing = rank, count(), threading.Lock()
        self._lock: int | None = None
        self._base: sqlite3.Connection | None = None
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            self._lock = files.lock(self.folder) if rank == 0 else None
        except BlockingIOError:
            raise ConfigError(f"Another conversion is writing to {folder}. Wait for it to end.") from None
        except OSError as error:
            raise UnwritableError(f"Cannot write to {folder}: {error.strerror or error}.") from error

    def gather(self) -> None:
        """In the first process, before the others `take_up`: bring together what all processes of the last run knew.

        Clears, too, what killed processes left half-written. Raises ConfigError for a manifest that is damaged.
        """
        for path in self.partial.iterdir():
            path.unlink(missing_ok=True)
        own = self._path(0)
        self._base = _open(own)
        for path in sorted(self.folder.glob("manifest-*.sqlite")):
            if path.name != own.name:
                self._merge(path)
        self._do(lambda base: base.execute("PRAGMA wal_checkpoint(TRUNCATE)"))  # for those who copy the file

    def take_up(self) -> None:
        """In the other processes, before the first one writes again: begin with what is known."""
        if self._rank:
            shutil.copyfile(self._path(0), self._path(self._rank))
            self._base = _open(self._path(self._rank))

    def temporary(self) -> Path:
        """A name of its own for an output that is being written."""
        return self.partial / f"{os.getpid()}-{next(self._numbers)}"

    def state(self, name: str, target: Path, source: Path, stamps: str, settings: str) -> State:
        """What is known of output `name`, which lies at `target`.

        `stamps` are those of its input `source` and what else it is made from, `settings` all else it depends on.
        """
        found = stamp_of(target)
        if found is None:
            return State.MISSING
        query = "SELECT source, stamp, settings, output, before FROM outputs WHERE name = ?"
        row = self._do(lambda base: base.execute(query, (os.fsencode(name),)).fetchone())
        if row is None or found not in row[3:]:
            return State.FOREIGN if row is None or not _is_empty(found) else State.STALE
        if row[0] != _identity(source) and Path(os.fsdecode(row[0])).exists():
            return State.OTHERS
        return State.DONE if found == row[3] and (stamps, settings) == row[1:3] else State.STALE

    def record(self, name: str, target: Path, source: Path, stamps: str, settings: str, output: os.stat_result) -> None:
        """Note that an output with the status `output` is about to take its place at `target`."""
        # What the place held until now is ours too, if it is: a process killed before the rename leaves that there.
        there = stamp_of(target)
        query = "SELECT output, before FROM outputs WHERE name = ?"
        row = self._do(lambda base: base.execute(query, (os.fsencode(name),)).fetchone())
        before = there if row and there in row else None
        values = (os.fsencode(name), _identity(source), stamps, settings, stamp(output), before, time.time_ns())
        self._do(lambda base: base.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?, ?, ?)", values))

    def note(self, name: str, value: Any) -> None:
        """Keep a JSON `value` under `name`."""
        values = (name, json.dumps(value))
        self._do(lambda base: base.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", values))

    def noted(self, name: str) -> Any:
        """What was kept under `name`, None if nothing was."""
        query = "SELECT value FROM notes WHERE name = ?"
        row = self._do(lambda base: base.execute(query, (name,)).fetchone())
        return json.loads(row[0]) if row else None

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
        if self._lock is not None:
            os.close(self._lock)
        self._base = self._lock = None

    def _path(self, rank: int) -> Path:
        return self.folder / f"manifest-{rank}.sqlite"

    def _merge(self, path: Path) -> None:
        other = _open(path)
        try:
            rows = other.execute(f"SELECT {_COLUMNS} FROM outputs")
            insert = (
                f"INSERT INTO outputs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "source = excluded.source, stamp = excluded.stamp, settings = excluded.settings, "
                "output = excluded.output, before = excluded.before, at = excluded.at WHERE excluded.at > outputs.at"
            )
            while some := rows.fetchmany(1000):
                self._do(partial(_at_once, insert=insert, rows=some))
        finally:
            other.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _do(self, work: Callable[[sqlite3.Connection], Found]) -> Found:
        assert self._base is not None, "gather or take_up first"
        with self._writing:
            try:
                return work(self._base)
            except sqlite3.Error as error:
                raise _explained(self.folder, error) from error


@contextmanager
def opened(folder: Path, rank: int, barrier: Callable[[], None] = lambda: None) -> Iterator[Manifest]:
    """The manifest of `folder`, ready in all processes, which meet at `barrier`; closed at the end."""
    manifest = Manifest(folder, rank)
    try:
        barrier()
        if rank == 0:
            manifest.gather()
        barrier()
        manifest.take_up()
        barrier()
        yield manifest
    finally:
        manifest.close()


@contextmanager
def consulted(folder: Path) -> Iterator[Manifest | None]:
    """A copy of the manifest of `folder`, to look things up in without touching it; None if there is none."""
    if not (folder / FOLDER).is_dir():
        yield None
        return
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder / FOLDER, Path(copy) / FOLDER, ignore=shutil.ignore_patterns("partial"))
        with opened(Path(copy), 0) as manifest:
            yield manifest


def stamp(status: os.stat_result) -> str:
    """What changes when a file does: its size and the time of its last change."""
    return f"{status.st_size} {status.st_mtime_ns}"


def stamp_of(path: Path) -> str | None:
    """The stamp of the file `path`, None if there is none."""
    try:
        return stamp(path.stat())
    except OSError:
        return None


def _is_empty(found: str) -> bool:
    return found.startswith("0 ")


def _identity(source: Path) -> bytes:
    return os.fsencode(source.resolve())


def _at_once(base: sqlite3.Connection, insert: str, rows: list[Any]) -> None:
    base.execute("BEGIN")
    base.executemany(insert, rows)
    base.execute("COMMIT")


def _open(path: Path) -> sqlite3.Connection:
    try:
        base = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        try:
            # One process a file: no memory is shared, which network file systems could not.
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            base.execute("PRAGMA journal_mode = WAL")
            # A killed process loses nothing; a crash of the machine may cost the last lines.
            base.execute("PRAGMA synchronous = NORMAL")
            version = base.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise ConfigError(f"{path} was written by another version of translate. {_REMEDY}")
            base.executescript(f"{_TABLES} PRAGMA user_version = {_VERSION};")
            base.execute(f"SELECT {_COLUMNS} FROM outputs LIMIT 1").fetchone()
        except BaseException:
            base.close()
            raise
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    return base


_REMEDY = "Delete it: outputs then count as not made by convert, and --overwrite makes them anew."


def _explained(path: Path, error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError(f"No space left on the disk while writing {path}. Free some space.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return UnwritableError(f"Cannot write {path}: {error}.")
    return ConfigError(f"The manifest {path} is damaged ({error}). {_REMEDY}")
