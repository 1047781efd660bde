"""Patterns of period 2, as transposed convolutions and nearest neighbours leave (Odena et al., Distill 2016)."""

import torch
from torch import Tensor

LEAST = 8
REACH = 4  # bins to either side, or a quarter of them all
# What rounding to 8 bits leaves, in values of [-1, 1]: less than this is no pattern, whatever is or is not about it.
FLOOR = (1 / 127.5) ** 2 / 12

# How the window spreads one frequency over three bins, in power; it sums to 1.
PEAK = (1 / 6, 4 / 6, 1 / 6)


def checkerboard_energy(images: Tensor) -> Tensor:
    """Energy of patterns of period 2 in images (N, C, H, W) in [-1, 1], H, W >= 8, over that of detail nearby: (N,).

    The greater of two measures, each about 1 in pictures and in white noise. One is of the pattern itself: the power at
    the three frequencies of period 2 (columns, rows, checkerboard) over that of the bins next to these towards lower
    frequencies; mean of the three. The other is of detail bound to the grid, as blocks of 2 x 2 equal pixels are: the
    energy of differences of neighbours that start at even pixels over odd ones, or odd over even, in rows or columns.

    Medians of sets: white noise 1.1, photographs of 64 pixels 1.3 (19 of 20 below 3.5), drawn pictures 1.3 to 1.9
    (below 8), pictures enlarged twice by bilinear interpolation 2 to 3, by nearest neighbour thousands; photographs
    with a checkerboard of 3 of 255 steps 150, with stripes 10 to 30, and less where a picture's own edges run as the
    stripes do. A flat picture has 1. Judge the median of a set, not one picture; below 16 pixels a side noise alone has
    up to 2.5.

    Raises ValueError for other shapes and values that are not finite.
    """
    if images.dim() != 4 or min(images.shape[2:]) < LEAST or not images.shape[1]:
        raise ValueError(f"images (N, C, H, W) of at least {LEAST} pixels a side are needed, not {images.shape}")
    if not images.isfinite().all():
        raise ValueError("the images hold values that are not finite: nothing can be said of them")
    images = images.double()[:, :, : images.shape[2] // 2 * 2, : images.shape[3] // 2 * 2]
    return torch.maximum(_pattern(images), torch.maximum(_grid(images), _grid(images.mT)))


def _pattern(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    window = _hann(height, images)[:, None] * _hann(width, images)[None, :]
    images = (images - images.mean(dim=(2, 3), keepdim=True)) * window
    power = torch.fft.fft2(images).abs().square().mean(dim=1) / window.square().sum() + FLOOR
    ratios = [
        _peak(power, 0, width // 2, rows=False),
        _peak(power, height // 2, 0, rows=True),
        (_peak(power, height // 2, width // 2, rows=False) + _peak(power, height // 2, width // 2, rows=True)) / 2,
    ]
    return torch.stack(ratios).mean(dim=0)


def _peak(power: Tensor, row: int, column: int, *, rows: bool) -> Tensor:
    """Power about one frequency over that of its neighbours, which lie along columns of the spectrum if `rows`."""
    if rows:
        power, row, column = power.mT, column, row
    reach = min(REACH, power.shape[2] // 4)
    near = torch.roll(power, (1 - row, reach - column), dims=(1, 2))[:, :3, : 2 * reach + 1]
    # Across, neighbours are as wide as the peak: spectra of pictures are strongest along their axes.
    strip = torch.einsum("nrc,r->nc", near, near.new_tensor(PEAK))
    far = max(reach - 2, 1)  # what light and shade do to a pattern reaches two bins out
    beside = torch.cat([strip[:, :far], strip[:, -far:]], dim=1).mean(dim=1)
    return strip[:, reach - 1 : reach + 2] @ strip.new_tensor(PEAK) / beside


def _grid(images: Tensor) -> Tensor:
    energy = images.diff(dim=3).square().mean(dim=(1, 2))
    even, odd = energy[:, 0::2].mean(dim=1) + FLOOR, energy[:, 1::2].mean(dim=1) + FLOOR
    return torch.maximum(even / odd, odd / even)


def _hann(count: int, like: Tensor) -> Tensor:
    return torch.hann_window(count, periodic=True, dtype=like.dtype, device=like.device)
