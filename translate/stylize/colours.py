"""Keeping a picture's own colours while its strokes change (Gatys et al. 2016, "Preserving color in neural artistic
style transfer").

By light alone: picture and painting are repainted as greys, the painting's light with the mean and deviation of the
picture's, and the result takes the picture's chroma. Or by matching: the painting is first given the mean and
covariance of the picture's colours, by the linear map that moves colours least (Pitie and Kokaram 2007; the paper uses
others). Arrays are (H, W, 3), float32 in [-1, 1].
"""

from collections.abc import Sequence

import numpy as np
import torch

from translate import images
from translate.colour.gamut import into_gamut
from translate.colour.lab import from_lab, to_lab
from translate.colour.transfer import monge_kantorovitch
from translate.stylize.kinds import Style

_BAND = 2**18
"""Pixels at once."""
_FLAT = 1e-3
"""Of L*: a painting whose light deviates less has none to match."""


def compared(content: np.ndarray, styles: Sequence[Style], way: str) -> tuple[np.ndarray, Sequence[Style]]:
    """Picture and paintings as they are compared: as they are, as greys, or the paintings recoloured."""
    if way == "luminance":
        light = light_of(content)
        greys = (as_grey(match_light(light_of(style.pixels), light)) for style in styles)
        return as_grey(light), [style._replace(pixels=grey) for style, grey in zip(styles, greys, strict=True)]
    if way == "matched":
        return content, [style._replace(pixels=match_colours(style.pixels, content)) for style in styles]
    return content, styles


def light_of(pixels: np.ndarray) -> np.ndarray:
    """L* of each pixel, (H, W), in [0, 100]."""
    return np.concatenate([to_lab(_tensor(band))[0][0, 0].numpy() for band in _bands(pixels)])


def as_grey(light: np.ndarray) -> np.ndarray:
    """A grey picture of that L*, (H, W, 3)."""
    made = []
    for band in _bands(light):
        values = torch.from_numpy(np.ascontiguousarray(band, np.float32))[None, None].clamp(0, 100)
        grey = from_lab(values, values.new_zeros(1, 2, *values.shape[2:])).clamp(-1, 1)
        made.append(grey[0].mean(dim=0).numpy())
    return np.repeat(np.concatenate(made)[..., None], 3, axis=2)


def match_light(light: np.ndarray, like: np.ndarray) -> np.ndarray:
    """`light` with the mean and deviation of `like`."""
    deviation = float(light.std())
    scale = float(like.std()) / deviation if deviation > _FLAT else 1.0
    return (light - light.mean()) * scale + like.mean()


def with_chroma(made: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The light of `made` in the colours of `content`; where sRGB has no such colour, with less chroma."""
    joined = []
    for ours, theirs in zip(_bands(made), _bands(content), strict=True):
        light, chroma = to_lab(_tensor(ours))[0], to_lab(_tensor(theirs))[1]
        colours = from_lab(light, into_gamut(light, chroma)).clamp(-1, 1)
        joined.append(np.ascontiguousarray(colours[0].permute(1, 2, 0).numpy()))
    return np.concatenate(joined)


def match_colours(painting: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The painting with the mean and covariance of the picture's colours, stretched at most threefold, in [-1, 1]."""
    mean, covariance = _moments(painting)
    wanted_mean, wanted = _moments(content)
    linear = monge_kantorovitch(covariance, wanted, least=1e-6)
    return ((painting - mean) @ linear.T + wanted_mean).clip(-1, 1).astype(np.float32)


def _moments(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values = pixels.reshape(-1, 3).astype(np.float64)
    return values.mean(axis=0), np.cov(values.T, bias=True)


def _bands(pixels: np.ndarray) -> list[np.ndarray]:
    rows = max(1, _BAND // pixels.shape[1])
    return [pixels[first : first + rows] for first in range(0, len(pixels), rows)]


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return images.to_tensor(np.ascontiguousarray(pixels, np.float32))[None]
