"""ResNet generator of CycleGAN (Zhu et al., ICCV 2017, after Johnson et al. 2016)."""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import Generator, Padded, check_counts, doubling, has_bias, normalisation
from translate.networks.recomputing import recomputed


class ResNet(Generator):
    """A 7x7 convolution, `downsamplings` halvings, `blocks` residual blocks, as many doublings, a 7x7 convolution.

    Takes (N, in_channels, H, W), H and W multiples of 2**downsamplings (else the output is rounded up to one);
    returns (N, out_channels, H, W) in [-1, 1]. `padding` (reflect, replicate, zeros) holds for all but the strided
    layers. The papers use 9 blocks for 256 pixels, 6 for less.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 64,
        blocks: int = 9,
        norm: str = "instance",
        dropout: float = 0.0,
        downsamplings: int = 2,
        upsampling: str = "transposed",
        padding: str = "reflect",
    ) -> None:
        super().__init__()
        check_counts("resnet", in_channels=in_channels, out_channels=out_channels, width=width)
        if blocks < 0 or downsamplings < 0:
            raise ConfigError(f"resnet: blocks is {blocks}, downsamplings {downsamplings}; they must be 0 or more.")
        self.arguments = {
            "in_channels": in_channels,
            "out_channels": out_channels,
            "width": width,
            "blocks": blocks,
            "norm": norm,
            "dropout": dropout,
            "downsamplings": downsamplings,
            "upsampling": upsampling,
            "padding": padding,
        }
        self.multiple = 2**downsamplings
        # The innermost image needs 2 pixels to be mirrored and normalised, the outermost 4 to be mirrored by 3.
        self.minimum = max(4, 2 * self.multiple)
        self.per_image = norm != "batch"

        widths = [width * 2**level for level in range(downsamplings + 1)]
        bias = has_bias(norm)
        self.stem = Layer(Padded(in_channels, width, 7, padding=padding, bias=bias), norm, width)
        self.downs = nn.ModuleList(
            Layer(nn.Conv2d(wide, 2 * wide, 3, stride=2, padding=1, bias=bias), norm, 2 * wide) for wide in widths[:-1]
        )
        self.blocks = nn.ModuleList(Block(widths[-1], norm, dropout, padding) for _ in range(blocks))
        self.ups = nn.ModuleList(
            Layer(doubling(2 * wide, wide, upsampling, kernel=3, padding=padding, bias=bias), norm, wide)
            for wide in reversed(widths[:-1])
        )
        self.head = Padded(width, out_channels, 7, padding=padding, bias=True)

    def forward(self, images: Tensor) -> Tensor:
        for layer in (self.stem, *self.downs, *self.blocks, *self.ups, self.head):
            images = recomputed(self, layer, images)
        return images.tanh()


class Layer(nn.Module):
    """Convolution, norm, ReLU."""

    def __init__(self, conv: nn.Module, norm: str, channels: int) -> None:
        super().__init__()
        self.conv = conv
        self.norm = normalisation(norm, channels)

    def forward(self, images: Tensor) -> Tensor:
        # Not in place: instance norm returns a view, and autograd copies the whole of what is written through a view.
        return F.relu(self.norm(self.conv(images)))


class Block(nn.Module):
    """Convolution, norm, ReLU, dropout, convolution, norm, added to the input."""

    def __init__(self, channels: int, norm: str, dropout: float, padding: str) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.conv1 = Padded(channels, channels, 3, padding=padding, bias=bias)
        self.norm1 = normalisation(norm, channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = Padded(channels, channels, 3, padding=padding, bias=bias)
        self.norm2 = normalisation(norm, channels)

    def forward(self, images: Tensor) -> Tensor:
        inner = self.dropout(F.relu(self.norm1(self.conv1(images))))
        return images + self.norm2(self.conv2(inner))
