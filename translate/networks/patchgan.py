"""PatchGAN discriminator: judges overlapping patches, 70x70 pixels by default (Isola et al., CVPR 2017)."""

from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import Discriminator, check_counts, has_bias, mirror_pad, normalisation


class PatchGAN(Discriminator):
    """`layers` 4x4 convolutions that halve, then two that do not; a logit a patch.

    Takes (N, in_channels, H, W), continued by mirroring to `minimum`, which the layers need, if H or W is smaller;
    returns logits (N, 1, about H / 2**layers, W / 2**layers).
    Patches are 16, 34, 70, 142, 286 pixels wide with 1 to 5 layers.
    """

    def __init__(self, in_channels: int, *, width: int = 64, layers: int = 3, norm: str = "instance") -> None:
        super().__init__()
        check_counts("patchgan", in_channels=in_channels, width=width, layers=layers)
        self.arguments = {"in_channels": in_channels, "width": width, "layers": layers, "norm": norm}
        self.minimum = 3 * 2**layers
        self.per_image = norm != "batch"

        widths = [width * min(2**layer, 8) for layer in range(layers + 1)]
        self.stem = nn.Conv2d(in_channels, width, 4, stride=2, padding=1)
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for layer in range(1, layers + 1):
            stride = 2 if layer < layers else 1
            conv = nn.Conv2d(widths[layer - 1], widths[layer], 4, stride=stride, padding=1, bias=has_bias(norm))
            self.convs.append(conv)
            self.norms.append(normalisation(norm, widths[layer]))
        self.head = nn.Conv2d(widths[-1], 1, 4, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if min(height, width) < self.minimum:
            images = mirror_pad(images, (0, max(0, self.minimum - width), 0, max(0, self.minimum - height)))
        images = F.leaky_relu(self.stem(images), 0.2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            images = F.leaky_relu(norm(conv(images)), 0.2)
        return self.head(images)
