"""One domain: images alone, for methods that make their own inputs."""

from translate.data.dataset import ImageDataset, Place, Sample


class Single(ImageDataset):
    """Items are single images; their `b` is None."""

    def __len__(self) -> int:
        return len(self.domains[0])

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        epoch, position = key
        (image,) = self._fitted([(0, position)])
        return Sample(self.augment.one(self._generator(epoch, position), image, "a"), None, self.files(position))

    def plain(self, index: int) -> Sample:
        (image,) = self._whole([(0, index)])
        return Sample(image, None, self.files(index))

    def units(self) -> list[tuple[Place, ...]]:
        return [((0, index),) for index in range(len(self))]
