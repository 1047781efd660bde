"""What travels from the data layer to a method: one batch of images with the names of their files."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from translate.config import Direction


@dataclass(frozen=True)
class Batch:
    """Images of domain A and of domain B as the data lie on disk, float (N, C, H, W) in [-1, 1].

    `b` is None for a single folder. The order of the domains never changes here: `oriented` is the only place in the
    project where a direction turns them round. `labels`, int64 (N,), number the classes of the images where the data
    set has labels.
    """

    a: Tensor
    b: Tensor | None
    files: tuple[str, ...]
    labels: Tensor | None = None

    def oriented(self, direction: Direction) -> tuple[Tensor, Tensor]:
        """Return (source, target) of the translation `direction`."""
        if self.b is None:
            raise ValueError("this batch has one domain only")
        return (self.a, self.b) if direction == "AtoB" else (self.b, self.a)

    def to(self, device: torch.device, dtype: torch.dtype, memory_format: torch.memory_format) -> "Batch":
        """The batch on `device`; the images in `dtype` and `memory_format`, labels as they are."""

        def move(images: Tensor) -> Tensor:
            return images.to(device, dtype, non_blocking=True, memory_format=memory_format)

        return replace(
            self,
            a=move(self.a),
            b=None if self.b is None else move(self.b),
            labels=None if self.labels is None else self.labels.to(device, non_blocking=True),
        )
