"""Files are written whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from translate import files
from translate.errors import TranslateError


def test_a_failed_write_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "file.bin"
    files.write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as temporary:
        temporary.write_bytes(b"half of the n")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file.bin"
    files.write_bytes(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TranslateError, match="No space left on the disk while writing .*file.bin"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(TranslateError, match="Cannot write .*nowhere.*No such file"):
        files.write_bytes(tmp_path / "nowhere" / "file", b"")


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    (tmp_path / ".last.partial-1234.pt").write_bytes(b"half")
    (tmp_path / "last.pt").write_bytes(b"whole")
    files.remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]
