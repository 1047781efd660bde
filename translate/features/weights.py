"""Where torchvision keeps pretrained weights, and how they are fetched when, and only when, someone asks for them."""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from translate import files
from translate.data.fetch import UnreachableError, fetch
from translate.errors import CheckpointError, DiskFullError, UnwritableError

Progress = Callable[[int, int | None], None]
KINDS = {"vgg19": "VGG19_Weights", "vgg16": "VGG16_Weights", "squeezenet": "SqueezeNet1_1_Weights"}
"""What torchvision calls the weights of each kind of features, best first."""
_ELSEWHERE = "TORCH_HOME sets another place."
_PAUSE = 0.2
"""Seconds between two looks at whether another download has ended."""


class Published(NamedTuple):
    """Weights as torchvision publishes them; `size` in bytes, good to a thousandth of a MiB."""

    url: str
    size: int

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


def published(name: str) -> Published:
    """Address and size of the weights of `name`, one of KINDS."""
    from torchvision import models

    found = getattr(models, KINDS[name]).IMAGENET1K_V1
    return Published(found.url, round(found.meta["_file_size"] * 2**20))


def place(name: str) -> Path:
    """Where torchvision keeps the weights of `name`, whether or not they are there."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / published(name).file


def missing(name: str) -> CheckpointError:
    """What to say where the weights of `name` are not at hand."""
    return CheckpointError(
        f"No weights of {name}: {place(name)} is not there. {remedy(name)}; features=FILE takes weights from a file; "
        "features=patch needs none."
    )


def remedy(name: str) -> str:
    """The command that fetches the weights of `name`, and how much that is, to go into a sentence's beginning."""
    known = published(name)
    command = f"translate stylize CONTENT STYLE --out OUT --features {name} --download"
    return f"`{command}` fetches {known.size / 1e6:.0f} MB from {known.url}"


def download(
    name: str,
    progress: Progress | None = None,
    address: str | None = None,
    *,
    wait: float = 1.0,
    notice: Callable[[str], None] = lambda text: None,
) -> Path:
    """Bring the weights of `name` to where torchvision keeps them and return the file; one that is there is left.

    A download that was cut short goes on where it stopped; what came takes its place only when its SHA-256 begins as
    the published name says. One that is under way elsewhere, in another process or thread, is waited for; `notice` is
    told. `progress(bytes, total or None)`; `address` replaces the published one; `wait` is the pause in seconds before
    the first of a few retries. Raises CheckpointError if it cannot be had or is not what was published,
    UnwritableError or DiskFullError where it cannot be put.
    """
    path = place(name)
    if path.is_file():
        return path
    try:
        _make_room(path)
        with _alone(path.parent, notice):
            if not path.is_file():  # it may have come meanwhile
                _bring(path, published(name), name, address, progress, wait)
    except OSError as error:
        raise UnwritableError(f"Cannot write {path}: {error.strerror or error}. {_ELSEWHERE}") from error
    return path


@contextmanager
def _alone(folder: Path, notice: Callable[[str], None]) -> Iterator[None]:
    """Wait until nobody else downloads into `folder`, and keep others waiting."""
    told = False
    while True:
        try:
            descriptor = files.lock(folder)
            break
        except BlockingIOError:
            if not told:
                notice(f"Another download into {folder} is under way: waiting for it.")
            told = True
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _bring(
    path: Path, known: Published, name: str, address: str | None, progress: Progress | None, wait: float
) -> None:
    _check_space(path, known.size)
    # Under its own name only once it is checked: torchvision trusts what lies there.
    arriving = path.with_name(f"{path.name}.unchecked")
    url = address or known.url
    if not arriving.is_file():
        try:
            fetch(url, arriving, progress=progress, wait=wait)
        except UnreachableError as error:
            raise CheckpointError(
                f"Cannot download the weights of {name} from {url}: {error}. On a machine that can, fetch "
                f"{known.file} ({known.size / 1e6:.0f} MB) and put it at {path}, or take --features patch, which needs "
                f"none."
            ) from error
    _verify(arriving, known)
    arriving.replace(path)


def _make_room(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(
            f"Cannot make the folder {path.parent}: {error.strerror or error}. {_ELSEWHERE}"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise UnwritableError(f"Cannot write to the folder {path.parent}. {_ELSEWHERE}")


def _check_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise DiskFullError(
            f"Not enough space in {path.parent}: {size / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free. Free some, or "
            f"set another place with TORCH_HOME."
        )


def _verify(path: Path, known: Published) -> None:
    """Compare with the hash in the published name, of which torch.hub keeps the first digits; what differs goes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = re.search(r"-([0-9a-f]{8,})\.", known.file)
    if wanted and not digest.startswith(wanted[1]):
        size = path.stat().st_size
        path.unlink()
        raise CheckpointError(
            f"What came for {known.file} is not what was published ({size} bytes, SHA-256 {digest[: len(wanted[1])]}, "
            f"not {wanted[1]}); it was deleted. Try again."
        )
