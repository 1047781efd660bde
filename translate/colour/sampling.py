"""Draw one of the answers that a distribution over chroma leaves open, the same over a whole picture.

Perturb and take the likeliest (Papandreou and Yuille 2011): the largest of logits plus Gumbel noise is a draw of
softmax(logits). With noise of its own at every pixel that is confetti, so here noise varies slowly over the picture,
and alike for colours that are alike: one draw leans to one family of colours.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

SIDES = 3  # noise has so many independent places along a side
GLOBAL = 0.9  # share of its variance that is the same everywhere
ALIKE = 15.0  # of a* and b*: colours no further apart share noise


def perturbed(logits: Tensor, centres: Tensor, generator: torch.Generator) -> Tensor:
    """`logits` (1, Q, h, w) of the classes `centres` (Q, 2) with Gumbel noise drawn from `generator`, on the CPU."""
    count = len(centres)
    apart = torch.cdist(centres.float().cpu(), centres.float().cpu())
    mixing = torch.exp(-apart.square() / (2 * ALIKE**2))
    mixing = mixing / mixing.square().sum(dim=1, keepdim=True).sqrt()  # of unit variance
    everywhere = torch.randn(count, 1, 1, generator=generator)
    places = torch.randn(count, SIDES, SIDES, generator=generator)
    normal = math.sqrt(GLOBAL) * everywhere + math.sqrt(1 - GLOBAL) * places
    normal = torch.einsum("qp,phw->qhw", mixing, normal)[None]
    normal = F.interpolate(normal, size=logits.shape[2:], mode="bicubic", align_corners=True)
    uniform = torch.special.ndtr(normal.double()).clamp(1e-12, 1 - 1e-12)
    gumbel = -torch.log(-torch.log(uniform))
    return logits + gumbel.to(logits)
