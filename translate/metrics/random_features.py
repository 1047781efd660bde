"""Features of pictures by a network that is drawn once and never trained: small, offline, the same everywhere.

What random convolutions and their averages tell apart, texture, colour and coarse layout, is less than what a trained
network does, but it sees blur, noise, lost kinds and collapse. Distances on these features are named FD-random and
KID-random, never FID or KID, and compare with each other only.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST = 8  # pixels a side: smaller pictures are enlarged
WIDTHS = (16, 32, 32, 24)  # 2 x (16 + 32 + 32) means and deviations, and 24 x 2 x 2 means by place
SLOPE = 0.2
# Differences of neighbours are a fraction of the values themselves: both are brought to the order of 1.
DETAIL = 4.0
BANK, SIDE = 256, 32


class RandomFeatures(nn.Module):
    """Takes images (N, C, H, W) in [-1, 1] of any size; returns features (N, 256) of the order of 1.

    Four convolutions of 3 x 3 with orthogonal filters, half of the first of mean 0, so that fine detail is not drowned
    by light; of the first three, mean and deviation of every channel over the picture, of the last, means over its
    quarters. `seed` decides the filters; each feature is centred and scaled as it lies over smooth random clouds that
    are drawn from the same seed, and asinh keeps what lies far off from drowning the rest. Size changes the features:
    compare pictures of one size. Sides below 8 are enlarged to 8, bilinearly. Points (N, C, 1, 1) are their own
    features (N, C).

    It computes in float32 and has no parameters, and no state to save: channels and seed are all. Images take
    gradients; the global random state is not touched. Raises ValueError for other shapes.
    """

    weight0: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        self.channels = channels
        generator = torch.Generator().manual_seed(seed)
        for place, (into, out) in enumerate(pairwise((channels, *WIDTHS))):
            self.register_buffer(f"weight{place}", _filters(out, into, generator), persistent=False)
        self.weight0[WIDTHS[0] // 2 :] -= self.weight0[WIDTHS[0] // 2 :].mean(dim=(2, 3), keepdim=True)
        self.weight0[WIDTHS[0] // 2 :] *= DETAIL
        found = self._raw(_clouds(channels, generator))
        self.register_buffer("mean", found.mean(dim=0), persistent=False)
        self.register_buffer("deviation", found.std(dim=0), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or images.shape[1] != self.channels:
            raise ValueError(f"images (N, {self.channels}, H, W) are needed, not {images.shape}")
        if images.shape[2:] == (1, 1):
            return images.flatten(1)
        return torch.asinh((self._raw(images.float()) - self.mean) / self.deviation)

    def _raw(self, images: Tensor) -> Tensor:
        size = (max(images.shape[2], LEAST), max(images.shape[3], LEAST))
        values = images if images.shape[2:] == size else F.interpolate(images, size=size, mode="bilinear")
        found = []
        for place in range(len(WIDTHS)):
            values = F.pad(values, (1, 1, 1, 1), mode="replicate")
            values = F.conv2d(values, getattr(self, f"weight{place}"), stride=1 if place == 0 else 2)
            values = F.leaky_relu(values, SLOPE)
            if place < len(WIDTHS) - 1:
                variance, mean = torch.var_mean(values, dim=(2, 3), correction=0)
                found += [mean, (variance + 1e-8).sqrt()]  # of a flat picture the gradient is finite
        return torch.cat([*found, F.adaptive_avg_pool2d(values, 2).flatten(1)], dim=1)


def _filters(out: int, into: int, generator: torch.Generator) -> Tensor:
    """Orthogonal filters (out, into, 3, 3), scaled to keep the mean square of what passes, and leaky ReLU, as it is."""
    drawn = torch.randn(max(out, into * 9), out, generator=generator, dtype=torch.float64)
    upper = torch.linalg.qr(drawn)
    rows = (upper.Q * upper.R.diagonal().sign())[: into * 9].T
    rows = rows / rows.square().sum(dim=1, keepdim=True).sqrt()
    return (rows * (2 / (1 + SLOPE**2)) ** 0.5).view(out, into, 3, 3).float()


def _clouds(channels: int, generator: torch.Generator) -> Tensor:
    """Smooth random pictures (BANK, channels, SIDE, SIDE) in [-1, 1], with detail that halves as its size does."""
    clouds = torch.zeros(BANK, channels, SIDE, SIDE)
    for cells in (1, 2, 4, 8, 16, 32):
        drawn = torch.randn(BANK, channels, cells, cells, generator=generator)
        clouds += F.interpolate(drawn, size=(SIDE, SIDE), mode="bilinear") / cells**0.7
    contrast = 8 ** torch.rand(BANK, 1, 1, 1, generator=generator) / 2
    return (clouds * contrast).tanh()
