"""Pixel discriminator, "PixelGAN": judges every pixel by its colour alone (Isola et al., CVPR 2017, section 4.4)."""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import Discriminator, check_counts, has_bias, normalisation


class PixelDiscriminator(Discriminator):
    """Three 1x1 convolutions. Takes (N, in_channels, H, W); returns logits (N, 1, H, W)."""

    def __init__(self, in_channels: int, *, width: int = 64, norm: str = "instance") -> None:
        super().__init__()
        check_counts("pixel", in_channels=in_channels, width=width)
        self.arguments = {"in_channels": in_channels, "width": width, "norm": norm}
        self.minimum = 1 if norm == "none" else 2
        self.per_image = norm != "batch"
        self.stem = nn.Conv2d(in_channels, width, 1)
        self.conv = nn.Conv2d(width, 2 * width, 1, bias=has_bias(norm))
        self.norm = normalisation(norm, 2 * width)
        # Published weights have no bias here but with instance norm.
        self.head = nn.Conv2d(2 * width, 1, 1, bias=has_bias(norm))

    def forward(self, images: Tensor) -> Tensor:
        images = F.leaky_relu(self.stem(images), 0.2)
        return self.head(F.leaky_relu(self.norm(self.conv(images)), 0.2))
