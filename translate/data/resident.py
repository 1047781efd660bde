"""Decoded images that live on the device and become batches there: the loader's batches without its work.

Draws are the dataset's own, made on the host from (seed, epoch, position). Whatever a geometry does, it makes the pixel
(i, j) of its result from pixel `start + down * i + right * j` of its image; so three numbers an image go to the device,
and one gather makes the whole batch.
"""

from collections.abc import Generator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from translate.data.augment import Domain, Variant
from translate.data.batch import Batch
from translate.data.dataset import ImageDataset, Key, Place
from translate.data.geometry import Geometry
from translate.data.jitter import jittered
from translate.data.loader import Keys
from translate.errors import ConfigError

SHARE = 4
"""A data set may take up one part in so many of a GPU's memory."""
LOOKED_AT = 32
"""Images of a domain that tell how large the others are."""
_TOO_SMALL = "setting cache is too small for all"
_DOMAINS: tuple[Domain, Domain] = ("a", "b")


def why_not_resident(dataset: ImageDataset, device: torch.device) -> str:
    """Why the images of `dataset`, which was prepared, cannot live on `device`; "" if they can."""
    total = 0
    for domain, sources in enumerate(dataset.domains):
        name, wide, pixels = "AB"[domain], False, 0
        for index, source in enumerate(sources):
            if (domain, index) not in dataset.cache:
                return f"{source.path} is not among the decoded images in memory: {_TOO_SMALL}"
            image = dataset.cache[domain, index]
            if image.dtype not in (np.uint8, np.uint16):
                return f"{source.path} is of {image.dtype}, not of 8 or 16 bits"
            wide, pixels = wide or image.dtype == np.uint16, pixels + image.shape[0] * image.shape[1]
        channels = dataset.channels[domain] or 0
        if dataset.augment.jitters(_DOMAINS[domain]) and (wide or channels not in (1, 3)):
            depth = "16 bits" if wide else f"{channels} channels"
            return f"setting jitter works on 8-bit grey or colour, and domain {name} has images of {depth}"
        total += pixels * channels * (2 if wide else 1)
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
        if total > memory // SHARE:
            return f"its images take {total >> 20} MiB, more than a quarter of the {memory >> 20} MiB of {device}"
    return ""


def refuse_what_cannot_be(dataset: ImageDataset, device: torch.device) -> None:
    """Raises ConfigError, saying what would do, if the images of `dataset` cannot live on `device`."""
    reason = why_not_resident(dataset, device)
    if reason:
        larger = f"--set cache={_cache_for(dataset)} holds them; or use " if reason.endswith(_TOO_SMALL) else "Use "
        raise ConfigError(f"Setting resident=True: {reason}. {larger}--set resident=False, or leave it out.")


def _cache_for(dataset: ImageDataset) -> int:
    """MiB that hold all images: exact where those of a domain are of one kind, else by the largest of some."""
    total = 0
    for domain, sources in enumerate(dataset.domains):
        some = sorted({place * len(sources) // LOOKED_AT for place in range(LOOKED_AT)})
        largest = max(image.nbytes for index in some for image in dataset.at([(domain, index)]))
        total += -(-largest // 8) * 8 * len(sources)  # a cache keeps every array aligned
    return -(-total // 2**20)


def resident_stream(
    dataset: ImageDataset,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    device: torch.device,
) -> Generator[Batch, None, None]:
    """The batches that `loader.stream` gives for the same arguments, made on `device` without waiting for it.

    They are bit for bit the same but for colour jitter, which has the same draws and agrees to some steps of 255: see
    translate.data.jitter.
    Raises ConfigError and DataError as `loader.stream` does. Ask `why_not_resident` first.
    """
    keys = Keys(dataset, batch_size, seed, start, rank, world)
    return _made(dataset, keys, device)


def _made(dataset: ImageDataset, keys: Keys, device: torch.device) -> Generator[Batch, None, None]:
    resident = _Resident(dataset, device)
    for batch_keys in keys:
        yield resident.batch(batch_keys)


class _Store(NamedTuple):
    """Images of one depth and of as many channels, pixel after pixel: (C, all pixels), 16 bits as the int16 of them.

    `half` is half their range. It is a tensor because a GPU multiplies by the reciprocal of a number, which does not
    round as dividing by it does.
    """

    pixels: Tensor
    half: Tensor
    starts: dict[Place, int]
    sizes: dict[Place, tuple[int, int]]


class _Resident:
    """The images of a data set on a device."""

    def __init__(self, dataset: ImageDataset, device: torch.device) -> None:
        self.dataset = dataset
        self.device = device
        kinds = [_kind(dataset, domain) for domain in range(len(dataset.domains))]
        alike = {kind: [domain for domain, own in enumerate(kinds) if own == kind] for kind in kinds}
        made = {kind: _store(dataset, domains, kind, device) for kind, domains in alike.items()}
        self.stores = [made[kind] for kind in kinds]

    def batch(self, keys: Sequence[Key]) -> Batch:
        places = [self.dataset.places(key) for key in keys]
        variants = [
            self.dataset.variants(key, [self.stores[domain].sizes[domain, index] for domain, index in where])
            for key, where in zip(keys, places, strict=True)
        ]
        labels = [label for key in keys if (label := self.dataset.label(key[1])) is not None]
        columns = list(zip(*places, strict=True)), list(zip(*variants, strict=True))
        a, *b = self._images(*columns)
        return Batch(
            a,
            b[0] if b else None,
            tuple(self.dataset.named(where) for where in places),
            _sent(np.array(labels, np.int64), self.device) if labels else None,
        )

    def _images(self, places: Sequence[Sequence[Place]], variants: Sequence[Sequence[Variant]]) -> list[Tensor]:
        """(N, C, H, W) in [-1, 1] of every domain; of both at once where they are alike."""
        shapes = {own[0].geometry.shape for own in variants}
        jitters = {self.dataset.augment.jitters(_DOMAINS[domain]) for domain in range(len(places))}
        if len(set(map(id, self.stores))) == len(shapes) == len(jitters) == 1:
            return list(self._made(0, list(chain(*places)), list(chain(*variants))).split(len(places[0])))
        return [self._made(domain, *own) for domain, own in enumerate(zip(places, variants, strict=True))]

    def _made(self, domain: int, places: Sequence[Place], variants: Sequence[Variant]) -> Tensor:
        """The images at `places`, of the store and with the jitter of `domain`."""
        store = self.stores[domain]
        height, width = variants[0].geometry.shape
        steps = [
            _steps(variant.geometry, store.starts[place], store.sizes[place][1])
            for place, variant in zip(places, variants, strict=True)
        ]
        first, down, right = _sent(np.array(steps, np.int64).T.copy(), self.device)[..., None, None]
        rows, columns = torch.arange(height, device=self.device)[:, None], torch.arange(width, device=self.device)
        index = first + down * rows + right * columns
        every = index.view(1, -1).expand(len(store.pixels), -1)
        found = store.pixels.gather(1, every).view(-1, *index.shape).transpose(0, 1)
        if found.dtype == torch.int16:
            found = found.int() & 0xFFFF
        images = torch.empty(found.shape, device=self.device).copy_(found)
        if self.dataset.augment.jitters(_DOMAINS[domain]):
            images = jittered(images, [variant.colours for variant in variants if variant.colours])
        return images.div_(store.half).sub_(1)


def _kind(dataset: ImageDataset, domain: int) -> tuple[int, bool]:
    """(channels, whether any image has 16 bits)."""
    wide = any(dataset.cache[domain, index].dtype == np.uint16 for index in range(len(dataset.domains[domain])))
    return dataset.channels[domain] or 0, wide


def _store(dataset: ImageDataset, domains: Sequence[int], kind: tuple[int, bool], device: torch.device) -> _Store:
    places = [(domain, index) for domain in domains for index in range(len(dataset.domains[domain]))]
    sizes = {place: dataset.cache[place].shape[:2] for place in places}
    ends = np.cumsum([height * width for height, width in sizes.values()]).tolist()
    starts = dict(zip(places, [0, *ends[:-1]], strict=True))
    channels, wide = kind
    pixels = torch.empty(channels, ends[-1], dtype=torch.int16 if wide else torch.uint8, device=device)
    for place, end in zip(places, ends, strict=True):
        (image,) = dataset.at([place])
        if wide and image.dtype == np.uint8:
            image = image.astype(np.uint16) * np.uint16(257)  # v / 127.5 and 257 v / 32767.5 are one number
        planes = image.reshape(-1, channels).T.copy()  # torch warns of arrays that are read-only
        pixels[:, starts[place] : end] = torch.from_numpy(planes.view(np.int16) if wide else planes)
    return _Store(pixels, torch.tensor(32767.5 if wide else 127.5, device=device), starts, sizes)


def _steps(geometry: Geometry, begin: int, width: int) -> tuple[int, int, int]:
    """(start, down, right): where in the store the first pixel lies, and how far on the next row and column are.

    `begin` is where the image of that `width` begins.
    """
    first, down, right = begin + geometry.top * width + geometry.left, width, 1
    if geometry.mirror:
        first, right = first + geometry.width - 1, -1
    if geometry.flip:
        first, down = first + (geometry.height - 1) * width, -width
    rows, columns = geometry.height, geometry.width
    for _ in range(geometry.turns):  # counter-clockwise: what was the last column becomes the first row
        first, down, right = first + (columns - 1) * right, -right, down
        rows, columns = columns, rows
    return first, down, right


def _sent(numbers: np.ndarray, device: torch.device) -> Tensor:
    """On `device`; a GPU fetches them when it comes to them."""
    tensor = torch.from_numpy(numbers)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
