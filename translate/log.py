"""log.jsonl: one line a report, each step once; and TensorBoard's files beside it where asked for."""

import contextlib
import json
from pathlib import Path
from typing import Any, TextIO

from translate import files
from translate.errors import ConfigError


class Log:
    """Takes lines {"step": ..., name: value, ...}. Raises DiskFullError if one cannot be written."""

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        """Open the log of run folder `folder`, which goes on after `step`."""
        self._path = folder / "log.jsonl"
        self._file = _reopen(self._path, step)
        self._board = import_board()(folder / "tensorboard", purge_step=step + 1) if tensorboard else None

    def write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise files.failure(self._path, error) from error
        if self._board:
            for name, value in line.items():
                if name != "step":
                    self._board.add_scalar(name, value, line["step"])

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the disk is full, which was said already
            self._file.close()
            if self._board:
                self._board.close()


def import_board() -> Any:
    """TensorBoard's writer; raises ConfigError if it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("tensorboard is not installed: pip install 'translate[tensorboard]'.") from None
    return SummaryWriter


def _reopen(path: Path, step: int) -> TextIO:
    """Open the log to append to, without the lines of steps that a killed run did after its last checkpoint."""
    kept = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue  # the torn last line of a killed process
    files.write_bytes(path, "".join(line + "\n" for line in kept).encode())
    return path.open("a", encoding="utf-8")
