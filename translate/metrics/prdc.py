"""Precision and recall (Kynkäänniemi et al., NeurIPS 2019), density and coverage (Naeem et al., ICML 2020) of sets."""

from torch import Tensor

from translate.metrics.sets import checked_sets, distances


def prdc(real: Tensor, fake: Tensor, nearest: int = 5) -> dict[str, float]:
    """precision, recall, density and coverage of features (M, D) and (N, D), M, N > nearest.

    The ball of a picture reaches to its `nearest`-th neighbour in its own set, and holds what lies on its edge.
    precision: share of the fakes that lie in the ball of a real one: are they like real ones? recall: share of the
    reals that lie in the ball of a fake: are all kinds made? density: balls of reals about a fake over `nearest`: as
    precision, but one far-off real picture does not make everything around it right; can be above 1. coverage: share of
    the reals whose ball holds a fake: as recall, but far-off fakes do not help. Two samples of one distribution have a
    density of about 1 and, at equal sizes, a coverage of about 1 - 2^-nearest; their precision and recall stay below 1,
    by how much depends on dimensions and sizes.

    Compare at equal sizes only. Takes memory for M x N doubles a few times over. Raises ValueError for smaller sets,
    other shapes and values that are not finite.
    """
    if nearest < 1:
        raise ValueError(f"nearest={nearest} will not do: at least 1 neighbour")
    real, fake = checked_sets(real, fake, least=nearest + 1)
    across = distances(real, fake)
    by_real = across <= _radii(real, nearest)[:, None]
    by_fake = across <= _radii(fake, nearest)[None, :]
    return {
        "precision": float(by_real.any(dim=0).double().mean()),
        "recall": float(by_fake.any(dim=1).double().mean()),
        "density": float(by_real.double().sum(dim=0).mean() / nearest),
        "coverage": float(by_real.any(dim=1).double().mean()),
    }


def _radii(features: Tensor, nearest: int) -> Tensor:
    # Each is its own first neighbour, at 0.
    return distances(features, features).kthvalue(nearest + 1, dim=1).values
