"""A pool of past fakes (Shrivastava et al. 2017, section 2.3), which keeps D from forgetting."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Holds up to `size` past fakes and gives D, with probability 1/2 an image, one of them instead of the new one.

    Until the pool is full every image is stored and returned. The pool is part of the method's state dict.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.images: list[Tensor] = []

    def exchange(
        self,
        fakes: Tensor,
        coin: Callable[[], float] = lambda: torch.rand(()).item(),
        pick: Callable[[int], int] = lambda count: int(torch.randint(count, ()).item()),
    ) -> Tensor:
        """Take `fakes` (N, C, H, W), return as many images, each new or past. `coin` draws from [0, 1)."""
        if self.size == 0:
            return fakes
        return torch.stack([self._exchange_one(fake, coin, pick) for fake in fakes.detach()])

    def _exchange_one(self, fake: Tensor, coin: Callable[[], float], pick: Callable[[int], int]) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(fake.clone())
            return fake
        if coin() <= 0.5:
            return fake
        place = pick(self.size)
        past, self.images[place] = self.images[place], fake.clone()
        # Whole images of any size may be trained on: a past one of another size cannot join this batch.
        return past.to(fake) if past.shape == fake.shape else fake

    def get_extra_state(self) -> Any:
        return {"images": list(self.images)}

    def set_extra_state(self, state: Any) -> None:
        self.images = list(state["images"])
