"""Chroma as classes, against values worked by hand and against brute force."""

import math

import pytest
import torch
from torch import Tensor

from translate.colour import bins
from translate.colour.lab import to_lab


def some_chroma(count: int = 200) -> Tensor:
    """Chroma of random sRGB, (1, 2, 1, count)."""
    draw = torch.Generator().manual_seed(0)
    return to_lab(torch.rand(1, 3, 1, count, generator=draw, dtype=torch.float64) * 2 - 1)[1]


def test_centres_are_the_grid_points_whose_cell_holds_a_colour():
    points = bins.centres()
    assert torch.equal(points % bins.GRID, torch.zeros_like(points))
    assert torch.equal(points, points.unique(dim=0)), "sorted, each once"
    known = {tuple(point) for point in points.tolist()}
    primaries = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1], [-1, -1, -1]]).T.view(1, 3, 1, 5)
    assert [tuple(c) for c in (to_lab(primaries)[1][0, :, 0].T / 10).round().mul(10).tolist()] == [
        (80, 70),
        (-90, 80),
        (80, -110),
        (0, 0),
        (0, 0),
    ]
    found = [tuple(point) for point in ((some_chroma(20_000)[0, :, 0].T / 10).round() * 10).tolist()]
    # What lies in the outermost corner of a cell may fall between the colours that were tried.
    assert sum(point not in known for point in found) < 20 and len(set(found)) > 0.8 * len(known)
    assert (100.0, 100.0) not in known


def test_encoding_matches_brute_force():
    points = bins.centres().double()
    chroma = some_chroma()
    indices, weights = bins.encode(chroma, points)
    assert indices.shape == weights.shape == (1, 5, 1, 200)
    for place in range(200):
        a, b = chroma[0, :, 0, place].tolist()
        far = sorted((math.dist((a, b), point), index) for index, point in enumerate(points.tolist()))[:5]
        shares = [math.exp(-(distance**2) / 50) for distance, _ in far]
        assert set(indices[0, :, 0, place].tolist()) == {index for _, index in far}
        assert weights[0, :, 0, place].tolist() == pytest.approx([share / sum(shares) for share in shares])


def test_encoding_by_hand_at_a_centre():
    """Itself and four at a distance of 10: weights 1 and exp(-2), before they are made to sum to 1."""
    indices, weights = bins.encode(torch.tensor([20.0, -10.0]).view(1, 2, 1, 1), bins.centres())
    assert bins.centres()[indices[0, 0, 0, 0]].tolist() == [20, -10]
    assert weights.flatten().tolist() == pytest.approx([0.648786, *4 * [0.087804]], abs=1e-6)


def test_images_of_a_batch_are_encoded_place_by_place():
    chroma = some_chroma(24).view(1, 2, 24).reshape(2, 2, 12).view(2, 2, 3, 4)
    whole, shares = bins.encode(chroma, bins.centres().double())
    for image, row, column in [(0, 0, 0), (1, 2, 1), (0, 1, 3)]:
        alone, share = bins.encode(chroma[image, :, row, column].view(1, 2, 1, 1), bins.centres().double())
        assert torch.equal(whole[image, :, row, column], alone.flatten())
        assert torch.allclose(shares[image, :, row, column], share.flatten())


def test_decoding_by_hand():
    """Shares 0.6 and 0.4; at temperature 1/2 they are squared: 0.36 to 0.16."""
    points = torch.tensor([[10.0, 0.0], [0.0, -20.0]])
    logits = torch.tensor([0.6, 0.4]).log().view(1, 2, 1, 1) + 7
    assert bins.decode(logits, points, 1.0).flatten().tolist() == pytest.approx([6, -8], rel=1e-5)
    assert bins.decode(logits, points, 0.5).flatten().tolist() == pytest.approx([90 / 13, -80 / 13], rel=1e-5)
    assert bins.decode(logits, points, 0.01).flatten().tolist() == pytest.approx([10, 0], abs=1e-4)


def test_what_is_certain_is_decoded_to_its_centre():
    points = bins.centres()
    indices = torch.tensor([0, 57, len(points) - 1]).view(1, 1, 1, 3)
    logits = torch.full((1, len(points), 1, 3), -50.0).scatter(1, indices, 50.0)
    for temperature in (1.0, 0.38):
        assert torch.allclose(bins.decode(logits, points, temperature)[0, :, 0].T, points[indices.flatten()])


def test_decoding_half_precision_logits_is_computed_in_full():
    logits = torch.randn(1, len(bins.centres()), 2, 2, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = bins.decode(logits.double(), bins.centres().double(), 0.38)
    assert bins.decode(logits, bins.centres(), 0.38).dtype == torch.float32
    assert torch.allclose(bins.decode(logits, bins.centres(), 0.38).double(), exact, atol=1e-3)


@pytest.mark.parametrize(
    ("mix", "wanted"),
    [
        (1.0, [1, 1, 1]),
        (0.5, [14 / 17, 20 / 17, 20 / 17]),  # 1 / (5/12), 1 / (7/24), over their mean 2.4 / 2 + 24/7 / 2
        (0.0, [2 / 3, 4 / 3, 4 / 3]),
    ],
)
def test_rebalancing_by_hand(mix: float, wanted: list[float]):
    prior = torch.tensor([0.5, 0.25, 0.25])
    weights = bins.rebalanced(prior, mix)
    assert weights.tolist() == pytest.approx(wanted)
    assert float((weights * prior).sum()) == pytest.approx(1)


def test_a_class_that_was_never_seen_weighs_something_finite():
    weights = bins.rebalanced(torch.tensor([0.75, 0.25, 0.0]), 0.0)
    assert weights.isfinite().all()
    assert weights[:2].tolist() == pytest.approx([2 / 3, 2])
