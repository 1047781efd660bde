"""Where in a picture each painting goes: masks of the user's, one for all pictures or one for each."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from translate import images
from translate.errors import ConfigError, ImageError

NONE = "none"


class Places:
    """The masks that go with some paintings: for each "none", a picture or a folder of them; no entries: none at all.

    `counted` says of each painting whether it has any weight: where only others go, nothing goes.
    """

    def __init__(self, entries: Sequence[str], counted: Sequence[bool]) -> None:
        """Raises ConfigError for a file or folder that is not there, ImageError for a picture that cannot be read."""
        self._counted = tuple(counted)
        self._entries = [None if entry == NONE else Path(entry) for entry in entries or [NONE] * len(counted)]
        for path in self._entries:
            if path is not None and not path.exists():
                raise ConfigError(f"There is no mask or folder of masks {path}; {NONE} is for a painting without.")
        self.folders = [path is not None and path.is_dir() for path in self._entries]
        self._single = [
            read_mask(path) if path is not None and not folder else None
            for path, folder in zip(self._entries, self.folders, strict=True)
        ]

    @property
    def keeps(self) -> bool:
        """Whether there may be pixels that no painting goes to."""
        return any(self._counted) and all(
            path is not None for path, counted in zip(self._entries, self._counted, strict=True) if counted
        )

    @cached_property
    def key(self) -> str:
        """Contents of single masks, places of folders."""
        digest = hashlib.sha256(repr(self._counted).encode())
        for path, folder, mask in zip(self._entries, self.folders, self._single, strict=True):
            told = path.resolve() if folder and path is not None else mask is not None and mask.shape
            digest.update(repr(str(told)).encode())
            digest.update(b"" if mask is None else mask.tobytes())
        return digest.hexdigest()

    def files(self, source: Path, name: str) -> tuple[Path, ...]:
        """The masks for the picture at `source`, `name` below the input folder, of those that lie in folders.

        They have its name and any suffix. Raises ImageError if one is missing.
        """
        folders = [path for path, folder in zip(self._entries, self.folders, strict=True) if path and folder]
        return tuple(_found(folder / name, source) for folder in folders)

    def masks(self, files: Sequence[Path], height: int, width: int) -> list[np.ndarray | None]:
        """The mask of each painting, (H, W) in [0, 1] or None, brought to that size; `files` as of `files`."""
        left = iter(files)
        found: list[np.ndarray | None] = []
        for folder, mask in zip(self.folders, self._single, strict=True):
            # A picture without a name, as Python gives them, has no mask in a folder.
            path = next(left, None) if folder else None
            own = mask if path is None else read_mask(path)
            found.append(None if own is None else images.resize(own[..., None], height, width)[..., 0].clip(0, 1))
        return found

    def untouched(self, masks: Sequence[np.ndarray | None]) -> np.ndarray | None:
        """Where no painting goes, (H, W) of bool; None if that is nowhere."""
        given = [mask for mask, counted in zip(masks, self._counted, strict=True) if counted]
        black = [mask == 0 for mask in given if mask is not None]
        if len(black) < len(given) or not given:
            return None
        where = np.logical_and.reduce(black)
        return where if where.any() else None


def read_mask(path: Path) -> np.ndarray:
    """How white the picture at `path` is, (H, W), float32 from 0 to 1. Raises ImageError."""
    values = images.to_depth(images.read(path).pixels, np.float32)
    return (values.mean(axis=2) + 1) / 2


def _found(base: Path, source: Path) -> Path:
    for suffix in (base.suffix, *sorted(images.SUFFIXES)):
        if base.with_suffix(suffix).is_file():
            return base.with_suffix(suffix)
    raise ImageError(f"{source}: there is no mask {base.with_suffix('.*')}.")
