"""How far apart fakes lie from each other: what mode collapse takes away."""

from torch import Tensor

from translate.metrics.sets import checked_sets, distances


def diversity(fake_features: Tensor, real_features: Tensor) -> float:
    """Mean distance of two different fakes (N, D) over that of two different reals (M, D), M, N >= 2.

    1: as diverse as real ones; 0: all the same; above 1: wider apart than real ones, as noise is. It looks at the fakes
    alone: whether they are like real ones is for `kid` to say. Raises ValueError for other shapes, values that are not
    finite, and reals that are all the same.
    """
    real, fake = checked_sets(real_features, fake_features)
    spread = _mean_distance(real)
    if spread == 0:
        raise ValueError(f"the {len(real)} real features are all the same: nothing is as diverse as they are")
    return _mean_distance(fake) / spread


def _mean_distance(features: Tensor) -> float:
    count = len(features)
    return float(distances(features, features).sum() / (count * (count - 1)))
