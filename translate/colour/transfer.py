"""Chroma in the manner of a reference picture: its mean and covariance, by the linear map that moves colours least.

Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer", on a*
and b* alone, as the light of a photograph is its own. Where we depart: no direction is stretched more than MOST_STRETCH
times. A picture that is nearly grey has no colours to stretch, only noise, and then its covariance stays below that of
the reference.
"""

import numpy as np
import torch

from translate import images
from translate.colour import lab

# A colorized photograph a third as colourful as its reference still becomes its equal; what needs more is nearly grey.
MOST_STRETCH = 3.0

_LEAST_VARIANCE = 1e-6  # of a* and b*, squared: less is rounding
_REFERENCE_SIDE = 256


def transfer(chroma: np.ndarray, reference_chroma: np.ndarray) -> np.ndarray:
    """`chroma` (h, w, 2) of a* and b* with the mean and covariance of `reference_chroma` (m, 2), float32.

    The covariance is less where the map would stretch more than MOST_STRETCH times. A picture of one colour takes the
    mean of the reference, and a reference of one colour gives a picture of that colour.
    """
    mean, covariance = _moments(chroma.reshape(-1, 2))
    wanted_mean, wanted_covariance = _moments(reference_chroma)
    linear = monge_kantorovitch(covariance, wanted_covariance)
    return (chroma @ linear.T.astype(np.float32) + (wanted_mean - linear @ mean).astype(np.float32)).astype(np.float32)


def monge_kantorovitch(covariance: np.ndarray, wanted: np.ndarray, least: float = _LEAST_VARIANCE) -> np.ndarray:
    """The symmetric positive map T with T covariance T = wanted (both k x k), its eigenvalues cut to MOST_STRETCH.

    A variance below `least` counts as that: it is rounding.

    T = S^-1/2 (S^1/2 W S^1/2)^1/2 S^-1/2, the paper's closed form, of all linear maps the one that moves colours least.
    """
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, least)
    root = vectors * np.sqrt(values) @ vectors.T
    inverse = vectors / np.sqrt(values) @ vectors.T
    stretch, axes = np.linalg.eigh(inverse @ _root(root @ wanted @ root) @ inverse)
    return axes * np.clip(stretch, 0, MOST_STRETCH) @ axes.T


def reference_of(pixels: np.ndarray) -> np.ndarray:
    """Chroma (m, 2), float32, of a picture (H, W, 1 or 3) of sRGB: uint8, uint16, or float in [-1, 1].

    It is reduced to at most 256 pixels a side first, so that its grain does not count as colour.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _REFERENCE_SIDE / max(height, width))
    small = images.resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    tensor = images.to_tensor(small).double().clamp(-1, 1)
    chroma = lab.to_lab(tensor.expand(3, -1, -1)[None])[1]
    return torch.flatten(chroma[0], 1).T.numpy().astype(np.float32)


def _moments(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (2,) and covariance (2, 2) of colours (m, 2), as float64; of one colour the covariance is 0."""
    values = colours.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean
    return mean, values.T @ values / len(values)


def _root(matrix: np.ndarray) -> np.ndarray:
    """The positive square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
