"""The pair for points: images (N, 2, 1, 1), with which the ways of adversarial training can be drawn."""

from torch import Tensor, nn

from translate.networks.conditions import POINTS
from translate.networks.critics import Critic, Heads, answers, code_head
from translate.networks.samplers import Sampler


class MlpGenerator(Sampler):
    """Three hidden layers of `width` with ReLU.

    Its output is linear: it learns to stay in [-1, 1], where the points are, but nothing holds it there.
    """

    def __init__(
        self,
        out_channels: int = 2,
        size: int = 1,
        *,
        latent: int = 100,
        width: int = 128,
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
        super().__init__("mlp_generator", arguments, norms=("none",), conditionings=("none", "concat"), sizes=POINTS)
        self.layers = hidden_layers(self.inputs, width, nn.ReLU())
        self.head = nn.Linear(width, out_channels)

    def forward(self, z: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        return self.head(self.layers(self.joined(z, labels, codes)))[:, :, None, None]


class MlpDiscriminator(Critic):
    """Three hidden layers of `width` with LeakyReLU."""

    def __init__(
        self,
        in_channels: int = 2,
        size: int = 1,
        *,
        width: int = 128,
        norm: str = "none",
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
        super().__init__("mlp_discriminator", arguments, norms=("none",), sizes=POINTS)
        self.layers = hidden_layers(self.inputs, width, nn.LeakyReLU(0.2))
        self.head = Heads(width, 1, arguments)
        self.code_head = code_head(width, 1, arguments)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.heads(images, labels)["logits"]

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        features = self.layers(self.seen(images, labels).flatten(1))
        return answers(self.head, self.code_head, features[:, :, None, None], labels)


def hidden_layers(inputs: int, width: int, activation: nn.Module) -> nn.Sequential:
    """Three linear layers of `width`, each with `activation`."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        activation,
        nn.Linear(width, width),
        activation,
        nn.Linear(width, width),
        activation,
    )
