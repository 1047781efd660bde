"""Where a crop lies and how it is mirrored and turned: drawn from one generator, applied by slicing.

Drawing and applying are apart, so that what is drawn on the host can be applied elsewhere (`resident`), and to both
images of a pair.
"""

from typing import NamedTuple

import cv2
import numpy as np

from translate.config import DataSettings

_QUARTERS = (-1, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)


class Geometry(NamedTuple):
    """Take `height` by `width` pixels from (`top`, `left`) on; mirror left-right, top-bottom; then turn.

    `turns` are quarters counter-clockwise, 0 to 3.
    """

    top: int
    left: int
    height: int
    width: int
    mirror: bool = False
    flip: bool = False
    turns: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        return (self.width, self.height) if self.turns % 2 else (self.height, self.width)


def draw(rng: np.random.Generator, height: int, width: int, settings: DataSettings) -> Geometry:
    """A geometry for images of `height` by `width`: crops uniform, mirrors with p = 0.5, turns uniform over four.

    It takes five numbers from `rng` whatever the settings, so that no setting changes the draws of another.
    """
    vertical, horizontal, mirror, flip, turn = rng.random(5).tolist()
    top = left = 0
    side_y, side_x = height, width
    if settings.preprocess != "none":
        side_y = side_x = settings.size
        top, left = int(vertical * (height - side_y + 1)), int(horizontal * (width - side_x + 1))
    return Geometry(
        top,
        left,
        side_y,
        side_x,
        settings.flip and mirror < 0.5,
        settings.vertical_flip and flip < 0.5,
        int(4 * turn) if settings.turn else 0,
    )


def apply(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    """What `geometry` says of `image` (H, W, C) of any depth and channels; a view of it where nothing moves."""
    top, left, height, width, mirror, flip, turns = geometry
    part = image[top : top + height, left : left + width]
    if mirror or flip:  # numpy takes forty times as long to lay a mirrored view out
        part = cv2.flip(part, -1 if mirror and flip else int(mirror)).reshape(part.shape)
    if not turns:
        return part
    if part.shape[2] in (1, 3, 4):
        return cv2.rotate(part, _QUARTERS[turns]).reshape(*geometry.shape, part.shape[2])
    return np.ascontiguousarray(np.rot90(part, turns))  # OpenCV turns pixels of some sizes only
