"""What methods find out about their images: of a set beside a real one, of a translator's outputs, of D's answers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.metrics.checkerboard import checkerboard_energy
from translate.metrics.dependence import dependence
from translate.metrics.diversity import diversity
from translate.metrics.frechet import frechet_distance
from translate.metrics.kid import kid_interval
from translate.metrics.luminance import luminance_correlation
from translate.metrics.prdc import prdc
from translate.metrics.random_features import RandomFeatures

NEAREST = 5
LEAST, FEWEST = 4, 16
SIDE = 64


def scores(made: Tensor, real: Tensor) -> dict[str, float]:
    """How `made` (N, C, H, W) compares with `real` (M, C, H, W), both in [-1, 1], as sets.

    kid_random with the ends of its interval, fd_random, diversity, precision, recall, density, coverage, all in the
    features of a random network: no FID, and to be compared with each other only. The last four need FEWEST images.
    Sets of fewer than LEAST images, real ones that are all the same, and what is not finite say nothing.
    """
    if min(len(real), len(made)) < LEAST:
        return {}
    network = RandomFeatures(real.shape[1]).to(real.device)
    ours, theirs = (_in_parts(network, images.float()) for images in (made, real))
    if _alike(theirs) or not bool(torch.isfinite(ours).all() and torch.isfinite(theirs).all()):
        return {}
    mean, low, high = (float(value) for value in kid_interval(theirs, ours))
    found = {"kid_random": mean, "kid_random_low": low, "kid_random_high": high}
    found["fd_random"] = float(frechet_distance(theirs, ours))
    found["diversity"] = float(diversity(ours, theirs))
    count = min(len(real), len(made))  # manifolds compare at equal sizes only
    if count < FEWEST:
        return found
    return found | {name: float(value) for name, value in prdc(theirs[:count], ours[:count], NEAREST).items()}


def translation_scores(pairs: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """dependence, luminance and checkerboard of (input, output) batches (N, C, H, W); the last in detail's own unit."""
    inputs, outputs = (torch.cat([_small(each) for each in part]) for part in zip(*pairs, strict=True))
    found = {"luminance": float(luminance_correlation(inputs, outputs))}
    if len(inputs) >= LEAST and not _alike(inputs):
        found["dependence"] = float(dependence(inputs, outputs))
    whole = [checkerboard_energy(output.float()) for _, output in pairs if min(output.shape[-2:]) >= 16]
    return found | ({"checkerboard": float(torch.cat(whole).median())} if whole else {})


def luminance(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """How light and dark of the second of each pair go with those of the first: 1 the same, -1 inverted."""
    first, second = (torch.cat([_small(each) for each in part]) for part in zip(*pairs, strict=True))
    return float(luminance_correlation(first, second))


def gap(seen: Tensor, fresh: Tensor) -> dict[str, float]:
    """How D's answers (N,) on images it has `seen` stand above those on `fresh` ones.

    gap is the share of pairs in which the seen one is more real to it: 1/2 for a D that generalises, 1 for one that
    knows its images by heart. gap_error is its standard error where nothing is known (Mann and Whitney, 1947).
    """
    above = torch.sign(seen.float()[:, None] - fresh.float()[None])
    counts = len(seen), len(fresh)
    return {"gap": float((above.mean() + 1) / 2), "gap_error": math.sqrt((sum(counts) + 1) / (12 * math.prod(counts)))}


def _small(images: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    small = height == width <= SIDE
    return images.float() if small else F.adaptive_avg_pool2d(images.float(), SIDE)


def _in_parts(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(part) for part in images.split(max(1, 2**20 // images[0].numel()))])


def _alike(rows: Tensor) -> bool:
    """Whether all of `rows` are the same: then there is nothing to compare with."""
    return bool((rows == rows[:1]).all())
