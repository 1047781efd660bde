"""What every network that judges whole images tells of itself, and the heads they share.

Projection: Miyato and Koyama, ICLR 2018. Auxiliary classifier: AC-GAN, Odena et al., ICML 2017. Codes found again:
InfoGAN, Chen et al., NIPS 2016.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.conditions import NORMS, SIZES, check_network, needed, with_label_maps

CONDITIONINGS = ("none", "concat", "projection", "acgan")
CODE_WIDTH = 128


class Critic(nn.Module):
    """forward(images (N, in_channels, size, size), labels=None): logits (N,), high for real; energies if `energy`.

    `heads`, with the same arguments, returns all of one pass: "logits" and, where it has them, "classes" (N, classes)
    of the auxiliary classifier, "categories" (N, categories) and "codes" (N, continuous) of InfoGAN's Q.
    `labels` (N,) int64 must be there for conditioning concat (they become maps of 0 and 1 beside the image) and
    projection; they are ignored elsewhere. Q's weights are those of `code_head`, which is None without codes.
    `per_image`: no image of a batch sees another one. `energy`: it gives energies >= 0, which are low for real.
    Raises ConfigError for what cannot be made, and where labels are missing.
    """

    arguments: dict[str, Any]
    in_channels: int
    size: int
    classes: int
    per_image: bool
    energy: bool

    def __init__(
        self,
        network: str,
        arguments: dict[str, Any],
        *,
        norms: Iterable[str] = NORMS,
        conditionings: Iterable[str] = CONDITIONINGS,
        sizes: range = SIZES,
    ) -> None:
        super().__init__()
        check_network(network, arguments, norms=norms, conditionings=conditionings, sizes=sizes)
        self.arguments = arguments
        self.in_channels, self.size, self.classes = (arguments[key] for key in ("in_channels", "size", "classes"))
        self.per_image = arguments["norm"] != "batch"
        self.energy = False
        self.beside = self.classes if arguments["conditioning"] == "concat" else 0
        self.inputs = self.in_channels + self.beside

    def seen(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """What the first layer sees, (N, inputs, size, size)."""
        return with_label_maps(images, needed(labels, self.beside), self.beside) if self.beside else images


class Heads(nn.Module):
    """One linear layer of all features (N, channels, side, side) to the logit; projection and classifier if asked for.

    The projection takes all features, as the logit does. Published is their sum over places, which says something of a
    class only where every feature has seen the whole image: residual and mlp, which have one place.
    """

    def __init__(self, channels: int, side: int, arguments: dict[str, Any], *, bias: bool = True) -> None:
        super().__init__()
        conditioning, classes = arguments["conditioning"], arguments["classes"]
        self.real = nn.Linear(channels * side**2, 1, bias=bias)
        self.projection = nn.Embedding(classes, channels * side**2) if conditioning == "projection" else None
        self.classes = nn.Linear(channels * side**2, classes) if conditioning == "acgan" else None

    def forward(self, features: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        flat = features.flatten(1)
        logits = self.real(flat)[:, 0]
        if self.projection is not None:
            logits = logits + (self.projection(needed(labels, self.projection.num_embeddings)) * flat).sum(dim=1)
        answers = {"logits": logits}
        if self.classes is not None:
            answers["classes"] = self.classes(flat)
        return answers


class CodeHead(nn.Module):
    """InfoGAN's Q: logits of the categorical code and means of the continuous ones, whose deviation is taken as 1.

    One hidden layer, as published, but without its batch norm, which would let images see each other.
    """

    def __init__(self, features: int, categories: int, continuous: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, CODE_WIDTH)
        self.categories = nn.Linear(CODE_WIDTH, categories) if categories else None
        self.codes = nn.Linear(CODE_WIDTH, continuous) if continuous else None

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        hidden = F.leaky_relu(self.hidden(features.flatten(1)), 0.2)
        heads = {"categories": self.categories, "codes": self.codes}
        return {name: head(hidden) for name, head in heads.items() if head is not None}


def code_head(channels: int, side: int, arguments: dict[str, Any]) -> CodeHead | None:
    """Q for features (N, channels, side, side), if there is a code to find."""
    categories, continuous = arguments["categories"], arguments["continuous"]
    return CodeHead(channels * side**2, categories, continuous) if categories or continuous else None


def answers(head: Heads, code: CodeHead | None, features: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
    """What `Critic.heads` returns, from the trunk's features (N, channels, side, side)."""
    return head(features, labels) | (code(features) if code is not None else {})
