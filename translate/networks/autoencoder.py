"""Auto-encoders as judges: what they cannot reproduce is not real.

EBGAN (Zhao et al., ICLR 2017), power 2; BEGAN (Berthelot et al. 2017), power 1, whose layers these are: 3x3
convolutions with ELU, widths that grow by `width` a halving, a bottleneck of `latent` numbers without activation, and
a decoder of `width` channels whose doublings repeat pixels. Of ours: one convolution a size, and tanh at the end.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import ResizeConvolution
from translate.networks.conditions import POINTS, norm_layer
from translate.networks.critics import Critic
from translate.networks.mlp import hidden_layers
from translate.networks.samplers import grid, middle


class Autoencoder(Critic):
    """Energy (N,) of an image: the mean over channels and pixels of |image - its reconstruction| ** `power`.

    It has no logits to classify by: conditioning is none or concat, categories and continuous are 0.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        *,
        latent: int = 64,
        width: int = 64,
        norm: str = "none",
        power: int = 1,
        classes: int = 0,
        conditioning: str = "none",
        categories: int = 0,
        continuous: int = 0,
    ) -> None:
        arguments = {
            "in_channels": in_channels,
            "size": size,
            "latent": latent,
            "width": width,
            "norm": norm,
            "power": power,
            "classes": classes,
            "conditioning": conditioning,
            "categories": categories,
            "continuous": continuous,
        }
        _check("autoencoder", arguments)
        super().__init__("autoencoder", arguments, conditionings=("none", "concat"))
        self.energy = True
        side, halvings = grid(size)
        widths = [self.inputs, *(width * (level + 1) for level in range(halvings + 1))]
        self.shape = (width, side, side)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[level], widths[level + 1], 3, stride=2 if level else 1, padding=1)
            for level in range(halvings + 1)
        )
        self.norms = nn.ModuleList(norm_layer(norm, wide) for wide in widths[1:])
        self.encoding = nn.Linear(widths[-1] * side**2, latent)
        self.decoding = nn.Linear(latent, width * side**2)
        self.ups = nn.ModuleList(ResizeConvolution(width, width, padding="zeros", bias=True) for _ in range(halvings))
        self.up_norms = nn.ModuleList(norm_layer(norm, width) for _ in range(halvings))
        self.head = nn.Conv2d(width, in_channels, 3, padding=1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return _energy(images, self.reconstruct(images, labels), self.arguments["power"])

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        return {"logits": self(images, labels)}

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The bottleneck (N, latent) of `images`, which EBGAN's pull-away term spreads."""
        features = self.seen(images, labels)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = F.elu(norm(conv(features)))
        return self.encoding(features.flatten(1))

    def reconstruct(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """What remains of `images` (N, in_channels, size, size) behind the bottleneck: as many, in [-1, 1]."""
        made = self.decoding(self.encode(images, labels)).unflatten(1, self.shape)
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            made = F.elu(norm(up(made)))
        return middle(self.head(made).tanh(), self.size)


class MlpAutoencoder(Critic):
    """The same of points (N, in_channels, 1, 1): three hidden layers of `width` on each side of the bottleneck.

    The reconstruction is linear, as a generator's points are.
    """

    def __init__(
        self,
        in_channels: int = 2,
        size: int = 1,
        *,
        latent: int = 64,
        width: int = 128,
        norm: str = "none",
        power: int = 1,
        classes: int = 0,
        conditioning: str = "none",
        categories: int = 0,
        continuous: int = 0,
    ) -> None:
        arguments = {
            "in_channels": in_channels,
            "size": size,
            "latent": latent,
            "width": width,
            "norm": norm,
            "power": power,
            "classes": classes,
            "conditioning": conditioning,
            "categories": categories,
            "continuous": continuous,
        }
        _check("mlp_autoencoder", arguments)
        super().__init__("mlp_autoencoder", arguments, norms=("none",), conditionings=("none", "concat"), sizes=POINTS)
        self.energy = True
        self.encoder = hidden_layers(self.inputs, width, nn.LeakyReLU(0.2))
        self.encoding = nn.Linear(width, latent)
        self.decoder = hidden_layers(latent, width, nn.LeakyReLU(0.2))
        self.head = nn.Linear(width, in_channels)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return _energy(images, self.reconstruct(images, labels), self.arguments["power"])

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        return {"logits": self(images, labels)}

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """The bottleneck (N, latent) of `images`."""
        return self.encoding(self.encoder(self.seen(images, labels).flatten(1)))

    def reconstruct(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """What remains of `images` (N, in_channels, 1, 1) behind the bottleneck, in the same shape."""
        return self.head(self.decoder(self.encode(images, labels)))[:, :, None, None]


def _energy(images: Tensor, made: Tensor, power: int) -> Tensor:
    difference = images - made
    return (difference.square() if power == 2 else difference.abs()).mean(dim=(1, 2, 3))


def _check(network: str, arguments: dict[str, Any]) -> None:
    for key in ("categories", "continuous"):
        if arguments[key]:
            raise ConfigError(
                f"{network}: {key} is {arguments[key]}; an auto-encoder gives an energy and has no features that codes "
                f"could be read from: set it to 0, or take another discriminator."
            )
    if arguments["power"] not in (1, 2):
        raise ConfigError(f"{network}: power is {arguments['power']}; it is 1 (BEGAN) or 2 (EBGAN).")
