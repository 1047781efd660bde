"""Fetch a public data set by name: resumable, checked, whole or not at all."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from translate.data import catalogue
from translate.data.fetch import UnreachableError, fetch
from translate.data.place import new_folder, refuse_taken
from translate.data.unpack import unpack
from translate.errors import DataError

Progress = Callable[[int, int | None], None]


def download(
    name: str, root: Path, *, progress: Progress | None = None, address: str | None = None, wait: float = 1.0
) -> Path:
    """Bring the public set `name` to `root`/NAME and return that folder; one that is there already is left as it is.

    An archive that lies in `root` under its published name is used instead of the network. A download that was cut
    short goes on where it stopped. `progress(bytes, total or None)` is called as they come. `address` replaces the
    published one. `wait` is the pause in seconds before the first of a few retries; it doubles each time.
    Raises DataError: unknown name, unreachable (it says what to put where), wrong size or hash, unsafe or damaged
    archive, no space.
    """
    known = catalogue.entry(name)
    folder = root / name
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    refuse_taken(folder)
    url = address or known.url
    if url is None:
        raise DataError(f"{name} cannot be downloaded. {known.terms} Put it into {folder} by hand.")
    archive = root / (known.archive or Path(url).name)
    found = archive.is_file()
    _make_root(root)
    if not found:
        _check_space(root, known.bytes)
        try:
            fetch(url, archive, progress=progress, wait=wait)
        except UnreachableError as error:
            raise DataError(_by_hand(name, url, archive, known, str(error))) from error
    _verify(archive, known, found)
    with new_folder(folder) as temporary:
        unpack(archive, temporary)
    if not found:
        archive.unlink()
    return folder


def _make_root(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Cannot make the folder {root}: {error.strerror or error}.") from error


def _check_space(root: Path, size: int | None) -> None:
    """Refuse to start where archive and unpacked images, which take about as much again, cannot fit."""
    free = shutil.disk_usage(root).free
    if size is not None and free < 2.1 * size:
        raise DataError(
            f"Not enough space in {root}: {2.1 * size / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free. "
            f"Free some, or give another place with --root."
        )


def _by_hand(name: str, url: str, archive: Path, known: catalogue.Entry, reason: str) -> str:
    size = f" ({known.bytes} bytes)" if known.bytes else ""
    return (
        f"Cannot download {url}: {reason}. On a machine that can, fetch {archive.name}{size} from that address, "
        f"put it at {archive} and run `translate datasets download {name}` again."
    )


def _verify(archive: Path, known: catalogue.Entry, found: bool) -> None:
    """Compare size and hash with the published ones; a fetched archive that differs is deleted, a found one is kept."""
    size = archive.stat().st_size
    trouble = ""
    if known.bytes is not None and size != known.bytes:
        trouble = f"{size} bytes, not the published {known.bytes}"
    elif known.sha256 is not None:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != known.sha256:
            trouble = f"SHA-256 {digest}, not the published {known.sha256}"
    if not trouble:
        return
    if found:
        raise DataError(f"{archive} is not the published archive: {trouble}. Remove it to download it afresh.")
    archive.unlink()
    raise DataError(
        f"What came for {archive.name} is not the published archive ({trouble}); it was deleted. Try again."
    )
