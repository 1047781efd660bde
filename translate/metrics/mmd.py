"""Squared maximum mean discrepancy, unbiased, of two sets of features, with the cubic kernel of KID.

Gretton et al., A kernel two-sample test (JMLR 2012); kernel of Binkowski et al., Demystifying MMD GANs (ICLR 2018).
"""

from torch import Tensor


def mmd(x: Tensor, y: Tensor, *, paired: bool = False) -> Tensor:
    """Unbiased MMD^2 of two sets of features (M, D) and (N, D), M, N >= 2, kernel (x . y / D + 1)^3: a float64 scalar.

    0 on average for two samples of one distribution, so also a little below. `paired`: x and y are of the same
    pictures, one by one, and a picture is not compared with itself. Raises ValueError for other shapes.
    """
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(
            f"two sets (N, D) of at least 2 features of one length are needed, not {x.shape} and {y.shape}"
        )
    x, y = x.double(), y.double()
    across = kernel(x, y)
    between = _mean_of_others(across) if paired else across.mean()
    return _mean_of_others(kernel(x, x)) + _mean_of_others(kernel(y, y)) - 2 * between


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """(x . y / D + 1)^3 of every row of x (M, D) with every row of y (N, D): (M, N)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_of_others(values: Tensor) -> Tensor:
    count = len(values)
    return (values.sum() - values.trace()) / (count * (count - 1))
