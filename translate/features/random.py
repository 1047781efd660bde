"""A VGG-like network that is drawn once and never trained: needs no weights (He, Wang and Hopcroft 2016).

Half as wide as VGG: random filters gain little from number. Filters of a layer are orthogonal, and scaled so that ReLU
keeps the mean square of what passes (He et al. 2015).
"""

import torch
from torch import Tensor

from translate.features.base import key_of
from translate.features.vgg import Convolutions, Vgg

BLOCKS = ((32, 2), (64, 2), (128, 2), (256, 2), (256, 1))
"""Channels and convolutions of each block: relu1_1 to relu5_1."""


def random_vgg(seed: int = 0, pooling: str = "auto") -> Vgg:
    """Filters follow from `seed`; the global random state is not touched. Pictures go in as they are, in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    found: Convolutions = {}
    into = 3
    for block, (out, count) in enumerate(BLOCKS, start=1):
        for number in range(1, count + 1):
            found[f"{block}_{number}"] = _filters(out, into, generator), torch.zeros(out)
            into = out
    entry = 2 * torch.eye(3), -torch.ones(3)
    network = Vgg("random", f"seed {seed}", found, entry=entry, mode="reflect", pooling=pooling)
    # Of the recipe: the last digits of orthogonal filters are the machine's own.
    network.key = key_of(torch.nn.Module(), network.about, BLOCKS)
    return network


def _filters(out: int, into: int, generator: torch.Generator) -> Tensor:
    """(out, into, 3, 3): orthogonal, as far as there is room for; each of length sqrt 2."""
    drawn = torch.randn(max(out, into * 9), out, generator=generator, dtype=torch.float64)
    upper = torch.linalg.qr(drawn)
    rows = (upper.Q * upper.R.diagonal().sign())[: into * 9].T
    rows = rows / rows.square().sum(dim=1, keepdim=True).sqrt()
    return (rows * 2**0.5).view(out, into, 3, 3).float()
