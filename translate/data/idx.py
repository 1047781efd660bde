"""Pictures and labels in idx files, as MNIST is published (LeCun et al. 1998), to a folder of PNGs."""

import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from translate import images
from translate.data.place import new_folder
from translate.errors import DataError
from translate.images import Picture

Progress = Callable[[int, int], None]

_BYTES = 0x08  # the type code of unsigned bytes, the only one pictures have
_WHAT = {1: "labels (idx1)", 3: "pictures (idx3)"}


def unpack(pictures: Path, out: Path, labels: Path | None = None, progress: Progress | None = None) -> int:
    """Write every picture of the idx3 file `pictures` as a grey PNG into `out`, absent or empty; returns their number.

    Picture 7 becomes `out`/00007.png, or `out`/3/00007.png where the idx1 file `labels` says that it is a 3. The files
    may be compressed by gzip. `progress` is told of (done, total). Raises DataError for files that are damaged, of
    another kind or of counts that differ, and if `out` is taken; then nothing is left there.
    """
    pixels = read(pictures, 3)
    if not pixels.size:
        raise DataError(f"{pictures} holds no pictures: its header says {'x'.join(map(str, pixels.shape))}.")
    classes = None if labels is None else read(labels, 1)
    if classes is not None and len(classes) != len(pixels):
        raise DataError(f"{pictures} holds {len(pixels)} pictures but {labels} {len(classes)} labels: not of one set.")
    digits = max(5, len(str(len(pixels) - 1)))
    with new_folder(out) as folder:
        for name in {"."} if classes is None else {str(label) for label in classes}:
            (folder / name).mkdir(exist_ok=True)
        for index, image in enumerate(pixels):
            place = folder if classes is None else folder / str(classes[index])
            # Not through images.write, which waits for the disk: the folder takes its place only when it is whole.
            (place / f"{index:0{digits}d}.png").write_bytes(images.encode(Picture(image[..., None]), ".png"))
            if progress:
                progress(index + 1, len(pixels))
    return len(pixels)


def read(path: Path, dimensions: int) -> np.ndarray:
    """The unsigned bytes of an idx file, compressed or not, in its `dimensions`: 1 for labels (N,), 3 for (N, H, W).

    Raises DataError for what cannot be read, is damaged or has other dimensions or numbers.
    """
    data = _content(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{path} is no idx file: it begins with {data[:4].hex(' ') or 'nothing'}, not with 00 00.")
    kind, found = data[2], data[3]
    if kind != _BYTES or found != dimensions:
        held = _WHAT.get(found, f"{found} dimensions") if kind == _BYTES else f"numbers of type {kind:#04x}, not bytes"
        raise DataError(f"{path} holds {held}; {_WHAT[dimensions]} of bytes begin with 00 00 08 0{dimensions}.")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataError(f"{path} is damaged: it ends within its header, after {len(data)} bytes.")
    shape = tuple(int.from_bytes(data[at : at + 4]) for at in range(4, start, 4))
    if len(data) - start != math.prod(shape):
        raise DataError(
            f"{path} is damaged: its header says {'x'.join(map(str, shape))} bytes, but {len(data) - start} follow."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: it cannot be decompressed ({error}).") from None
