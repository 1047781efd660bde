"""Recognise pictures without colour of their own, and the tone they have: grey, sepia, selenium, cyanotype, yellowed.

In such a picture chroma is a function of light (the tone curve) plus a slow drift over the sheet (yellowed edges) plus
noise of scanner and JPEG. Both are fitted by least squares; what they leave is small and fine-grained there, and large,
or in patches, in nearly every photograph in colour. Where it is doubtful a picture is in colour: a print taken for
colour stays as it is, and colour taken for a print would be painted over. So strong chroma must be of a known tone.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from translate.colour.lab import to_lab
from translate.errors import ImageError
from translate.images import resize, to_tensor

SIDE = 96  # the fit sees no more pixels a side: smaller, noise of scanner and JPEG is averaged away
KNOTS = 9
# What is left, in C*ab, grows with the tone, up to MOST_GROWN: JPEG and clipping disturb strong chroma more. Set so
# that all of 8 old photographs pass, also at 400 px as JPEG, 99 % of 882 toned by program (the others are mostly
# clipped by a sepia filter at full strength), none of kodak24, and 56 of 2120 other photographs of today: 2.6 %, nearly
# all of them grey, toned, or of one hue to the eye.
ALLOWED_BASE, ALLOWED_SHARE, MOST_GROWN = 3.0, 0.1, 16.0
MOST_MEAN, MOST_TAIL, MOST_PATCHES = 0.62, 2.3, 0.29
PATCH = 7  # so wide a mean takes noise away, and leaves the patches of things that have a colour
TAIL = 0.995  # so much must fit; the rest may be a stamp or a signature in ink
MOST_OFF, MOST_OFF_SHARE = 2.3, 0.145  # beside the mean hue: two hues are colour, unless both are weak
MOST_SPREAD, MOST_TONE = 9.5, 40.0  # about the mean chroma, and at all; prints are toned no more
ANY_HUE, ANY_PURPLE = 7.0, 12.0  # weaker ones may be of any hue, or of any from selenium's purple to its brown
BROWN, PURPLE, BLUE = (50.0, 110.0), (-60.0, 50.0), (-112.0, -80.0)
UNSEEN = 1.0  # a weaker tone is rounding


class _Fit(NamedTuple):
    curve: np.ndarray  # (KNOTS, 2)
    chroma: np.ndarray  # (pixels, 2)
    left: np.ndarray  # (pixels, 2), what curve and drift do not explain
    shape: tuple[int, int]  # height and width of the pixels


def is_monochrome(pixels: np.ndarray) -> bool:
    """Whether a picture (H, W, C), uint8, uint16 or float in [-1, 1], sRGB, is grey or toned rather than in colour.

    One channel is; so is a flat picture, unless its chroma is beyond MOST_TONE or of no known tone (red is a colour,
    beige may be paper), and so are pixels too few to contradict a curve, such as one or two, of such chroma. Raises
    ImageError unless C is 1 or 3.
    """
    if _is_grey(pixels):
        return True
    fit = _fitted(pixels)
    lengths, mean = np.hypot(*fit.chroma.T), fit.chroma.mean(axis=0)
    strength = _mean(lengths)
    allowed = ALLOWED_BASE + ALLOWED_SHARE * min(strength, MOST_GROWN)
    left = np.hypot(*fit.left.T)
    tail = np.quantile(left, TAIL)
    kept = fit.left * (np.minimum(left, tail) / left.clip(min=1e-9))[:, None]
    patches = cv2.blur(kept.reshape(*fit.shape, 2), (PATCH, PATCH)).reshape(-1, 2)
    return bool(
        np.quantile(lengths, 0.98) <= MOST_TONE
        and _is_known(strength, float(np.degrees(np.arctan2(mean[1], mean[0]))))
        and _mean(np.hypot(*(fit.chroma - mean).T)) <= MOST_SPREAD
        and _mean(_off_hue(fit.chroma - fit.left)) <= max(MOST_OFF, MOST_OFF_SHARE * strength)
        and tail <= MOST_TAIL * allowed
        and _mean(np.hypot(*kept.T)) <= MOST_MEAN * allowed
        and _mean(np.hypot(*patches.T)) <= MOST_PATCHES * allowed
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
        raise ImageError(f"A picture of 1 or 3 channels is colorized, not one of {count}.")
    return count == 1


def _mean(lengths: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(lengths).mean()))


def _is_known(strength: float, hue: float) -> bool:
    """Whether prints have such a tone: of mean chroma `strength` and of hue, in degrees from -180 to 180."""
    tones = (BROWN, BLUE) if strength > ANY_PURPLE else (BROWN, BLUE, PURPLE)
    return strength <= ANY_HUE or any(first <= hue <= last for first, last in tones)


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
    return _Fit(weights[:KNOTS], wanted, wanted - basis @ weights, (light.shape[2], light.shape[3]))


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
