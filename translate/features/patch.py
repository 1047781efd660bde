"""Patches of the picture itself at several sizes: features that need no weights and no network.

Style is the distribution of patches, compared along random directions (Elnekave and Weiss 2022, "Generating natural
images with direct patch distribution matching", who take 7 x 7 as well); content is the gradients of the picture.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.features.base import Features, key_of, take


class Patch(Features):
    """Layers "1", "2", "4", "8": the picture averaged down by that factor; its places are patches, side x side x 3.

    A last cell that is not full averages what it has, so that every pixel counts. Place (i, j) is the patch whose first
    cell is (i, j): it ends `side` cells further on.
    """

    def __init__(self, side: int = 7) -> None:
        super().__init__()
        self.name = "patch"
        self.layers = ("1", "2", "4", "8")
        self.about = f"patch ({side} x {side} at 1/{', 1/'.join(self.layers)})"
        self.side = side
        # The picture grows while it is painted: what coarser patches say has been said when it was small.
        self.style_layers = {"1": 1.0}
        self.content_layers = {"1": 1.0}
        self.usual_statistic, self.usual_content, self.sampled = "sliced", "gradient", True
        self.usual_weights = (0.005, 0.0)
        self.key = key_of(self, self.name, side)
        self.eval()

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        asked = self._asked(layers)
        self._check(images, asked)
        return {
            layer: images if layer == "1" else F.avg_pool2d(images, int(layer), ceil_mode=True, count_include_pad=False)
            for layer in asked
        }

    def stride(self, layer: str) -> int:
        (layer,) = self._asked([layer])
        return int(layer)

    def reach(self, layer: str) -> int:
        return self.side * self.stride(layer) - 1

    def minimum(self, layers: Iterable[str]) -> int:
        return max(((self.side - 1) * self.stride(layer) + 1 for layer in layers), default=1)

    def grid(self, values: Tensor) -> tuple[int, int]:
        return values.shape[2] - self.side + 1, values.shape[3] - self.side + 1

    def columns(self, values: Tensor, places: Tensor) -> Tensor:
        """Patches (N, 3 side side, n) at the flat places (n,) of the grid: by channel, row and column of the patch."""
        _, across = self.grid(values)
        width = values.shape[3]
        first = places // across * width + places % across
        within = torch.arange(self.side, device=places.device)
        offsets = (within[:, None] * width + within).flatten()
        taken = take(values, (offsets[:, None] + first).flatten())
        return taken.unflatten(2, (-1, len(places))).flatten(1, 2)
