"""The engine of the built-in model `identity`: what comes out is what went in."""

import torch
from torch import Tensor

from translate.engines.base import Engine, Sized


class Unchanged(Engine):
    """Returns images as they are; with it a conversion proves what happens to files."""

    backend = "identity"
    precision = "exact"

    def __init__(self) -> None:
        super().__init__(Sized((0, 0), 1, 1), torch.device("cpu"), None)
        self.about = "nothing: identity returns its input"

    def __call__(self, images: Tensor) -> Tensor:
        return images

    def _run(self, images: Tensor) -> Tensor:
        return images
