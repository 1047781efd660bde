"""A greyscale photograph with the colours of a small picture: its own light, at full size, band by band.

Light is never resized, so no detail is lost; chroma is brought to full size along the light's edges and into sRGB at
constant light and hue. A toned scan's own colours go, its light stays.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

from translate.colour.gamut import into_gamut, linear_rgb
from translate.colour.upsampling import HALO, cleaned, upsample
from translate.images import resize

Adjust = Callable[[Tensor, Tensor, int], Tensor]

BAND = 2**18  # pixels; of 2**17 to 2**20 all take the same time, smaller ones are all overhead
_LUMINANCE = (0.212671, 0.715160, 0.072169)  # of linear sRGB: the Y of XYZ, with kornia's digits
_COLOURLESS = 1e-3  # a* and b*: nothing that 16 bits could show


def paint(
    pixels: np.ndarray,
    chroma: np.ndarray,
    *,
    adjust: Adjust | None = None,
    small_light: np.ndarray | None = None,
    band: int = BAND,
) -> np.ndarray:
    """A picture (H, W, 3) in the depth of `pixels` (H, W, 1 or 3), with its L* and with `chroma` (h, w, 2), a* and b*.

    `small_light` is `reduced_light(pixels, h, w)` if there is one already. `adjust(light (R, W), chroma (2, R, W),
    first_row)` gives other chroma (2, R, W) for a band before it is brought into the gamut. The L* of the result, as
    stored, is within 0.25 of that of `pixels`; grey without chroma stays exactly as it is. Where bands end makes no
    difference but for the last digits of a float32.
    """
    height, width = pixels.shape[:2]
    painted = np.empty((height, width, 3), pixels.dtype)
    with _one_thread():
        if small_light is None:
            small_light = reduced_light(pixels, *chroma.shape[:2])
        small = torch.from_numpy(small_light)
        colours = cleaned(small, torch.from_numpy(chroma).permute(2, 0, 1).contiguous())
        rows = max(1, band // width)
        for first in range(0, height, rows):
            last = min(first + rows, height)
            light, full = _band(pixels, small, colours, first, last, adjust)
            _fill(painted[first:last], pixels[first:last], light, full)
    return painted


def painted_at(
    pixels: np.ndarray,
    chroma: np.ndarray,
    places: np.ndarray,
    *,
    adjust: Adjust | None = None,
    small_light: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """L* (n,) and chroma (n, 2) that `paint` would give `places` (n, 2), row and column, before the gamut."""
    lights, chromas = np.empty(len(places), np.float32), np.empty((len(places), 2), np.float32)
    with _one_thread():
        small = torch.from_numpy(small_light)
        colours = cleaned(small, torch.from_numpy(chroma).permute(2, 0, 1).contiguous())
        for row in np.unique(places[:, 0]).tolist():
            light, full = _band(pixels, small, colours, row, row + 1, adjust)
            there = places[:, 0] == row
            columns = torch.from_numpy(places[there, 1])
            lights[there] = light[0, columns].numpy()
            chromas[there] = full[:, 0, columns].T.numpy()
    return lights, chromas


def _band(
    pixels: np.ndarray, small: Tensor, colours: Tensor, first: int, last: int, adjust: Adjust | None
) -> tuple[Tensor, Tensor]:
    """Light (R, W) and chroma (2, R, W) at full size of the rows from `first` to `last`."""
    height = pixels.shape[0]
    above, below = min(first, HALO), min(height - last, HALO)
    light = torch.from_numpy(light_of(pixels[first - above : last + below]))
    full = upsample(small, colours, light, first - above, height)
    light, full = light[above : above + last - first], full[:, above : above + last - first]
    return light, full if adjust is None else adjust(light, full, first)


def reduced_light(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """L* (height, width) of `pixels` (H, W, 1 or 3) at another size; float32 in [0, 100]."""
    return light_of(resize(pixels, height, width))


def light_of(pixels: np.ndarray) -> np.ndarray:
    """L*, float32 (H, W) in [0, 100], of sRGB (H, W, 1 or 3): uint8, uint16, or float in [-1, 1], clipped to it."""
    if pixels.dtype == np.uint8 and pixels.shape[2] == 1:
        return cv2.LUT(pixels[..., 0], _lights(pixels.dtype))  # half the time of an index
    if pixels.dtype.kind == "u":
        if pixels.shape[2] == 1:
            return _lights(pixels.dtype)[pixels[..., 0]]
        values = torch.from_numpy(_intensities(pixels.dtype)[pixels])
    else:
        values = _intensity((torch.from_numpy(pixels).float().clamp(-1, 1) + 1) / 2)
    luminance = values @ torch.tensor(_LUMINANCE) if pixels.shape[2] == 3 else values[..., 0]
    return _light(luminance).numpy()


@cache
def _intensities(dtype: np.dtype) -> np.ndarray:
    """Linear intensity of every value of an integer depth."""
    most = np.iinfo(dtype).max
    return _intensity(torch.arange(most + 1, dtype=torch.float64) / most).float().numpy()


@cache
def _lights(dtype: np.dtype) -> np.ndarray:
    """L* of every grey of an integer depth."""
    most = np.iinfo(dtype).max
    return _light(_intensity(torch.arange(most + 1, dtype=torch.float64) / most)).float().numpy()


def _intensity(values: Tensor) -> Tensor:
    """sRGB in [0, 1] as linear intensity (IEC 61966-2-1); a clamp on each side of the bend is faster than a `where`."""
    bent = values.clamp_min(0.04045)
    return ((bent + 0.055) / 1.055).pow_(2.4).add_(values - bent, alpha=1 / 12.92)


def _light(luminance: Tensor) -> Tensor:
    bent = luminance.clamp_min(0.008856)
    return bent.pow(1 / 3).add_(luminance - bent, alpha=7.787).mul_(116).sub_(16).clamp_(0, 100)


class _OneThread:
    """A band's operations are too short to share: where another process takes a core, each would wait for it.

    Threads that begin while others paint begin with their one: what the first of those had is what all go back to.
    """

    def __init__(self) -> None:
        self._lock, self._painting, self._before = threading.Lock(), 0, 1

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            own = torch.get_num_threads()
            if not self._painting:
                self._before = own
            before = self._before if own == 1 else own
            self._painting += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                torch.set_num_threads(before)
                self._painting -= 1


_one_thread = _OneThread()


def _fill(painted: np.ndarray, pixels: np.ndarray, light: Tensor, chroma: Tensor) -> None:
    """Write one band: `light` (R, W) and `chroma` (2, R, W) as sRGB in the depth of `painted` (R, W, 3)."""
    chroma = into_gamut(light[None, None], chroma[None])[0]
    red, green, blue = linear_rgb(light, chroma[0], chroma[1])
    cv2.merge([_stored(plane, painted.dtype) for plane in (red, green, blue)], painted)
    if painted.dtype != np.uint8:  # of which every grey rounds to itself
        grey = (chroma.abs() < _COLOURLESS).all(0).numpy() & (pixels == pixels[..., :1]).all(2)
        painted[grey] = pixels[grey] if painted.dtype.kind == "u" else pixels[grey].clip(-1, 1)


def _stored(intensity: Tensor, dtype: np.dtype) -> np.ndarray:
    """Linear intensity as sRGB of a depth, integers rounded; changes `intensity`."""
    bent = intensity.clamp_(0, 1).clamp_min(0.0031308)
    values = intensity.sub_(bent).mul_(12.92).add_(bent.pow_(1 / 2.4), alpha=1.055).sub_(0.055)
    if dtype.kind == "f":
        return values.mul_(2).sub_(1).clamp_(-1, 1).numpy()
    most = np.iinfo(dtype).max
    values = values.mul_(most).round_().clamp_(0, most)
    return values.to(torch.uint8).numpy() if dtype == np.uint8 else values.numpy().astype(dtype)
