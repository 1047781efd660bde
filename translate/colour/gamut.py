"""Colours that sRGB has not, brought into it by less chroma: light and hue stay as they are.

Clipping red, green and blue instead would change light and hue. Everything is done in linear sRGB, where the borders of
the gamut are the same ones and no power is needed.
"""

import torch
from torch import Tensor

STEPS = 14
# Rounding takes colours of sRGB that went to Lab and back a little beyond it. The transfer function is thirty times as
# steep at black as at white: either is about 1e-4 of sRGB.
_LEAST, _MOST = -1e-5, 1 + 1e-4
# XYZ, relative to D65, to linear sRGB (IEC 61966-2-1), with kornia's digits.
_RED = (3.2404813432 * 0.95047, -1.5371515163, -0.4985363262 * 1.08883)
_GREEN = (-0.9692549950 * 0.95047, 1.8759900015, 0.0415559266 * 1.08883)
_BLUE = (0.0556466391 * 0.95047, -0.2040413384, 1.0573110696 * 1.08883)
_BEND = 6 / 29
_SLOPE = 1 / 7.787


def into_gamut(light: Tensor, chroma: Tensor) -> Tensor:
    """Chroma (N, 2, H, W) scaled by t in [0, 1], pixel by pixel, so that sRGB has the colour; light (N, 1, H, W) is L*.

    t is the largest such scale, to 2**-14; colours in the gamut, to 1e-4 of sRGB, are returned unchanged.
    """
    outside = _excess(linear_rgb(light[:, 0], chroma[:, 0], chroma[:, 1])) > 0
    if not outside.any():
        return chroma
    where = outside.nonzero(as_tuple=True)
    planes = light[:, 0][where], chroma[:, 0][where], chroma[:, 1][where]
    share = _largest_share(*planes)
    mapped = chroma.clone()
    mapped[:, 0][where] = planes[1] * share
    mapped[:, 1][where] = planes[2] * share
    return mapped


def linear_rgb(light: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Linear red, green and blue, in [0, 1] where sRGB has the colour, of planes L*, a* and b* of any one shape."""
    f = (light + 16) / 116
    return _rgb(f, _cubed(f), a / 500, b / -200)


def _largest_share(light: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """By bisection; the share that is returned is always one that was seen to be in the gamut, or 0."""
    f = (light + 16) / 116
    y, a, b = _cubed(f), a / 500, b / -200
    share = torch.zeros_like(light)
    for step in (0.5**count for count in range(1, STEPS + 1)):
        tried = share + step
        excess = _excess(_rgb(f, y, a * tried, b * tried))
        # 0 or 1 as floats: booleans take five times as long, `where` twenty.
        share.add_(torch.le(excess, 0, out=excess), alpha=step)
    return share


def _excess(rgb: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Above 0 for what lies beyond the gamut; overwrites red."""
    red, green, blue = rgb
    least = torch.minimum(red, green)
    torch.minimum(least, blue, out=least)
    most = torch.maximum(red, green, out=red)
    torch.maximum(most, blue, out=most)
    return torch.maximum(least.neg_().add_(_LEAST), most.sub_(_MOST), out=most)


def _rgb(f: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of CIE Lab's f(Y), its inverse Y, and f(X) - f(Y) and f(Z) - f(Y)."""
    x, z = _cubed(f + a), _cubed(f + b)
    red, green, blue = ((x * row[0]).add_(y, alpha=row[1]).add_(z, alpha=row[2]) for row in (_RED, _GREEN, _BLUE))
    return red, green, blue


def _cubed(f: Tensor) -> Tensor:
    """The inverse of CIE Lab's f: a cube, and below 6/29 its tangent; `where` takes twenty times a clamp's time."""
    bent = f.clamp_min(_BEND)
    square = bent * bent
    return square.mul_(bent).add_(f, alpha=_SLOPE).sub_(bent, alpha=_SLOPE)
