"""A ResNet generator for processors and phones: residual blocks of separable convolutions.

Separable convolutions: Howard et al., MobileNets, 2017; in a generator's residual blocks, where most of its work is: Li
et al., GAN Compression, CVPR 2020. We leave out their norm between the two halves of such a convolution.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import Generator, Padded, check_counts, doubling, normalisation
from translate.networks.recomputing import recomputed
from translate.networks.resnet import Layer


class SeparableResNet(Generator):
    """As resnet, but each convolution of its blocks is a 3x3 one channel by channel, then a 1x1 one across channels.

    Takes (N, in_channels, H, W), H and W multiples of 2**downsamplings (else the output is rounded up to one);
    returns (N, out_channels, H, W) in [-1, 1]. `padding` (reflect, replicate, zeros) holds for all but the strided
    layers. Widths that are multiples of 16 fill a processor's registers: others take more time an operation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 32,
        blocks: int = 9,
        norm: str = "instance",
        downsamplings: int = 2,
        upsampling: str = "transposed",
        padding: str = "reflect",
    ) -> None:
        super().__init__()
        check_counts("separable_resnet", in_channels=in_channels, out_channels=out_channels, width=width)
        if blocks < 0 or downsamplings < 0:
            raise ConfigError(
                f"separable_resnet: blocks is {blocks}, downsamplings {downsamplings}; they must be 0 or more."
            )
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "width": width,
            "blocks": blocks,
            "norm": norm,
            "downsamplings": downsamplings,
            "upsampling": upsampling,
            "padding": padding,
        }
        self.multiple = 2**downsamplings
        # The innermost image needs 2 pixels to be mirrored and normalised, the outermost 4 to be mirrored by 3.
        self.minimum = max(4, 2 * self.multiple)
        self.per_image = norm != "batch"

        widths = [width * 2**level for level in range(downsamplings + 1)]
        bias = norm == "none"  # any norm takes a bias away again
        self.stem = Layer(Padded(in_channels, width, 7, padding=padding, bias=bias), norm, width)
        self.downs = nn.ModuleList(
            Layer(nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1, bias=bias), norm, 2 * wide) for wide in widths[:-1]
        )
        self.blocks = nn.ModuleList(Block(widths[-1], norm, padding) for _ in range(blocks))
        self.ups = nn.ModuleList(
            Layer(doubling(2 * wide, wide, upsampling, kernel=3, padding=padding, bias=bias), norm, wide)
            for wide in reversed(widths[:-1])
        )
        self.head = Padded(width, out_channels, 7, padding=padding, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        for layer in (self.stem, *self.downs, *self.blocks, *self.ups, self.head):
            images = recomputed(self, layer, images)
        return images.tanh()


class Block(nn.Module):
    """Separable convolution, norm, ReLU, separable convolution, norm, added to the input."""

    def __init__(self, channels: int, norm: str, padding: str) -> None:
        super().__init__()
        self.conv1 = Separable(channels, padding, bias=norm == "none")
        self.norm1 = normalisation(norm, channels)
        self.conv2 = Separable(channels, padding, bias=norm == "none")
        self.norm2 = normalisation(norm, channels)

    def forward(self, images: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(images)))
        return images + self.norm2(self.conv2(inner))


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution of all of them."""

    def __init__(self, channels: int, padding: str, *, bias: bool) -> None:
        super().__init__()
        self.spatial = Padded(channels, channels, 3, padding=padding, bias=False, groups=channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        return self.pointwise(self.spatial(images))
