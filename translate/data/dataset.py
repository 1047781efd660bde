"""What the three kinds of data set share: decoding, checking, caching; items follow from (seed, epoch, position)."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from translate import images
from translate.config import DataSettings
from translate.data.augment import Augment, Variant
from translate.data.batch import Batch
from translate.data.cache import Cache
from translate.data.facts import Facts, Place, check_sizes, find_channels, leave_out, say_unfit
from translate.data.layout import Source, Split
from translate.errors import DataError, ImageError

# The last number of every key for a generator: what it draws. Trailing zeros of a key do not count for numpy, so the
# other numbers alone would give the item at position 0 and the order of its epoch the same generator.
ITEM, ORDER, PARTNERS = 0, 1, 2

Key = tuple[int, int]
"""(epoch, position)."""

Unfit = Callable[[np.ndarray], str]
"""Says of an image (H, W, C) why it is of no use, in an adjective; "" if it is."""

_PRIME = "Call prepare() first: it finds the channels and what can be read."


class Sample(NamedTuple):
    """One item before it becomes float: (H, W, C) of A, of B if there is one, its file or files, and its class."""

    a: np.ndarray
    b: np.ndarray | None
    file: str
    label: int | None = None


class UnfitError(ImageError):
    """An image can be read but is of no use."""


class ImageDataset(data.Dataset, ABC):
    """Items of one split. Every random draw follows from (seed, epoch, position) and nothing else."""

    def __init__(self, split: Split, settings: DataSettings, seed: int) -> None:
        self.domains: list[list[Source]] = [list(split.a)] + ([] if split.b is None else [list(split.b)])
        self.settings = settings
        self.seed = seed
        self.augment = Augment(settings)
        self.cache = Cache(0)
        self.unfit: Unfit | None = None
        self.labels: Mapping[Path, int] | None = None
        self._channels: list[int] = []

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def places(self, key: Key) -> tuple[Place, ...]:
        """Where the images of the item lie: one of A, or one of A and one of B."""

    @abstractmethod
    def variants(self, key: Key, sizes: Sequence[tuple[int, int]]) -> list[Variant]:
        """What is drawn for the images of the item, which have `sizes` (height, width) before the crop."""

    @abstractmethod
    def plain(self, index: int) -> Sample:
        """The item at `index` without any randomness, for validation."""

    @abstractmethod
    def units(self) -> list[tuple[Place, ...]]:
        """The images that stay or go together: the two of a pair, or each by itself."""

    def __getitem__(self, key: Key) -> Sample:
        """The item of (epoch, position), augmented."""
        places = self.places(key)
        found = self.at(places)
        variants = self.variants(key, [image.shape[:2] for image in found])
        a = self.augment.apply(variants[0], found[0], "a")
        b = self.augment.apply(variants[1], found[1], "b") if len(found) > 1 else None
        return Sample(a, b, self.named(places), self.label(key[1]))

    def at(self, places: Sequence[Place]) -> list[np.ndarray]:
        """The images (H, W, C) at `places`, resized but not yet cropped, in the channels of their domain."""
        if all(place in self.cache for place in places):
            found = [self.cache[place] for place in places]
        else:
            found = [fitted(image, self.settings) for image in self._read(places)]
        return self._in_channels(found, places)

    def label(self, position: int) -> int | None:
        """The number of the class of the item at `position`; None where there are no classes."""
        return None

    @property
    def channels(self) -> tuple[int, int | None]:
        """Channels of (A, B); None where there is no B."""
        if not self._channels:
            raise RuntimeError(_PRIME)
        return self._channels[0], self._channels[1] if len(self._channels) > 1 else None

    def take_channels(self, wanted: tuple[int, int | None]) -> None:
        """Give grey images the three channels that `wanted` has in their domain; raises DataError if others differ."""
        for domain, (have, want) in enumerate(zip(self._channels, wanted, strict=False)):
            if have == want or want is None:
                continue
            if (have, want) != (1, 3):
                raise DataError(
                    f"{self.domains[domain][0].path} and the rest of its split have {have} channels, the images that "
                    f"are trained on {want}: convert them to one kind."
                )
            self._channels[domain] = want

    def files(self, position: int) -> str:
        """The file or files of the item at `position`, for messages."""
        return self.named([(domain, position % len(sources)) for domain, sources in enumerate(self.domains)])

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> list[str]:
        """Decode every file once, check it, and keep in memory what fits into settings.cache.

        Returns notices of what was left out or adapted; what `unfit` finds of no use is always left out. Raises
        DataError, listing the offenders, for files that cannot be read (unless settings.skip_bad), channels that differ
        within a domain, sizes that differ within a pair, and images that a crop does not fit into. `progress` is told
        of (done, total).
        """
        self.cache = Cache(self.settings.cache * 2**20)
        units = self.units()
        facts: dict[Place, Facts] = {}
        alike: dict[Facts, Facts] = {}  # most images of a large set are, and need to be described once only
        bad: list[str] = []
        useless: list[str] = []
        for done, (unit, found) in enumerate(self._decode_all(units), start=1):
            if isinstance(found, UnfitError):
                useless.append(str(found))
            elif isinstance(found, ImageError):
                bad.append(str(found))
            else:
                facts.update((place, alike.setdefault(fact, fact)) for place, fact in zip(unit, found, strict=True))
            if progress:
                progress(done, len(units))
        notices = leave_out(bad, self.settings) if bad else []
        notices += say_unfit(useless, len(units)) if useless else []
        facts = self._renumber(facts) if bad or useless else facts
        self._channels, expanded = find_channels(self.domains, facts)
        check_sizes(self.domains, self.units(), facts, self.settings)
        return notices + expanded

    # Preparing

    def _decode_all(
        self, units: Sequence[tuple[Place, ...]]
    ) -> Iterator[tuple[tuple[Place, ...], list[Facts] | ImageError]]:
        """Decode in a few threads but hand out in order, so that what is cached does not depend on their timing."""
        room = True
        waiting: deque[tuple[tuple[Place, ...], Future]] = deque()
        rest = iter(units)
        with ThreadPoolExecutor(4) as pool:
            while True:
                while len(waiting) < 16 and (unit := next(rest, None)) is not None:
                    waiting.append((unit, pool.submit(self._decode, unit)))
                if not waiting:
                    return
                unit, future = waiting.popleft()
                try:
                    facts, kept = future.result()
                except ImageError as error:
                    yield unit, error
                    continue
                room = room and self.cache.add(dict(zip(unit, kept, strict=True)))
                yield unit, facts

    def _decode(self, unit: tuple[Place, ...]) -> tuple[list[Facts], list[np.ndarray]]:
        decoded = self._read(unit)
        if self.unfit and (reason := next(filter(None, map(self.unfit, decoded)), "")):
            raise UnfitError(f"{self.named(unit)} is {reason}")
        kept = [fitted(image, self.settings) for image in decoded]
        facts = [
            Facts(image.shape[:2], fit.shape[:2], image.shape[2], image.dtype)
            for image, fit in zip(decoded, kept, strict=True)
        ]
        return facts, kept

    def _renumber(self, facts: dict[Place, Facts]) -> dict[Place, Facts]:
        """Drop the sources that have no facts, and count the others anew."""
        new: dict[Place, Place] = {}
        for domain, sources in enumerate(self.domains):
            good = [index for index in range(len(sources)) if (domain, index) in facts]
            if not good:
                raise DataError(f"No file of domain {'AB'[domain]} can be read, the first is {sources[0].path}.")
            new.update({(domain, old): (domain, index) for index, old in enumerate(good)})
            self.domains[domain] = [sources[index] for index in good]
        self.cache.rename(new)
        return {new[place]: fact for place, fact in facts.items()}

    # Items

    def _generator(self, epoch: int, position: int, what: int = ITEM) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, position, what])

    def _whole(self, places: Sequence[Place]) -> list[np.ndarray]:
        return [centred(image, self.settings) for image in self._in_channels(self._read(places), places)]

    def _in_channels(self, found: list[np.ndarray], places: Sequence[Place]) -> list[np.ndarray]:
        if not self._channels:
            raise RuntimeError(_PRIME)
        return [
            image if image.shape[2] == self._channels[domain] else np.repeat(image, self._channels[domain], axis=2)
            for image, (domain, _) in zip(found, places, strict=True)
        ]

    def _read(self, places: Sequence[Place]) -> list[np.ndarray]:
        """Decode `places`; a file that holds two of them only once."""
        sources = [self._source(place) for place in places]
        decoded = {path: images.read_pixels(path) for path in {source.path for source in sources}}
        return [_half(decoded[source.path], source) for source in sources]

    def _source(self, place: Place) -> Source:
        return self.domains[place[0]][place[1]]

    def named(self, places: Iterable[Place]) -> str:
        """The file or files of `places`, for messages and batches."""
        return " + ".join(dict.fromkeys(str(self._source(place).path) for place in places))


def fitted(image: np.ndarray, settings: DataSettings) -> np.ndarray:
    """Resize (H, W, C) as settings.preprocess says, before any crop."""
    height, width = image.shape[:2]
    load = settings.resized
    if settings.preprocess == "resize_and_crop":
        return images.resize(image, load, load)
    if settings.preprocess == "scale_width":
        return images.resize(image, max(1, round(height * load / width)), load)
    if settings.preprocess == "scale_shortest":
        short = min(height, width)
        return images.resize(image, round(height * load / short), round(width * load / short))
    return image


def centred(image: np.ndarray, settings: DataSettings) -> np.ndarray:
    """What validation sees: resized to the crop's size, or its middle where the images are not squeezed to a square."""
    side = settings.size
    if settings.preprocess == "resize_and_crop":
        return images.resize(image, side, side)
    image = fitted(image, settings)
    if settings.preprocess == "none":
        return image
    top, left = (max(0, (length - side) // 2) for length in image.shape[:2])
    return image[top : top + side, left : left + side]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack `samples` of equal shapes as float (N, C, H, W) in [-1, 1], and their classes as int64 (N,)."""
    b = [sample.b for sample in samples if sample.b is not None]
    labels = [sample.label for sample in samples if sample.label is not None]
    return Batch(
        _stack([sample.a for sample in samples]),
        _stack(b) if b else None,
        tuple(sample.file for sample in samples),
        torch.tensor(labels, dtype=torch.int64) if labels else None,
    )


def _stack(pixels: Sequence[np.ndarray]) -> Tensor:
    height, width, channels = pixels[0].shape
    stacked = torch.empty(len(pixels), channels, height, width)
    for tensor, image in zip(stacked, pixels, strict=True):
        images.fill(tensor, image)
    return stacked


def _half(pixels: np.ndarray, source: Source) -> np.ndarray:
    if source.half is None:
        return pixels
    middle = pixels.shape[1] // 2
    return pixels[:, :middle] if source.half == "left" else pixels[:, middle:]
