"""Two domains whose images do not belong together: every image of A meets another partner of B each epoch."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from translate.config import DataSettings
from translate.data.augment import Variant
from translate.data.dataset import PARTNERS, ImageDataset, Key, Place, Sample
from translate.data.layout import Split


class Unpaired(ImageDataset):
    """Items are one image of A and one of B; an epoch is as long as the larger domain."""

    def __init__(self, split: Split, settings: DataSettings, seed: int) -> None:
        super().__init__(split, settings, seed)
        self.matched = split.matched

    def __len__(self) -> int:
        return max(len(sources) for sources in self.domains)

    def places(self, key: Key) -> tuple[Place, ...]:
        epoch, position = key
        return self._places(position, int(_partners(self.seed, epoch, len(self))[position]))

    def variants(self, key: Key, sizes: Sequence[tuple[int, int]]) -> list[Variant]:
        rng = self._generator(*key)
        return [self.augment.draw(rng, sizes[0], "a"), self.augment.draw(rng, sizes[1], "b")]

    def plain(self, index: int) -> Sample:
        places = self._places(index, index)
        a, b = self._whole(places)
        return Sample(a, b, self.named(places))

    def units(self) -> list[tuple[Place, ...]]:
        if self.matched:
            return [((0, index), (1, index)) for index in range(len(self))]
        return [((domain, index),) for domain, sources in enumerate(self.domains) for index in range(len(sources))]

    def _places(self, a: int, b: int) -> tuple[Place, Place]:
        return (0, a % len(self.domains[0])), (1, b % len(self.domains[1]))


@lru_cache(maxsize=2)
def _partners(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 0, PARTNERS]).permutation(count)
