"""Recognise pictures without colour of their own, and the tone they have: grey, sepia, selenium, cyanotype, yellowed.

In such a picture chroma is a function of light (the tone curve) plus a slow drift over the sheet (yellowed edges) plus
noise of scanner and JPEG. Both are fitted by least squares; what they leave is small there, and large in nearly every
photograph in colour. A photograph whose colours do follow its light, haze of one hue or snow under cloud, is
monochrome to this measure, as it nearly is to the eye.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from translate.colour.lab import to_lab
from translate.errors import ImageError
from translate.images import resize, to_tensor

SIDE = 96  # the fit sees no more pixels a side: smaller, noise of scanner and JPEG is averaged away
KNOTS = 9
# What is left, in C*ab, grows with the tone: JPEG and clipping disturb strong chroma more. Set so that all of 8 old
# photographs pass, 96 % of 374 toned by program (the others have two tones, or much JPEG), and 3 % of 2350 of today:
# of these a third are grey or toned, most others are of one hue, and 8 are wrong to the eye.
ALLOWED_BASE, ALLOWED_SHARE = 3.0, 0.1
MOST_MEAN, MOST_TAIL, MOST_HUES = 0.6, 1.85, 0.92
TAIL = 0.995  # so much must fit; the rest may be a stamp or a signature in ink
MOST_TONE = 60.0  # no print is toned more; at so much a picture of one colour is a colour
UNSEEN = 1.0  # a weaker tone is rounding


class _Fit(NamedTuple):
    curve: np.ndarray  # (KNOTS, 2)
    chroma: np.ndarray  # (pixels, 2)
    left: np.ndarray  # (pixels, 2), what curve and drift do not explain


def is_monochrome(pixels: np.ndarray) -> bool:
    """Whether a picture (H, W, C), uint8, uint16 or float in [-1, 1], sRGB, is grey or toned rather than in colour.

    One channel is; so is a flat picture, unless its chroma is beyond MOST_TONE (saturated red is a colour, beige may be
    paper), and so are pixels too few to contradict a curve, such as one or two. Raises ImageError unless C is 1 or 3.
    """
    if _is_grey(pixels):
        return True
    fit = _fitted(pixels)
    if np.quantile(np.hypot(*fit.chroma.T), 0.98) > MOST_TONE:
        return False
    allowed = ALLOWED_BASE + ALLOWED_SHARE * _mean(np.hypot(*fit.chroma.T))
    left = np.hypot(*fit.left.T)
    tail = np.quantile(left, TAIL)
    return bool(
        _mean(left.clip(max=tail)) <= MOST_MEAN * allowed
        and tail <= MOST_TAIL * allowed
        and _mean(_off_hue(fit.chroma - fit.left)) <= MOST_HUES * allowed
    )


def tone(pixels: np.ndarray) -> Tensor:
    """Chroma (a*, b*) of a picture (H, W, C), as `is_monochrome` takes it, at KNOTS even steps of L* from 0 to 100.

    float32 (KNOTS, 2); without drift, the mean over the sheet; light that the picture has not gets the tone of the next
    that it has. 0 where the picture is grey. Of a picture in colour it is the mean of its colours at each light.
    """
    curve = np.zeros((KNOTS, 2)) if _is_grey(pixels) else _fitted(pixels).curve
    if np.hypot(*curve.T).max() < UNSEEN:
        curve = np.zeros((KNOTS, 2))
    return torch.from_numpy(curve).float()


def tone_at(curve: Tensor, light: Tensor) -> Tensor:
    """Chroma (2, ...) that a tone curve (K, 2) gives to light (...) in [0, 100]: linear between its knots.

    Type and device are those of `light`. The colour may lie outside of sRGB, as `from_lab` says, near black and white.
    """
    values = curve.to(light).T
    place = light.clamp(0, 100) * ((len(curve) - 1) / 100)
    below = place.long().clamp(max=len(curve) - 2)
    return torch.lerp(values[:, below], values[:, below + 1], place - below)


def _is_grey(pixels: np.ndarray) -> bool:
    count = pixels.shape[2]
    if count not in (1, 3):
        raise ImageError(f"A picture of 1 or 3 channels can be monochrome, not one of {count}.")
    return count == 1


def _mean(lengths: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(lengths).mean()))


def _off_hue(chroma: np.ndarray) -> np.ndarray:
    """Length (pixels,) of what chroma has beside the hue of its mean: a tone is of one hue, or not far from it."""
    hue = chroma.mean(axis=0)
    hue = hue / max(float(np.hypot(*hue)), 1e-9)
    return np.hypot(*(chroma - (chroma @ hue).clip(min=0)[:, None] * hue).T)


def _fitted(pixels: np.ndarray) -> _Fit:
    height, width = pixels.shape[:2]
    shrink = min(1.0, SIDE / max(height, width))
    pixels = resize(pixels, max(1, round(height * shrink)), max(1, round(width * shrink)))
    light, chroma = to_lab(to_tensor(pixels)[None])
    wanted = chroma[0].flatten(1).T.double().numpy()
    basis, prior = _basis(light[0, 0].double().numpy()), _prior(len(wanted))
    weights = np.linalg.solve(basis.T @ basis + prior, basis.T @ wanted)
    return _Fit(weights[:KNOTS], wanted, wanted - basis @ weights)


def _basis(light: np.ndarray) -> np.ndarray:
    """Light (H, W) as (H * W, KNOTS + 5): a hat about each knot, and the drift, a quadric of place with mean 0."""
    place = light.reshape(-1, 1) * ((KNOTS - 1) / 100)
    hats = (1 - np.abs(place.clip(0, KNOTS - 1) - np.arange(KNOTS))).clip(min=0)
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in light.shape), indexing="ij")
    drift = np.stack([x, y, x * y, x * x, y * y], axis=-1).reshape(-1, 5)
    return np.concatenate([hats, drift - drift.mean(axis=0)], axis=1)


def _prior(count: int) -> np.ndarray:
    """Keeps the curve flat where no light is, and the weights, of a few pixels, from fitting any colours at all."""
    prior = np.eye(KNOTS + 5) * 1e-6
    steps = np.diff(np.eye(KNOTS), axis=0)
    prior[:KNOTS, :KNOTS] += (1e-3 * count + 0.1) * steps.T @ steps
    drift = np.arange(KNOTS, KNOTS + 5)
    prior[drift, drift] += 1e-3 * count + 10
    return prior
