"""The pair for 28 pixels that courses teach with MNIST, layer by layer as its Keras code has it.

All layers have biases, also before a norm. BatchNorm is torch's: momentum 0.1, eps 1e-5.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import doubling
from translate.networks.conditions import norm_layer, normalised, unit_norm_layer
from translate.networks.critics import Critic, Heads, answers, code_head
from translate.networks.samplers import Sampler, middle


class Course28Generator(Sampler):
    """A dense layer to a quarter of the size, two transposed convolutions that double, a convolution.

    Batch norm behind the dense layer is one of its units, (size / 4)**2 * width of them; instance norm, which a unit
    alone cannot have, one of the map they form. A size that is no multiple of 4 is the middle of the next larger one.
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
        super().__init__("course28_generator", arguments)
        start = -(-size // 4)
        units = start**2 * width
        self.shape = (width, start, start)
        self.by_units = norm == "batch"
        self.dense = nn.Linear(self.inputs, units)
        self.dense_norm = (
            unit_norm_layer(units, self.norm_classes) if self.by_units else norm_layer(norm, width, self.norm_classes)
        )
        self.convs = nn.ModuleList(
            doubling(width, width, "transposed", kernel=3, padding="zeros", bias=True) for _ in range(2)
        )
        self.norms = nn.ModuleList(norm_layer(norm, width, self.norm_classes) for _ in range(2))
        self.head = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, z: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        units = self.dense(self.joined(z, labels, codes))
        if not self.by_units:
            units = units.unflatten(1, self.shape)
        images = F.leaky_relu(normalised(self.dense_norm, units, labels), 0.2).view(-1, *self.shape)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            images = F.leaky_relu(normalised(norm, conv(images), labels), 0.2)
        return middle(self.head(images).tanh(), self.size)


class Course28Discriminator(Critic):
    """Two 3x3 convolutions that halve, each with norm, then a dense layer.

    Their padding is 1 on every side, where Keras pads right and below alone.
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
        super().__init__("course28_discriminator", arguments)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, width, 3, stride=2, padding=1) for channels in (self.inputs, width)
        )
        self.norms = nn.ModuleList(norm_layer(norm, width) for _ in range(2))
        side = -(-size // 4)
        self.head = Heads(width, side, arguments)
        self.code_head = code_head(width, side, arguments)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.heads(images, labels)["logits"]

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        features = self.seen(images, labels)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = F.leaky_relu(norm(conv(features)), 0.2)
        return answers(self.head, self.code_head, features, labels)
