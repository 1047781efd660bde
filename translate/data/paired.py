"""Pairs: a[i] and b[i] show the same thing, and are cropped, mirrored and turned in step."""

from translate.data.dataset import ImageDataset, Place, Sample


class Paired(ImageDataset):
    """Items are the two of a pair."""

    def __len__(self) -> int:
        return len(self.domains[0])

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, position = key
        places = self._places(position)
        a, b = self._fitted(places)
        return Sample(*self.augment.pair(self._generator(epoch, position), a, b), self._named(places))

    def plain(self, index: int) -> Sample:
        places = self._places(index)
        a, b = self._whole(places)
        return Sample(a, b, self._named(places))

    def units(self) -> list[tuple[Place, ...]]:
        return [self._places(index) for index in range(len(self))]

    @staticmethod
    def _places(index: int) -> tuple[Place, Place]:
        return (0, index), (1, index)
