"""What generators from noise start from: families of noise, truncation, paths between two points.

Every family has mean 0 and variance 1, so that one generator can be trained with any of them. Parameters:

    gaussian     N(0, 1)                                       all real numbers
    uniform      U(-sqrt 3, sqrt 3)
    binomial     10 tosses of a fair coin, (k - 5) / sqrt 2.5  11 values, symmetric
    poisson      rate 4, (k - 4) / 2                           -2, -1.5, ...; skew 1/2
    exponential  rate 1, x - 1                                 from -1 on; skew 2
    gamma        shape 3, scale 1, (x - 3) / sqrt 3            from -sqrt 3 on; skew 1.15
    weibull      shape 3/2, scale 1, standardised              from -1.47 on; skew 1.07
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from translate.config import near_miss
from translate.errors import ConfigError

What = Literal["noise", "labels", "codes"]
_WHATS: tuple[What, ...] = ("noise", "labels", "codes")

TOSSES, RATE, GAMMA_SHAPE, WEIBULL_SHAPE = 10, 4.0, 3, 1.5

_Random = Callable[..., Tensor]
"""torch.rand or torch.randn with generator, device and type set: takes a shape."""


def draw(
    kind: str,
    count: int,
    latent: int,
    *,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    spherical: bool = False,
    truncation: float | None = None,
) -> Tensor:
    """Noise (`count`, `latent`) of the family `kind`, a name in NOISES: independent, of mean 0 and variance 1.

    `generator`, of the same device, is torch's own if None. `spherical` scales every row to length sqrt(latent), where
    Gaussian rows nearly lie anyhow (White 2016; Karras et al. 2018); a row of zeros, which counts can draw, stays.
    `truncation` is what `truncate` takes. Raises ConfigError for an unknown family, and for a truncation of another
    than the Gaussian, that is not above 0, or of rows that are scaled to one length.
    """
    _check(kind, spherical, truncation)
    exact = dtype if dtype in (torch.float32, torch.float64) else torch.float32
    shape = (count, latent)
    if kind == "gaussian":
        noise = torch.randn(shape, generator=generator, device=device, dtype=exact)
    else:
        noise = _FROM_UNIFORM[kind](
            lambda *more: torch.rand(*more, *shape, generator=generator, device=device, dtype=exact)
        )
    if truncation is not None:
        noise = truncate(noise, truncation)
    return (on_sphere(noise) if spherical else noise).to(dtype)


def draw_each(
    kind: str,
    seed: int,
    indices: Sequence[int],
    latent: int,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    spherical: bool = False,
    truncation: float | None = None,
) -> Tensor:
    """As `draw`, (len(indices), latent), but the row of index i is a function of (`seed`, i) alone.

    It is drawn on the CPU: the same on every device, whatever else is asked for beside it.
    """
    _check(kind, spherical, truncation)
    exact = torch.float64 if dtype == torch.float64 else torch.float32
    rows = [
        draw(
            kind,
            1,
            latent,
            generator=generator_of(seed, index, "noise"),
            dtype=exact,
            spherical=spherical,
            truncation=truncation,
        )
        for index in indices
    ]
    return (torch.cat(rows) if rows else torch.empty(0, latent, dtype=exact)).to(device, dtype)


def generator_of(seed: int, index: int, what: What = "labels") -> torch.Generator:
    """A generator of the CPU for picture `index` of `seed`, from 0 on; `what` it is to draw has a stream of its own."""
    # torch takes the lower 32 bits of a seed only. Hashed into so few, two of 100,000 pictures would be alike more
    # often than not; a line with an odd slope meets every value once, so that no two pictures of a seed are.
    start, slope = np.random.SeedSequence((seed, _WHATS.index(what))).generate_state(2)
    return torch.Generator().manual_seed((int(start) + index * (int(slope) | 1)) % 2**32)


def on_sphere(noise: Tensor) -> Tensor:
    """Scale (..., latent) to length sqrt(latent); zeros stay."""
    lengths = noise.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(noise.dtype).tiny)
    return noise * (math.sqrt(noise.shape[-1]) / lengths)


def truncate(noise: Tensor, threshold: float) -> Tensor:
    """Make Gaussian `noise` of any shape follow the Gaussian cut off beyond +-`threshold` (the truncation trick).

    Brock et al. 2019 draw values beyond the threshold again. Here every value moves to the one of equal rank in the
    truncated distribution: the same distribution, but one value in is one value out, and a picture keeps its character
    as the threshold falls. Less threshold: pictures nearer to the usual, and more alike. Raises ConfigError unless
    `threshold` > 0.
    """
    if not threshold > 0:
        raise ConfigError(f"truncation={threshold} will not do: above 0; 2 changes little, 0.5 much.")
    within = math.erf(threshold / math.sqrt(2))
    moved = math.sqrt(2) * torch.erfinv(torch.erf(noise / math.sqrt(2)) * within)
    most = noise.abs().clamp(max=threshold)  # where erf rounds to 1, erfinv is infinite
    return moved.clamp(-most, most)


def slerp(a: Tensor, b: Tensor, share: float | Tensor) -> Tensor:
    """The point at `share` of the way from `a` to `b`, both (..., latent), along the great circle (White 2016).

    `share` may be a tensor that broadcasts against the dimensions before the last: 8 shares of two vectors give 8
    points. Between vectors of one length all points have it. Vectors that are parallel, opposite or zero span no
    circle: the straight line is taken.
    """
    t = share.unsqueeze(-1).to(a) if isinstance(share, Tensor) else torch.as_tensor(share).to(a)
    x, y = (torch.nn.functional.normalize(vectors, dim=-1) for vectors in (a, b))
    # By Kahan's formula: the arc cosine of a product near 1 has few digits left.
    angle = 2 * torch.atan2((x - y).norm(dim=-1, keepdim=True), (x + y).norm(dim=-1, keepdim=True))
    sine = angle.sin()
    zero = (a == 0).all(dim=-1, keepdim=True) | (b == 0).all(dim=-1, keepdim=True)
    flat = (sine < torch.finfo(a.dtype).eps ** 0.5) | zero  # there the line differs from the arc by rounding only
    safe = torch.where(flat, torch.ones_like(sine), sine)
    curved = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / safe
    return torch.where(flat, (1 - t) * a + t * b, curved)


def _check(kind: str, spherical: bool, truncation: float | None) -> None:
    if kind not in NOISES:
        raise ConfigError(f"There is no noise {kind!r}.{near_miss(kind, NOISES)}")
    if truncation is None:
        return
    if kind != "gaussian":
        raise ConfigError(f"truncation={truncation} works on gaussian noise, not on {kind}: leave it out.")
    if spherical:
        raise ConfigError(f"truncation={truncation} contradicts spherical noise, whose rows have one length.")


# Families from numbers drawn evenly from [0, 1), by inverse distribution functions


def _uniform(rand: _Random) -> Tensor:
    return (2 * rand() - 1) * math.sqrt(3)


def _binomial(rand: _Random) -> Tensor:
    shares = [math.comb(TOSSES, k) / 2**TOSSES for k in range(TOSSES + 1)]
    return (_counts(rand(), shares) - TOSSES / 2) / math.sqrt(TOSSES / 4)


def _poisson(rand: _Random) -> Tensor:
    # Beyond 40 lies less than 1e-25.
    shares = [math.exp(-RATE) * RATE**k / math.factorial(k) for k in range(41)]
    return (_counts(rand(), shares) - RATE) / math.sqrt(RATE)


def _exponential(rand: _Random) -> Tensor:
    return _waits(rand()) - 1


def _gamma(rand: _Random) -> Tensor:
    return (_waits(rand(GAMMA_SHAPE)).sum(dim=0) - GAMMA_SHAPE) / math.sqrt(GAMMA_SHAPE)


def _weibull(rand: _Random) -> Tensor:
    mean = math.gamma(1 + 1 / WEIBULL_SHAPE)
    deviation = math.sqrt(math.gamma(1 + 2 / WEIBULL_SHAPE) - mean**2)
    return (_waits(rand()).pow(1 / WEIBULL_SHAPE) - mean) / deviation


def _waits(even: Tensor) -> Tensor:
    return -torch.log1p(-even)


def _counts(even: Tensor, shares: Sequence[float]) -> Tensor:
    """For every number how many steps of the distribution function, which rises by `shares`, it has passed."""
    steps = torch.from_numpy(np.cumsum(shares)[:-1]).to(even)
    return torch.bucketize(even, steps, right=True).to(even.dtype)


_FROM_UNIFORM: dict[str, Callable[[_Random], Tensor]] = {
    "uniform": _uniform,
    "binomial": _binomial,
    "poisson": _poisson,
    "exponential": _exponential,
    "gamma": _gamma,
    "weibull": _weibull,
}

NOISES: tuple[str, ...] = ("gaussian", *_FROM_UNIFORM)
"""The families of noise, by name."""
