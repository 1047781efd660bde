"""The pair of R3GAN (Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024), written from the paper.

No normalisation: residual blocks with grouped convolutions and an inverted bottleneck, resampling by bilinear
interpolation, and an initialisation after Fixup (Zhang et al., ICLR 2019) in its place. Of ours: the generator ends in
tanh, since all networks here give [-1, 1] (the paper's has none), labels stand beside the noise without an embedding
of their own, and widths and number of blocks are those of a DCGAN's size, 3 million weights at 64 pixels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import check_counts
from translate.networks.critics import Critic, Heads, answers, code_head
from translate.networks.samplers import Sampler, grid, middle

MOST = 8
"""Times `width` that the widest stage has."""
EXPANSION = 2
GROUP = 16
"""Channels of a group of the 3x3 convolutions, or more where their number does not divide."""
SLOPE = 0.2


class ResidualGenerator(Sampler):
    """A learned 4 to 7 pixel wide map that the noise scales channel by channel, then a stage of blocks a doubling.

    The stage of the full size has `width` channels, each one before it twice as many, at most 8 times `width`.
    A size that is not 4 to 7 times a power of two is the middle of the next larger one.
    """

    def __init__(
        self,
        out_channels: int,
        size: int,
        *,
        latent: int = 100,
        width: int = 64,
        blocks: int = 1,
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
            "blocks": blocks,
            "norm": norm,
            "classes": classes,
            "conditioning": conditioning,
            "continuous": continuous,
        }
        super().__init__("residual_generator", arguments, norms=("none",), conditionings=("none", "concat"))
        check_counts("residual_generator", blocks=blocks)
        start, doublings = grid(size)
        widths = _widths(width, doublings)[::-1]
        self.basis = nn.Parameter(torch.empty(widths[0], start, start))
        self.modulation = nn.Linear(self.inputs, widths[0], bias=False)
        self.stages = nn.ModuleList(_stage(wide, blocks) for wide in widths)
        self.transitions = nn.ModuleList(map(_transition, widths[:-1], widths[1:]))
        self.head = nn.Conv2d(width, out_channels, 1)
        self.draw_weights()

    def forward(self, z: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        images = self.basis * self.modulation(self.joined(z, labels, codes))[:, :, None, None]
        images = self.stages[0](images)
        for transition, stage in zip(self.transitions, self.stages[1:], strict=True):
            # A 1x1 convolution and this interpolation commute; the narrower side of it is the cheaper one.
            images = stage(F.interpolate(transition(images), scale_factor=2.0, mode="bilinear"))
        return middle(self.head(images).tanh(), self.size)

    def draw_weights(self, generator: torch.Generator | None = None) -> None:
        """Draw all weights afresh, from `generator` or torch's own."""
        nn.init.normal_(self.basis, generator=generator)
        _draw(self, generator)


class ResidualDiscriminator(Critic):
    """The generator's mirror image: blocks and halvings down to 4 to 7 pixels, a depthwise convolution over them.

    Halving takes means of 2x2 pixels, which is what bilinear interpolation comes to; an odd line or column at the end
    stays alone.
    """

    def __init__(
        self,
        in_channels: int,
        size: int,
        *,
        width: int = 64,
        blocks: int = 1,
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
            "blocks": blocks,
            "norm": norm,
            "classes": classes,
            "conditioning": conditioning,
            "categories": categories,
            "continuous": continuous,
        }
        super().__init__("residual_discriminator", arguments, norms=("none",))
        check_counts("residual_discriminator", blocks=blocks)
        side, halvings = grid(size)
        widths = _widths(width, halvings)
        self.stem = nn.Conv2d(self.inputs, width, 1)
        self.stages = nn.ModuleList(_stage(wide, blocks) for wide in widths)
        self.transitions = nn.ModuleList(map(_transition, widths[:-1], widths[1:]))
        self.pool = nn.Conv2d(widths[-1], widths[-1], side, groups=widths[-1], bias=False)
        self.head = Heads(widths[-1], 1, arguments)
        self.code_head = code_head(widths[-1], 1, arguments)
        self.draw_weights()

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.heads(images, labels)["logits"]

    def heads(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        features = self.stages[0](self.stem(self.seen(images, labels)))
        for transition, stage in zip(self.transitions, self.stages[1:], strict=True):
            features = stage(transition(F.avg_pool2d(features, 2, ceil_mode=True)))
        return answers(self.head, self.code_head, self.pool(features), labels)

    def draw_weights(self, generator: torch.Generator | None = None) -> None:
        """Draw all weights afresh, from `generator` or torch's own."""
        _draw(self, generator)


class Block(nn.Module):
    """1x1 convolution that widens, grouped 3x3 convolution, 1x1 convolution back, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        groups = max(1, inner // GROUP)
        while inner % groups:
            groups -= 1
        self.conv1 = nn.Conv2d(channels, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, groups=groups)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        inner = F.leaky_relu(self.conv1(images), SLOPE)
        return images + self.conv3(F.leaky_relu(self.conv2(inner), SLOPE))


def _stage(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Block(channels) for _ in range(blocks)))


def _transition(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)


def _widths(width: int, doublings: int) -> list[int]:
    """Channels of each stage, from the full size inwards."""
    return [width * min(2**level, MOST) for level in range(doublings + 1)]


def _draw(network: nn.Module, generator: torch.Generator | None) -> None:
    """Fixup: L blocks of m = 3 layers start as the identity; the layers before their last are L**(-1 / (2m - 2)) of
    He's. What lies outside of the blocks is linear and keeps variance; all biases are 0.
    """
    modules = list(network.modules())
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear", generator=generator)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    blocks = [module for module in modules if isinstance(module, Block)]
    for block in blocks:
        for conv in (block.conv1, block.conv2):
            nn.init.kaiming_normal_(conv.weight, SLOPE, generator=generator)
            with torch.no_grad():
                conv.weight *= len(blocks) ** -0.25
        nn.init.zeros_(block.conv3.weight)
