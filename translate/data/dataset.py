"""What the three kinds of data set share: decoding, checking, caching; items follow from (seed, epoch, position)."""

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from translate import images
from translate.config import DataSettings
from translate.data.augment import Augment
from translate.data.batch import Batch
from translate.data.cache import Cache
from translate.data.layout import Source, Split, listing
from translate.errors import ConfigError, DataError, ImageError

Place = tuple[int, int]
"""(domain, index): 0 is A, 1 is B."""

# The last number of every key for a generator: what it draws. Trailing zeros of a key do not count for numpy, so the
# other numbers alone would give the item at position 0 and the order of its epoch the same generator.
ITEM, ORDER, PARTNERS = 0, 1, 2

_PRIME = "Call prepare() first: it finds the channels and what can be read."


class Sample(NamedTuple):
    """One item before it becomes float: (H, W, C) of A, of B if there is one, and the file or files it came from."""

    a: np.ndarray
    b: np.ndarray | None
    file: str


class Facts(NamedTuple):
    """What is known of one decoded image: its size on disk and as kept, channels and type."""

    size: tuple[int, int]
    kept: tuple[int, int]
    channels: int
    dtype: np.dtype


class ImageDataset(data.Dataset, ABC):
    """Items of one split. Every random draw follows from (seed, epoch, position) and nothing else."""

    def __init__(self, split: Split, settings: DataSettings, seed: int) -> None:
        self.domains: list[list[Source]] = [list(split.a)] + ([] if split.b is None else [list(split.b)])
        self.settings = settings
        self.seed = seed
        self.augment = Augment(settings)
        self.cache = Cache(0)
        self._channels: list[int] = []

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The item of (epoch, position), augmented."""

    @abstractmethod
    def plain(self, index: int) -> Sample:
        """The item at `index` without any randomness, for validation."""

    @abstractmethod
    def units(self) -> list[tuple[Place, ...]]:
        """The images that stay or go together: the two of a pair, or each by itself."""

    @property
    def channels(self) -> tuple[int, int | None]:
        """Channels of (A, B); None where there is no B."""
        if not self._channels:
            raise RuntimeError(_PRIME)
        return self._channels[0], self._channels[1] if len(self._channels) > 1 else None

    def files(self, position: int) -> str:
        """The file or files of the item at `position`, for messages."""
        return self._named([(domain, position % len(sources)) for domain, sources in enumerate(self.domains)])

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> list[str]:
        """Decode every file once, check it, and keep in memory what fits into settings.cache.

        Returns notices of what was left out or adapted. Raises DataError, listing the offenders, for files that cannot
        be read (unless settings.skip_bad), channels that differ within a domain, sizes that differ within a pair, and
        images that a crop does not fit into. `progress` is told of (done, total).
        """
        self.cache = Cache(self.settings.cache * 2**20)
        units = self.units()
        facts: dict[Place, Facts] = {}
        alike: dict[Facts, Facts] = {}  # most images of a large set are, and need to be described once only
        bad: list[str] = []
        for done, (unit, found) in enumerate(self._decode_all(units), start=1):
            if isinstance(found, ImageError):
                bad.append(str(found))
            else:
                facts.update((place, alike.setdefault(fact, fact)) for place, fact in zip(unit, found, strict=True))
            if progress:
                progress(done, len(units))
        notices = self._leave_out(bad) if bad else []
        facts = self._renumber(facts) if bad else facts
        self._channels, expanded = self._find_channels(facts)
        self._check_sizes(facts)
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
        kept = [fitted(image, self.settings) for image in decoded]
        facts = [
            Facts(image.shape[:2], fit.shape[:2], image.shape[2], image.dtype)
            for image, fit in zip(decoded, kept, strict=True)
        ]
        return facts, kept

    def _leave_out(self, bad: list[str]) -> list[str]:
        if not self.settings.skip_bad:
            raise DataError(
                f"{_count(len(bad), 'file')} cannot be read:\n{listing(bad)}\n--skip-bad leaves them out; "
                "`translate datasets check` lists all."
            )
        return [f"Left out, because it cannot be read: {reason}" for reason in bad]

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

    def _find_channels(self, facts: dict[Place, Facts]) -> tuple[list[int], list[str]]:
        channels, notices = [], []
        for domain, sources in enumerate(self.domains):
            counts = Counter(facts[domain, index].channels for index in range(len(sources)))
            usual = max(counts, key=lambda count: (counts[count], count))
            others = [index for index in range(len(sources)) if facts[domain, index].channels != usual]
            if set(counts) == {1, 3} and usual == 3:
                notices.append(
                    f"{_count(len(others), 'grey image')} among {len(sources)} of domain {'AB'[domain]} "
                    f"will be read as RGB, for instance {sources[others[0]].path}."
                )
            elif others:
                raise DataError(
                    f"The images of domain {'AB'[domain]} differ in their channels. Most have {usual}, but:\n"
                    + listing([f"{sources[i].path} has {facts[domain, i].channels}" for i in others])
                    + "\nConvert them to one kind."
                )
            channels.append(usual)
        return channels, notices

    def _check_sizes(self, facts: dict[Place, Facts]) -> None:
        self._check_pairs(facts)
        if self.settings.preprocess == "none":
            self._check_whole(facts)
        else:
            self._check_crop(facts)

    def _check_pairs(self, facts: dict[Place, Facts]) -> None:
        wrong = []
        for unit in self.units():
            sizes = {facts[place].size for place in unit}
            if len(sizes) > 1:
                named = [f"{self._source(place).path} is {_size(facts[place].size)}" for place in unit]
                wrong.append(" but ".join(named))
        if wrong:
            raise DataError(
                f"The two images of a pair must be equal in size; {len(wrong)} of {len(self.units())} are not:\n"
                + listing(wrong)
            )

    def _check_crop(self, facts: dict[Place, Facts]) -> None:
        side = self.settings.size
        small = [place for place, fact in facts.items() if min(fact.kept) < side]
        if small:
            first = facts[small[0]]
            scaled = (
                "" if first.kept == first.size else f", {_size(first.kept)} once scaled to {self.settings.resized},"
            )
            least = min(min(facts[place].kept) for place in small)
            raise DataError(
                f"{self._source(small[0]).path} is {_size(first.size)}{scaled} and too small for crops of {side} "
                f"({len(small)} of {len(facts)} images are): use --size {least} or less, or "
                "--set preprocess=resize_and_crop, which enlarges."
            )

    def _check_whole(self, facts: dict[Place, Facts]) -> None:
        if self.settings.batch_size == 1:
            return
        for domain in range(len(self.domains)):
            first, *rest = ((place, fact) for place, fact in facts.items() if place[0] == domain)
            for place, fact in rest:
                if fact.kept != first[1].kept:
                    raise DataError(
                        f"{self._source(first[0]).path} is {_size(first[1].kept)} but {self._source(place).path} is "
                        f"{_size(fact.kept)}: whole images of different sizes do not make a batch. Use --batch-size 1, "
                        "or another preprocess than none."
                    )
            if self.settings.turn and first[1].kept[0] != first[1].kept[1]:
                raise ConfigError(
                    f"Setting turn=True with preprocess=none lays some images of {_size(first[1].kept)} on their side: "
                    "they make no batch with upright ones. Use --batch-size 1, or another preprocess than none."
                )

    # Items

    def _generator(self, epoch: int, position: int, what: int = ITEM) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch, position, what])

    def _fitted(self, places: Sequence[Place]) -> list[np.ndarray]:
        """The images at `places`, resized but not yet cropped, in the channels of their domain."""
        if all(place in self.cache for place in places):
            found = [self.cache[place] for place in places]
        else:
            found = [fitted(image, self.settings) for image in self._read(places)]
        return self._in_channels(found, places)

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
        decoded = {path: images.read(path).pixels for path in {source.path for source in sources}}
        return [_half(decoded[source.path], source) for source in sources]

    def _source(self, place: Place) -> Source:
        return self.domains[place[0]][place[1]]

    def _named(self, places: Iterable[Place]) -> str:
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
    """Stack `samples` of equal shapes as float (N, C, H, W) in [-1, 1]."""
    b = [sample.b for sample in samples if sample.b is not None]
    return Batch(_stack([sample.a for sample in samples]), _stack(b) if b else None, tuple(s.file for s in samples))


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
    return np.ascontiguousarray(pixels[:, :middle] if source.half == "left" else pixels[:, middle:])


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
