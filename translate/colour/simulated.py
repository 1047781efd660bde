"""Simulated colour hints for training, as Zhang et al. 2017, "Real-time user-guided image colorization with learned
deep priors", draw them: few patches near the middle, each revealing the mean chroma below it.

Two departures: a quarter of the pictures has no hints, whatever the number drawn, since most pictures of a folder are
converted without any and the network has to stand on its own there; and patches shrink with pictures smaller than the
256 pixels of the paper, so that they stay the same share of what is seen.
"""

import numpy as np
import torch
from torch import Tensor

from translate.colour.lab import MOST_CHROMA

WITHOUT = 0.25  # share of pictures without hints
REVEALED = 0.01  # share of pictures whose chroma is given everywhere
_STOP = 1 / 8  # of the geometric distribution of the number of points, 1 and more: 8 on average
_LARGEST = 9  # pixels a side of the largest patch, on pictures of _PAPER_SIDE pixels and more
_PAPER_SIDE = 256


def simulate_hints(chroma: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Hints (N, 3, H, W) on the device of `chroma` (N, 2, H, W): a* / 110, b* / 110 and a mask.

    The mask is 1 where chroma is revealed and 0 elsewhere, where the other channels are 0 too. Of patches that overlap
    the later lies on top. Everything random is drawn on the CPU: from `generator`, or from torch's global one.
    """
    count, _, height, width = chroma.shape
    kind = torch.rand(count, generator=generator).numpy()
    points = torch.empty(count, dtype=torch.float64).geometric_(_STOP, generator=generator).numpy().astype(np.int64)
    points[(kind < WITHOUT) | (kind >= 1 - REVEALED)] = 0
    owner = np.repeat(np.arange(count), points)
    pixels, inside = _patches(owner, height, width, generator)
    hints = chroma.new_zeros(count, 3, height, width)
    if len(owner):
        on = chroma.device
        planes = chroma.reshape(count, 2, -1)
        weights = torch.from_numpy(inside / inside.sum(axis=1, keepdims=True)).to(on, chroma.dtype)
        image, places = torch.from_numpy(owner).to(on), torch.from_numpy(pixels).to(on)
        means = (planes[image[:, None], :, places] * weights[..., None]).sum(dim=1) / MOST_CHROMA
        shown, top = _uppermost(owner[:, None] * (height * width) + pixels, inside)
        at, of = torch.from_numpy(shown).to(on), torch.from_numpy(top).to(on)
        image, places = at // (height * width), at % (height * width)
        flat = hints.view(count, 3, -1)
        flat[image, :2, places] = means[of]
        flat[image, 2, places] = 1
    for index in np.flatnonzero(kind >= 1 - REVEALED).tolist():
        hints[index, :2] = chroma[index] / MOST_CHROMA
        hints[index, 2] = 1
    return hints


def largest_patch(height: int, width: int) -> int:
    """Pixels a side of the largest patch in a picture of that size."""
    return max(1, min(_LARGEST, min(height, width) * _LARGEST // _PAPER_SIDE))


def _patches(
    owner: np.ndarray, height: int, width: int, generator: torch.Generator | None
) -> tuple[np.ndarray, np.ndarray]:
    """A patch for each of K points: the numbers of its pixels (K, P * P) in its picture, and which of them count."""
    largest = largest_patch(height, width)
    side = torch.randint(1, largest + 1, (len(owner), 1), generator=generator).numpy()
    room = np.array([[height, width]]) - side
    drawn = torch.randn(len(owner), 2, generator=generator).numpy()
    corner = np.clip(np.floor((room + 1) * (0.5 + 0.25 * drawn)), 0, room).astype(np.int64)
    down, across = np.divmod(np.arange(largest**2), largest)
    inside = (down < side) & (across < side)
    pixels = (corner[:, :1] + down) * width + corner[:, 1:] + across
    return np.where(inside, pixels, pixels[:, :1]), inside


def _uppermost(pixels: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel that some patch covers, once, and the last patch that does: writing twice has no order on a GPU."""
    patch = np.broadcast_to(np.arange(len(pixels))[:, None], pixels.shape)[inside]
    shown, last = np.unique(pixels[inside][::-1], return_index=True)
    return shown, patch[::-1][last]
