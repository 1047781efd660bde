"""One domain: images alone, for methods that make their own inputs."""

from collections.abc import Sequence

from translate.data.augment import Variant
from translate.data.dataset import ImageDataset, Key, Place, Sample


class Single(ImageDataset):
    """Items are single images, with the number of their class where there are labels; their `b` is None."""

    def __len__(self) -> int:
        return len(self.domains[0])

    def places(self, key: Key) -> tuple[Place, ...]:
        return ((0, key[1]),)

    def variants(self, key: Key, sizes: Sequence[tuple[int, int]]) -> list[Variant]:
        return [self.augment.draw(self._generator(*key), sizes[0], "a")]

    def label(self, position: int) -> int | None:
        return None if self.labels is None else self.labels[self.domains[0][position].path]

    def plain(self, index: int) -> Sample:
        (image,) = self._whole([(0, index)])
        return Sample(image, None, self.files(index), self.label(index))

    def units(self) -> list[tuple[Place, ...]]:
        return [((0, index),) for index in range(len(self))]
