"""Honour colour hints exactly: what a network missed at them is spread around them, over what is of a like light.

The residuals at the hints are interpolated by radial functions of place and light. Wide ones alone would not do: of two
hints that contradict each other a few pixels apart they make huge opposite weights, and colours far beyond both. So
the fit goes from wide to narrow, each level fitting what the last one left (Floater and Iske 1996, "Multistep scattered
data interpolation using compactly supported radial basis functions"), with a ridge that keeps weights small. The last
level reaches no further than a pixel, where hints cannot meet, and is exact.

In place the kernel is the product over rows and columns of Wendland's phi_1,1 (1995): positive definite, like the
Gaussian of standard deviation radius / 3 to within 0.03, but zero from the radius on, so that windows have no edges.
In light it is a Gaussian, as in the joint bilateral filter. A product of positive definite kernels is one too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from translate.colour.hint_files import Hints

# Standard deviation of a hint's reach, as a share of the shorter side. A network that takes hints has spread them
# already, and what it missed is local; for one that takes none, the reach has to be larger.
REACH = 1 / 40
LIKENESS = 15.0  # of L*: the light of one thing varies so much, that of two things next to each other more

_CUT = 3.0  # standard deviations after which a hint has no effect
_RIDGE = (
    0.3  # added to the diagonal, where the kernel is 1; a tenth lets opposite hints overshoot by 1.2 times, not 0.4
)
_LEFT = 0.01  # of a* and b*: a residual too small to see, let alone to fit


@dataclass(frozen=True)
class Correction:
    """What is added to chroma so that hints hold; `fit_correction` makes it.

    `pixels` (n, 2) are the rows and columns of n distinct pixels with hints, `light` (n,) their L*, `radii` (l,) the
    reach of each level in pixels, `weights` (l, n, 2) in a* and b*, and `lowest` and `highest` (2,) what a correction
    is cut to: it exceeds no residual.
    """

    pixels: np.ndarray
    light: np.ndarray
    radii: np.ndarray
    weights: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    likeness: float

    def __call__(self, light: Tensor, chroma: Tensor, first_row: int = 0) -> Tensor:
        """Chroma (2, R, W) with the correction added, of the rows from `first_row` on; `light` is (R, W) in [0, 100].

        The input stays as it is. The result does not depend on how a picture is cut into bands of rows.
        """
        rows, columns = light.shape
        field = torch.zeros_like(chroma)
        touched = False
        for index, (row, column) in enumerate(self.pixels.tolist()):
            reach = self._reach(index)
            top, bottom = max(0, row - reach - first_row), min(rows, row + reach + 1 - first_row)
            left, right = max(0, column - reach), min(columns, column + reach + 1)
            if top >= bottom:
                continue
            touched = True
            window = slice(top, bottom), slice(left, right)
            down = np.arange(top, bottom) + first_row - row
            across = np.arange(left, right) - column
            near = torch.from_numpy(self._around(index, down, across)).to(field)
            unlike = (light[window] - float(self.light[index])).square_().mul_(-0.5 / self.likeness**2).exp_()
            field[:, *window].addcmul_(near, unlike)
        if not touched:
            return chroma.clone()
        for plane, lowest, highest in zip(field, self.lowest.tolist(), self.highest.tolist(), strict=True):
            plane.clamp_(lowest, highest)
        return field.add_(chroma)

    def _reach(self, index: int) -> int:
        """Whole pixels between a hint and the last one that it has an effect on; -1 if it has none."""
        used = np.abs(self.weights[:, index]).max(axis=1) > 0
        return int(np.ceil(self.radii[used].max())) - 1 if used.any() else -1

    def _around(self, index: int, down: np.ndarray, across: np.ndarray) -> np.ndarray:
        """The part of a hint's effect (2, rows, columns) that its place makes: all levels in one matrix product."""
        over = _wendland(across / self.radii[:, None])
        under = _wendland(down / self.radii[:, None])
        return np.matmul((self.weights[:, index, :, None] * under[:, None]).transpose(1, 2, 0), over).astype(np.float32)


def fit_correction(
    hints: Hints,
    light: np.ndarray,
    chroma: np.ndarray,
    height: int,
    width: int,
    *,
    reach: float = REACH,
    likeness: float = LIKENESS,
) -> Correction:
    """The correction after which a picture of that size has the chroma of `hints` in the pixels they lie in.

    `light` (n,) is the picture's L* in those pixels (`hints.pixels`), as it will be when the correction is applied, and
    `chroma` (n, 2) what a* and b* would be there without it. `reach` is a standard deviation as a share of the shorter
    side, `likeness` one of L*. Of several hints in one pixel the mean holds.
    """
    pixels, which = np.unique(hints.pixels, axis=0, return_inverse=True)
    sizes = np.bincount(which, minlength=len(pixels))
    values = np.column_stack([hints.chroma.astype(np.float64) - chroma, light])
    means = np.column_stack([np.bincount(which, values[:, axis], len(pixels)) for axis in range(3)]) / sizes[:, None]
    wanted, own = means[:, :2], means[:, 2]
    apart = np.abs(pixels[:, None] - pixels[None])
    like = np.exp(-0.5 * np.square((own[:, None] - own[None]) / likeness))
    radii, weights, left = [], [], wanted.copy()
    for radius in _levels(_CUT * reach * min(height, width)):
        if np.abs(left).max(initial=0) < _LEFT:
            break
        kernel = _wendland(apart / radius).prod(axis=2) * like
        ridge = _RIDGE if radius > 1 else 0.0
        solved = np.linalg.solve(kernel + ridge * np.eye(len(kernel)), left)
        left = left - kernel @ solved
        radii.append(radius)
        weights.append(solved)
    return Correction(
        pixels,
        own,
        np.array(radii),
        np.array(weights).reshape(len(radii), len(pixels), 2),
        wanted.min(axis=0, initial=0),
        wanted.max(axis=0, initial=0),
        likeness,
    )


def _levels(widest: float) -> list[float]:
    """Radii from the widest to one pixel, each half of the last."""
    radii = []
    while widest > 1:
        radii.append(widest)
        widest /= 2
    return [*radii, 1.0]


def _wendland(distance: np.ndarray) -> np.ndarray:
    """phi_1,1(r) = (1 - r)^3 (3 r + 1) up to r = 1, and 0 from there."""
    size = np.minimum(np.abs(distance), 1)
    return (1 - size) ** 3 * (3 * size + 1)
