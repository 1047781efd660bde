"""The two ends of a tiled network: arrays of pixels as planes of values in [-1, 1]."""

import numpy as np
from torch import Tensor

from translate import images
from translate.errors import NotFiniteError
from translate.tiling.operations import Box, Pair


class Picture:
    """Pixels (H, W, C) to be read."""

    bytes = 0

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, box: Box) -> Tensor:
        return images.to_tensor(np.ascontiguousarray(self.pixels[slice(*box[0]), slice(*box[1])]))[None]

    def write(self, box: Box, values: Tensor) -> None:
        raise AssertionError("the picture is only read")

    def close(self) -> None: ...


class Result:
    """Pixels (H, W, C) to be written, which in the plane begin at `corner`."""

    bytes = 0

    def __init__(self, pixels: np.ndarray, corner: Pair) -> None:
        self.pixels = pixels
        self.corner = corner

    def read(self, box: Box) -> Tensor:
        raise AssertionError("the result is only written")

    def write(self, box: Box, values: Tensor) -> None:
        rows, columns = (slice(a - start, b - start) for (a, b), start in zip(box, self.corner, strict=True))
        if not values.isfinite().all():
            raise NotFiniteError("the model gives values that are not finite.")
        if self.pixels.dtype.kind == "f":
            # images.to_array would clip.
            self.pixels[rows, columns] = values[0].permute(1, 2, 0).numpy()
        else:
            self.pixels[rows, columns] = images.to_array(values[0], self.pixels.dtype)

    def close(self) -> None: ...
