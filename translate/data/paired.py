"""Pairs: a[i] and b[i] show the same thing, and are cropped, mirrored and turned in step."""

from collections.abc import Sequence

from translate.data.augment import Variant
from translate.data.dataset import ImageDataset, Key, Place, Sample


class Paired(ImageDataset):
    """Items are the two of a pair."""

    def __len__(self) -> int:
        return len(self.domains[0])

    def places(self, key: Key) -> tuple[Place, ...]:
        return self._places(key[1])

    def variants(self, key: Key, sizes: Sequence[tuple[int, int]]) -> list[Variant]:
        return [self.augment.draw(self._generator(*key), sizes[0], "a", "b")] * 2

    def plain(self, index: int) -> Sample:
        places = self._places(index)
        a, b = self._whole(places)
        return Sample(a, b, self.named(places))

    def units(self) -> list[tuple[Place, ...]]:
        return [self._places(index) for index in range(len(self))]

    @staticmethod
    def _places(index: int) -> tuple[Place, Place]:
        return (0, index), (1, index)
