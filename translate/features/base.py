"""Features: what pictures are compared by when one is repainted in the manner of another."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

from translate.config import near_miss
from translate.errors import ConfigError


class Features(nn.Module, ABC):
    """Maps of features of pictures, layer by layer; frozen, in evaluation mode, its weights take no gradient.

    A place of a layer is one position of its map; place (i, j) stands for the pixels from (i, j) times `stride` on.
    A tile whose origin is a multiple of the deepest stride and which has `reach` more pixels on each side that is not
    the picture's own gives, at places of its core, exactly what the whole picture does.
    """

    name: str
    about: str
    """For people and metadata: what was loaded from where."""
    layers: tuple[str, ...]
    """All that can be asked for, shallow to deep."""
    style_layers: dict[str, float]
    """The usual ones, with weights."""
    content_layers: dict[str, float]
    usual_statistic: str = "wasserstein"
    usual_content: str = "features"
    usual_weights: tuple[float, float] = (0.25, 0.3)
    """Of content and of variation, beside style: found by looking at photographs in several manners."""
    sampled: bool = False
    """Places are drawn, never all taken."""
    key: str
    """Hash of everything that decides what comes out."""

    @abstractmethod
    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Images (N, 3, H, W) in [-1, 1] to {layer: (N, C, h, w)}, computing no deeper than asked.

        Raises ConfigError for an unknown layer, ValueError for images of another shape or below `minimum(layers)`.
        """

    @abstractmethod
    def stride(self, layer: str) -> int:
        """Pixels from one place of `layer` to the next."""

    @abstractmethod
    def reach(self, layer: str) -> int:
        """Pixels on each side that a place of `layer` depends on, counted from its own first pixel; an upper bound."""

    @abstractmethod
    def minimum(self, layers: Iterable[str]) -> int:
        """The smallest height and width that give each of `layers` a place."""

    def grid(self, values: Tensor) -> tuple[int, int]:
        """Rows and columns of places of a map (N, C, h, w)."""
        return values.shape[2], values.shape[3]

    def columns(self, values: Tensor, places: Tensor) -> Tensor:
        """Of a map (N, C, h, w) what is at the flat places (n,), int64, of its grid: (N, C', n)."""
        return take(values, places)

    def train(self, mode: bool = True) -> "Features":
        """Stay in evaluation mode, whatever the module that holds this one does."""
        return super().train(False)

    def _asked(self, layers: Iterable[str]) -> tuple[str, ...]:
        """The layers asked for, each once; raises ConfigError, with the near miss, for one that is not there."""
        asked = tuple(dict.fromkeys(layers))
        for layer in asked:
            if layer not in self.layers:
                known = f" It has {self.layers[0]} to {self.layers[-1]}."
                raise ConfigError(f"{self.name} has no layer {layer!r}.{near_miss(layer, self.layers) or known}")
        return asked

    def _check(self, images: Tensor, layers: tuple[str, ...]) -> None:
        if images.dim() != 4 or images.shape[1] != 3:
            raise ValueError(f"images (N, 3, H, W) are needed, not {tuple(images.shape)}")
        least = self.minimum(layers)
        if min(images.shape[2:]) < least:
            size = f"{images.shape[3]} x {images.shape[2]}"
            raise ValueError(f"{', '.join(layers)} of {self.name} need {least} x {least} pixels; these are {size}")


def take(values: Tensor, places: Tensor) -> Tensor:
    """Of a map (N, C, h, w) the values at the flat places (n,): (N, C, n); the same gradient each time."""
    flat = values.flatten(2)
    if values.is_cuda:  # there the gradient of gather adds in any order, that of indexing sorts first
        return flat[:, :, places]
    return flat.gather(2, places.expand(*flat.shape[:2], -1))


def key_of(module: nn.Module, *words: object) -> str:
    """Hash of the tensors that `module` holds, as they are, and of `words`."""
    digest = hashlib.sha256(repr(words).encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy())
    return digest.hexdigest()
