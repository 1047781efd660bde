"""One domain: images alone, for methods that make their own inputs."""

from translate.data.dataset import ImageDataset, Place, Sample


class Single(ImageDataset):
    """Items are single images, with the number of their class where there are labels; their `b` is None."""

    def __len__(self) -> int:
        return len(self.domains[0])

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, position = key
        (image,) = self._fitted([(0, position)])
        image = self.augment.one(self._generator(epoch, position), image, "a")
        return Sample(image, None, self.files(position), self._label(position))

    def plain(self, index: int) -> Sample:
        (image,) = self._whole([(0, index)])
        return Sample(image, None, self.files(index), self._label(index))

    def units(self) -> list[tuple[Place, ...]]:
        return [((0, index),) for index in range(len(self))]

    def _label(self, index: int) -> int | None:
        return None if self.labels is None else self.labels[self.domains[0][index].path]
