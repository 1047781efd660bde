"""A pool of past fakes (Shrivastava et al. 2017, section 2.3), which keeps D from forgetting."""

from typing import Any

import torch
from torch import Tensor, nn

SHAPES = 8
"""Where whole images of any size are trained on, fakes of so many different sizes are kept; others pass."""


class ImagePool(nn.Module):
    """Holds up to `size` past fakes and gives D, with probability 1/2 an image, one of them instead of the new one.

    Until the pool is full every image is stored and returned. The pool lies where the fakes do, and nothing that is
    drawn or counted is looked at, so that a GPU is never waited for. It is part of the method's state dict.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.shelves: dict[tuple[int, ...], Shelf] = {}

    def exchange(self, fakes: Tensor, coins: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """Take `fakes` (N, C, H, W), return as many images, each new or past.

        `coins` (N,) are drawn from [0, 1), `places` (N,) from the whole numbers below `size`.
        """
        if self.size == 0:
            return fakes
        fakes = fakes.detach()
        coins = torch.rand(len(fakes), device=fakes.device) if coins is None else coins
        places = torch.randint(self.size, (len(fakes),), device=fakes.device) if places is None else places
        shape = tuple(fakes.shape[1:])
        if shape not in self.shelves:
            if len(self.shelves) == SHAPES:
                return fakes
            self.shelves[shape] = Shelf(fakes.new_zeros(self.size, *shape), torch.zeros_like(places[:1]))
        shelf = self.shelves[shape].to(fakes)
        one_by_one = zip(fakes.split(1), coins.split(1), places.split(1), strict=True)
        return torch.cat([shelf.exchange(*drawn) for drawn in one_by_one])

    def get_extra_state(self) -> Any:
        return {
            "images": [shelf.images for shelf in self.shelves.values()],
            "counts": [s.count for s in self.shelves.values()],
        }

    def set_extra_state(self, state: Any) -> None:
        pairs = zip(state["images"], state["counts"], strict=True)
        self.shelves = {tuple(images.shape[1:]): Shelf(images, count) for images, count in pairs}


class Shelf:
    """Past fakes of one shape, changed in place: `images` (size, C, H, W), of which `count` (1,) are there."""

    def __init__(self, images: Tensor, count: Tensor) -> None:
        self.images = images
        self.count = count

    def to(self, like: Tensor) -> "Shelf":
        """This shelf, moved to where `like` lies if it is not there."""
        self.images, self.count = self.images.to(like), self.count.to(like.device)
        return self

    def exchange(self, fake: Tensor, coin: Tensor, place: Tensor) -> Tensor:
        """Take a fake (1, C, H, W), return it or a past one; `coin` and `place` are (1,)."""
        full = self.count >= len(self.images)
        gives = full & (coin > 0.5)
        place = torch.where(full, place, self.count)
        past = self.images.index_select(0, place)
        over = (slice(None), None, None, None)
        self.images.index_copy_(0, place, torch.where((gives | ~full)[over], fake, past))
        self.count += ~full
        return torch.where(gives[over], past, fake)
