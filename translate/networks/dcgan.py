"""The pair of DCGAN (Radford et al., ICLR 2016), with the widths and without the biases of the authors' torch code."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.conditions import norm_layer, normalised
from translate.networks.critics import Critic, Heads, answers, code_head
from translate.networks.samplers import LARGEST_GRID, Sampler, grid, middle

MOST = 8
"""Times `width` that the widest layer has."""


class DcganGenerator(Sampler):
    """Transposed 4x4 convolutions, the first from one pixel to the starting grid, each further one doubling it.

    The map of the last hidden layer has `width` channels, each one before it twice as many, at most 8 times `width`.
    A size that is not 4 to 7 times a power of two is the middle of the next larger one.
    """

    def __init__(
        self,
        out_channels: int,
        size: int,
        *,
        latent: int = 100,
        width: int = 64,
        norm: str = "batch",
        classes: int = 0,
        conditioning: str = "none",
        continuous: int = 0,
    ) -> None:
        arguments = {
            "out_channels": out_channels,
            "size": size,
            "latent": latent,
            "width": width,
            "norm": norm,
            "classes": classes,
            "conditioning": conditioning,
            "continuous": continuous,
        }
        super().__init__("dcgan_generator", arguments)
        start, doublings = grid(size)
        bias = norm == "none"  # a norm takes it away again
        widths = [width * min(2**level, MOST) for level in reversed(range(doublings))]
        self.stem = nn.ConvTranspose2d(self.inputs, widths[0], start, bias=bias)
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1, bias=bias) for wide, narrow in pairwise(widths)
        )
        self.norms = nn.ModuleList(norm_layer(norm, wide, self.norm_classes) for wide in widths)
        self.head = nn.ConvTranspose2d(width, out_channels, 4, stride=2, padding=1, bias=False)

    def forward(self, z: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        images = self.joined(z, labels, codes)[:, :, None, None]
        for conv, norm in zip((self.stem, *self.convs), self.norms, strict=True):
            images = F.relu(normalised(norm, conv(images), labels))
        return middle(self.head(images).tanh(), self.size)


class DcganDiscriminator(Critic):
    """4x4 convolutions that halve the image down to 4 to 7 pixels, then one linear layer of all that remains.

    The first has `width` channels and no norm, each further one twice as many, at most 8 times `width`.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        *,
        width: int = 64,
        norm: str = "batch",
        classes: int = 0,
        conditioning: str = "none",
        categories: int = 0,
        continuous: int = 0,
    ) -> None:
        arguments = {
            "in_channels": in_channels,
            "size": size,
            "width": width,
            "norm": norm,
            "classes": classes,
            "conditioning": conditioning,
            "categories": categories,
            "continuous": continuous,
        }
        super().__init__("dcgan_discriminator", arguments)
        self.stem = nn.Conv2d(self.inputs, width, 4, stride=2, padding=1, bias=norm == "none")
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        side, wide = size // 2, width
        while side > LARGEST_GRID:
            wider = min(2 * wide, MOST * width)
            self.convs.append(nn.Conv2d(wide, wider, 4, stride=2, padding=1, bias=norm == "none"))
            self.norms.append(norm_layer(norm, wider))
            side, wide = side // 2, wider
        self.head = Heads(wide, side, arguments, bias=False)
        self.code_head = code_head(wide, side, arguments)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.heads(images, labels)["logits"]

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        features = F.leaky_relu(self.stem(self.seen(images, labels)), 0.2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = F.leaky_relu(norm(conv(features)), 0.2)
        return answers(self.head, self.code_head, features, labels)
