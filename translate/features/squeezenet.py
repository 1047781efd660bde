"""SqueezeNet 1.1 (Iandola et al. 2016) as torchvision has it: small, fast, its weights are 5 MB.

Layers by the paper's names, and where they are in torchvision's `features`: relu1 (1), fire2 (3), fire3 (4), fire4 (6),
fire5 (7), fire6 to fire9 (9 to 12). Style is usually taken from relu1 and the last fire of each size, and of the last
size from fire7; content from fire5, whose stride is that of VGG's relu4_2. Pooling is over windows of 3 x 3, partial
ones too: average of what a window holds, which paints smoother strokes, unless its own is asked for, max.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from translate.features.chain import Chain, Convolution, Pool, Stage, Window, imagenet

LAYERS = {"fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12}
"""Where in torchvision's `features` the fire modules are."""


class Fire(Stage):
    """Squeeze to few channels, expand by 1 x 1 and 3 x 3 side by side; ReLU after each."""

    def __init__(self, state: Mapping[str, Tensor], place: int) -> None:
        super().__init__()

        def convolution(part: str, padding: int, bare: bool) -> Convolution:
            name = f"{place}.{part}"
            return Convolution(state[f"{name}.weight"], state[f"{name}.bias"], padding=padding, bare=bare)

        self.squeeze = convolution("squeeze", 0, bare=False)
        self.expand1x1 = convolution("expand1x1", 0, bare=True)
        self.expand3x3 = convolution("expand3x3", 1, bare=True)
        self.window = Window(3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        squeezed = self.squeeze(values)
        return torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], dim=1).relu_()


class SqueezeNet(Chain):
    """Of the state of torchvision's squeezenet1_1 `features` ("0.weight", "3.squeeze.weight" ...)."""

    def __init__(self, state: Mapping[str, Tensor], about: str, pooling: str = "auto") -> None:
        pooling = "average" if pooling == "auto" else pooling
        stages: list[tuple[str, Stage]] = [("relu1", Convolution(state["0.weight"], state["0.bias"], stride=2))]
        for name, place in LAYERS.items():
            if name in ("fire2", "fire4", "fire6"):
                stages.append(("", Pool(3, ceil=True, average=pooling == "average")))
            stages.append((name, Fire(state, place)))
        super().__init__("squeezenet", about, stages, *imagenet(), pooling=pooling)
        self.style_layers = dict.fromkeys(("relu1", "fire3", "fire5", "fire7"), 1.0)
        self.content_layers = {"fire5": 1.0}
