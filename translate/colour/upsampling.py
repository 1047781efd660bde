"""Small chroma at a picture's full size, led by its light: joint bilateral upsampling (Kopf et al., SIGGRAPH 2007).

Every small pixel counts by its nearness in the picture and by its nearness in light. A sum over taps for each pixel
would evaluate the range kernel 16 times; a bilateral grid (Chen, Paris and Durand, SIGGRAPH 2007) holds the sums for
a few levels of light, and each pixel reads its own between two of them.

Departures from Kopf: the range kernel is a rational one, which never underflows, so that a light that no neighbour has
takes the chroma of the nearest one; small pixels that lie across an edge count for little; the light that leads is the
median of 3 x 3, so that grain does not choose the chroma.
"""

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 32  # of light in the grid, 3 L* apart
HALO = 1  # rows above and below a band that its light is to have, for the result not to depend on the band
_RANGE = 4.0  # L*: half weight
_EDGE = 6.0  # L*: from there on a difference is an edge
_FLOATS = 2**21  # of the grid at a time: 8 MB


def upsample(small_light: Tensor, small_chroma: Tensor, light: Tensor, first_row: int, height: int) -> Tensor:
    """Chroma (2, R, W) for `light` (R, W) in [0, 100], the rows from `first_row` on of a picture of `height` rows.

    small_light (h, w) and small_chroma (2, h, w) cover the whole picture. The first and the last of the rows are led by
    fewer neighbours than they have: to join bands, give HALO rows more on both sides and drop them.
    """
    base = small_chroma[:, :1, :1]  # what all have in common stays exact
    guide = torch.from_numpy(cv2.medianBlur(light.contiguous().numpy(), 3)).view(light.shape)
    rows, width = light.shape
    chroma = torch.empty(2, rows, width)
    step = max(1, _FLOATS // (3 * LEVELS * small_light.shape[1]))
    for first in range(0, rows, step):
        part = slice(first, min(first + step, rows))
        taps, weights = _taps(first_row + part.start, first_row + part.stop, height, small_light.shape[0])
        planes = _planes(small_light, small_chroma - base, taps).flatten(1)
        sums = (weights @ planes).view(-1, 3, LEVELS, small_light.shape[1])
        read = F.grid_sample(sums, _places(guide[part]), padding_mode="border", align_corners=False)[:, :, 0]
        torch.div(read[:, 1], read[:, 0], out=chroma[0, part])
        torch.div(read[:, 2], read[:, 0], out=chroma[1, part])
    return chroma.add_(base)


def cleaned(small_light: Tensor, small_chroma: Tensor) -> Tensor:
    """Chroma (2, h, w) averaged over 5 x 5 neighbours of like light (h, w): what has bled over an edge goes back."""
    chroma = torch.zeros_like(small_chroma)
    total = torch.zeros_like(small_light)
    base = small_chroma[:, :1, :1]
    purity = _purity(small_light, small_chroma)
    height, width = small_light.shape
    padded = F.pad(torch.cat([small_light[None], purity[None], small_chroma - base])[None], [2] * 4, mode="replicate")[
        0
    ]
    for y in range(5):
        for x in range(5):
            near = 0.7 ** ((y - 2) ** 2 + (x - 2) ** 2)
            tap = padded[:, y : y + height, x : x + width]
            weight = _likeness(tap[0] - small_light) * tap[1] * near
            total += weight
            chroma.addcmul_(tap[2:], weight)
    return chroma.div_(total).add_(base)


def _taps(first: int, last: int, height: int, count: int) -> tuple[Tensor, Tensor]:
    """The small rows (n,) that the rows from `first` to `last` of `height` need, and the weight (R, n) of each."""
    places = (torch.arange(first, last, dtype=torch.float64) + 0.5) * (count / height) - 0.5
    taps = torch.arange(int(places[0].floor()) - 1, int(places[-1].floor()) + 3)
    return taps.clamp(0, count - 1), _spline(places[:, None] - taps).float()


def _spline(distance: Tensor) -> Tensor:
    """The cubic B-spline: smooth, nowhere negative, 0 from a distance of 2 on."""
    far = (2 - distance.abs()).clamp_min(0)
    near = (1 - distance.abs()).clamp_min(0)
    return (far**3 - 4 * near**3) / 6


def _planes(light: Tensor, chroma: Tensor, taps: Tensor) -> Tensor:
    """The grid's rows (n, 3, LEVELS, w): weights and weighted chroma, smoothed along the row."""
    around = slice(max(0, int(taps[0]) - 1), int(taps[-1]) + 2)
    purity = _purity(light[around], chroma[:, around])[taps - around.start]
    light, chroma = light[taps], chroma[:, taps]
    levels = torch.linspace(0, 100, LEVELS)[:, None]
    weight = _likeness(light[:, None] - levels) * purity[:, None]
    planes = torch.stack([weight, weight * chroma[0, :, None], weight * chroma[1, :, None]], dim=1)
    padded = torch.cat([planes[..., :1], planes, planes[..., -1:]], dim=-1)
    return torch.add(padded[..., :-2], padded[..., 2:]).add_(planes, alpha=4).div_(6)


def _places(guide: Tensor) -> Tensor:
    """Where each pixel reads the grid, (R, 1, W, 2) as grid_sample counts: along the row, and between the levels."""
    rows, width = guide.shape
    places = torch.empty(rows, 1, width, 2)
    places[..., 0] = (torch.arange(width) + 0.5) * (2 / width) - 1
    places[:, 0, :, 1] = (guide * ((LEVELS - 1) / 100) + 0.5) * (2 / LEVELS) - 1
    return places


def _likeness(difference: Tensor) -> Tensor:
    """Of two lights: 1 / (1 + (d / 4)**6), which is above 1e-9 for any two."""
    square = (difference / _RANGE) ** 2
    return (square**3).add_(1).reciprocal_()


def _purity(light: Tensor, chroma: Tensor) -> Tensor:
    """How little of each small pixel lies across an edge, in (0, 1], (h, w).

    A pixel of two sides lies, in light and in chroma, between the two ends of its 3 x 3 neighbours: the first and the
    last of them in the direction in which colour goes with light (noise in light alone would choose the wrong ones).
    Where light has no edge, chroma may change as it likes: all count alike.
    """
    height, width = light.shape
    lab = F.pad(torch.cat([light[None], chroma])[None], [1] * 4, mode="replicate")
    around = F.unfold(lab, (3, 3)).view(3, 9, height, width)
    apart = around - around.mean(1, keepdim=True)
    along = (apart * (apart[:1] * apart).sum(1, keepdim=True)).sum(0)
    first, last = (around.gather(1, at.expand(3, 1, -1, -1))[:, 0] for at in _ends(along))
    edge = (first[0] - last[0]) ** 2
    mixed = torch.minimum(*((around[:, 4] - end).square().sum(0) for end in (first, last)))
    return (mixed * (edge / (edge + _EDGE**2)) ** 2).square_().add_(1).reciprocal_()


def _ends(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.argmin(0, keepdim=True), values.argmax(0, keepdim=True)
