"""What was made from what: the memory by which an interrupted conversion goes on, in OUTPUT/.translate.

A line is written before its output takes its place, with the size and the time that the output will have then: so a
process that is killed at any moment leaves either an output that the manifest knows, or none.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any

from translate import files
from translate.errors import ConfigError, UnwritableError

FOLDER = ".translate"
_TABLES = """
    CREATE TABLE IF NOT EXISTS outputs (name BLOB PRIMARY KEY, input TEXT, settings TEXT, output TEXT, before TEXT)
    WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT);
"""


class State(Enum):
    """What is known of an output."""

    MISSING = "not there"
    DONE = "made from this input with these settings"
    STALE = "made by convert from another input or with other settings"
    FOREIGN = "there, but not as convert made it"


class Manifest:
    """The manifest of one output folder. Each of several processes writes its own file and reads all of them."""

    def __init__(self, folder: Path, rank: int = 0) -> None:
        """Raises UnwritableError if the folder cannot be written, ConfigError if another conversion writes there."""
        self.folder = folder / FOLDER
        self.partial = self.folder / "partial"
        self._lock: int | None = None
        self._numbers = count()
        self._writing = threading.Lock()
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            if rank == 0:
                self._lock = files.lock(self.folder)
            self._own = self._open(self.folder / f"manifest-{rank}.sqlite")
        except BlockingIOError:
            raise ConfigError(f"Another conversion is writing to {folder}. Wait for it to end.") from None
        except (OSError, sqlite3.Error) as error:
            reason = (error.strerror or error) if isinstance(error, OSError) else error
            raise UnwritableError(f"Cannot write to {folder}: {reason}.") from error
        self._others: list[sqlite3.Connection] = []

    def look_around(self, first: bool) -> None:
        """Read what other processes knew; the `first` process also clears what killed ones left half-written."""
        own = self._own.execute("PRAGMA database_list").fetchone()[2]
        for path in sorted(self.folder.glob("manifest-*.sqlite")):
            if not Path(own).samefile(path):
                self._others.append(self._open(path))
        if first:
            for path in self.partial.iterdir():
                path.unlink(missing_ok=True)

    def temporary(self) -> Path:
        """A name of its own for an output that is being written."""
        return self.partial / f"{os.getpid()}-{next(self._numbers)}"

    def state(self, name: str, target: Path, source: str, settings: str) -> State:
        """What is known of output `name`, which lies at `target`.

        `source` is the stamp of its input, `settings` all else that it depends on.
        """
        found = _stamp_of(target)
        if found is None:
            return State.MISSING
        known = self._find(name)
        for made_from, made_with, output, _ in known:
            if found == output:
                return State.DONE if (made_from, made_with) == (source, settings) else State.STALE
        return State.STALE if any(found == before for *_, before in known) else State.FOREIGN

    def record(self, name: str, target: Path, source: str, settings: str, output: os.stat_result) -> None:
        """Note that an output with the status `output` is about to take its place at `target`."""
        # What the place held until now is ours too, if it is: a process killed before the rename leaves that there.
        there = _stamp_of(target)
        before = there if any(there in row[2:] for row in self._find(name)) else None
        values = (os.fsencode(name), source, settings, stamp(output), before)
        with self._writing:
            self._own.execute("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?)", values)

    def note(self, name: str, value: Any) -> None:
        """Keep a JSON `value` under `name`."""
        with self._writing:
            self._own.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> Any:
        """What was kept under `name`, None if nothing was."""
        with self._writing:
            row = self._own.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def close(self) -> None:
        for database in [self._own, *self._others]:
            database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _find(self, name: str) -> list[tuple[str, str, str, str | None]]:
        query = "SELECT input, settings, output, before FROM outputs WHERE name = ?"
        with self._writing:
            rows = [base.execute(query, (os.fsencode(name),)).fetchone() for base in [self._own, *self._others]]
        return [row for row in rows if row]

    def _open(self, path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        # A killed process loses nothing that was written; a crash of the machine may cost the last lines, no more.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(_TABLES)
        return database


@contextmanager
def opened(folder: Path, rank: int) -> Iterator[Manifest]:
    """The manifest of `folder`, closed at the end."""
    manifest = Manifest(folder, rank)
    try:
        yield manifest
    finally:
        manifest.close()


def stamp(status: os.stat_result) -> str:
    """What changes when a file does: its size and the time of its last change."""
    return f"{status.st_size} {status.st_mtime_ns}"


def _stamp_of(path: Path) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return stamp(status) if status.st_size else None
