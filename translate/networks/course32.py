"""The pair for 32 pixels of Chollet, Deep Learning with Python (2017, section 8.5), layer by layer.

No norm; biases everywhere; LeakyReLU has Keras's slope of 0.3.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.critics import Critic, Heads, answers, code_head
from translate.networks.samplers import Sampler, middle

SLOPE = 0.3
UNPADDED = 32
"""The least size whose last map, without padding, has 2x2 pixels."""


class Course32Generator(Sampler):
    """A dense layer to half the size, one doubling among 5x5 convolutions, a 7x7 convolution.

    The hidden maps have `width` channels, that of the dense layer half as many. An odd size is cut from the next one.
    """

    def __init__(
        self,
        out_channels: int,
        size: int,
        *,
        latent: int = 32,
        width: int = 256,
        norm: str = "none",
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
        super().__init__("course32_generator", arguments, norms=("none",), conditionings=("none", "concat"))
        start = -(-size // 2)
        self.shape = (max(1, width // 2), start, start)
        self.dense = nn.Linear(self.inputs, self.shape[0] * start**2)
        self.convs = nn.Sequential(
            nn.Conv2d(self.shape[0], width, 5, padding=2),
            nn.LeakyReLU(SLOPE),
            nn.ConvTranspose2d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, width, 5, padding=2),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, width, 5, padding=2),
            nn.LeakyReLU(SLOPE),
        )
        self.head = nn.Conv2d(width, out_channels, 7, padding=3)

    def forward(self, z: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        images = F.leaky_relu(self.dense(self.joined(z, labels, codes)), SLOPE).unflatten(1, self.shape)
        return middle(self.head(self.convs(images)).tanh(), self.size)


class Course32Discriminator(Critic):
    """A 3x3 convolution, three 4x4 ones that halve, dropout, a dense layer.

    None is padded, as in the book, which takes 32 pixels; for smaller images, all are padded by 1 pixel.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        *,
        width: int = 128,
        norm: str = "none",
        dropout: float = 0.4,
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
            "dropout": dropout,
            "classes": classes,
            "conditioning": conditioning,
            "categories": categories,
            "continuous": continuous,
        }
        super().__init__("course32_discriminator", arguments, norms=("none",))
        if not 0 <= dropout < 1:
            raise ConfigError(f"course32_discriminator: dropout is {dropout}; it must be at least 0 and below 1.")
        pad = int(size < UNPADDED)
        convs = [nn.Conv2d(self.inputs, width, 3, padding=pad)]
        side = size - 2 + 2 * pad
        for _ in range(3):
            convs.append(nn.Conv2d(width, width, 4, stride=2, padding=pad))
            side = (side - 4 + 2 * pad) // 2 + 1
        self.convs = nn.ModuleList(convs)
        self.dropout = nn.Dropout(dropout)
        self.head = Heads(width, side, arguments)
        self.code_head = code_head(width, side, arguments)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.heads(images, labels)["logits"]

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        features = self.seen(images, labels)
        for conv in self.convs:
            features = F.leaky_relu(conv(features), SLOPE)
        return answers(self.head, self.code_head, self.dropout(features), labels)
