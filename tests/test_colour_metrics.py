"""Measures of colour against published values, values worked by hand, and what is done to real photographs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.colour.lab import from_lab, to_lab
from translate.images import read_pixels, resize, to_tensor
from translate.metrics.ab_psnr import ab_psnr
from translate.metrics.colour_distance import distance, features
from translate.metrics.colourfulness import colourfulness, colourfulness_ratio
from translate.metrics.delta_e import ciede2000, delta_e
from translate.metrics.near_grey import near_grey

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MEASURES = {f.__name__: f for f in (ab_psnr, delta_e, colourfulness_ratio, near_grey)}

# Table 1 of Sharma, Wu and Dalal (2005): L*, a*, b* of one colour, of another, and their CIEDE2000.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def recoloured(batch: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    light, chroma = to_lab(batch)
    return from_lab(light, change(chroma)).clamp(-1, 1)


def test_ciede2000_of_the_published_pairs() -> None:
    table = torch.tensor([[float(v) for v in row.split()] for row in SHARMA.split("\n") if row], dtype=torch.float64)
    assert table.shape == (34, 7)
    colours = table.view(34, 7, 1, 1)
    one, other = (colours[:, :1], colours[:, 1:3]), (colours[:, 3:4], colours[:, 4:6])
    for found in (ciede2000(*one, *other), ciede2000(*other, *one)):
        assert (found.flatten() - table[:, 6]).abs().max() < 1e-4
    single = ciede2000(*(v.float() for v in (*one, *other)))
    assert single.dtype == torch.float32
    # Pairs 9 to 15 lie on the step where hues are opposite, and float32 may take either side of it.
    assert (single.flatten() - table[:, 6]).abs().max() < 0.1


def test_ciede2000_of_grey() -> None:
    light = torch.linspace(0, 100, 11).view(1, 1, 1, 11)
    none = torch.zeros(1, 2, 1, 11)
    assert ciede2000(light, none, light, none).abs().max() == 0
    assert float(ciede2000(light[..., :1], none[..., :1], light[..., -1:], none[..., :1])) == pytest.approx(100)
    assert ciede2000(light, none, light.flip(3), none + 3).isfinite().all()


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_takes_any_size_and_type(name: str) -> None:
    for height, width in ((1, 1), (1, 30), (4, 5)):
        for dtype in (torch.bfloat16, torch.float32, torch.float64):
            truth = images(2, 3, height, width).to(dtype)
            for value in (
                MEASURES[name](truth, truth),
                MEASURES[name](truth * 0, truth),
                MEASURES[name](truth, truth * 0),
            ):
                assert value.shape == (2,) and value.isfinite().all()
                assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    with pytest.raises(ValueError, match="one shape"):
        MEASURES[name](images(1, 3, 8, 8), images(1, 3, 8, 9))
    with pytest.raises(ValueError, match="3 channels"):
        MEASURES[name](images(1, 1, 8, 8), images(1, 1, 8, 8))


@pytest.mark.parametrize("name", MEASURES)
def test_each_image_counts_alone(name: str) -> None:
    one, truth = images(3, 3, 12, 10), images(3, 3, 12, 10, seed=1)
    together = MEASURES[name](one, truth)
    alone = torch.cat([MEASURES[name](one[i : i + 1], truth[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone)


def test_ab_psnr_by_hand() -> None:
    light, chroma = torch.full((1, 1, 4, 4), 60.0), torch.full((1, 2, 4, 4), 5.0)
    truth = from_lab(light, chroma)
    moved = from_lab(light, chroma + torch.tensor([22.0, 0.0]).view(1, 2, 1, 1))
    # 22 in one of two coordinates: 20 dB for a tenth of the peak, 3 dB for the half that is right.
    assert float(ab_psnr(moved, truth)) == pytest.approx(20 + 10 * np.log10(2), abs=1e-2)
    assert float(ab_psnr(truth, truth)) == 100
    assert float(ab_psnr(from_lab(light + 20, chroma), truth)) > 80
    assert 0 < float(delta_e(moved, truth)) < 22


def test_colourfulness_by_hand() -> None:
    pixels = torch.tensor([[255.0, 0, 0], [0, 0, 255]]).T.view(1, 3, 1, 2) / 127.5 - 1
    # rg is 255 and 0, yb is 127.5 and -255: deviations 127.5 and 191.25, means 127.5 and -63.75.
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75)
    assert float(colourfulness(pixels)) == pytest.approx(expected, rel=1e-5)
    grey = images(2, 1, 6, 6).expand(2, 3, 6, 6)
    assert colourfulness(grey).abs().max() < 1e-4
    with pytest.raises(ValueError, match="3 channels"):
        colourfulness(images(1, 1, 4, 4))


def test_colourfulness_ratio() -> None:
    truth = images(1, 3, 16, 16)
    grey = truth.mean(dim=1, keepdim=True).expand_as(truth)
    assert float(colourfulness_ratio(truth, truth)) == 1
    assert float(colourfulness_ratio(truth / 2, truth)) == pytest.approx(0.5)
    assert float(colourfulness_ratio(grey, truth)) == pytest.approx(0, abs=1e-5)
    assert float(colourfulness_ratio(grey, grey)) == 1
    assert float(colourfulness_ratio(truth, grey)) == pytest.approx(float(colourfulness(truth)))


def test_near_grey_counts_pixels() -> None:
    light = torch.full((1, 1, 2, 4), 50.0)
    chroma = torch.zeros(1, 2, 2, 4)
    chroma[0, 0, 0] = torch.tensor([4.5, 5.5, 0.0, -30.0])
    assert float(near_grey(from_lab(light, chroma), images(1, 3, 2, 4))) == 0.75


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "desaturated": lambda chroma: chroma * 0.5,
    "grey": lambda chroma: chroma * 0,
    "oversaturated": lambda chroma: chroma * 2,
    "sepia": lambda chroma: torch.tensor([4.0, 18.0]).view(1, 2, 1, 1).expand_as(chroma),
    "swapped": lambda chroma: chroma.flip(1),
}


def landscapes(count: int, seed: int) -> Tensor:
    """Blue above and green or brown below, of many strengths, with a spot of any colour: (count, 3, 32, 32)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 8, 8, generator=generator)
    light = 25 + 40 * torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    light[:, :, :14] += 25
    chroma = torch.empty(count, 2, 32, 32)
    chroma[:, :, :14] = torch.tensor([-4.0, -22.0]).view(2, 1, 1)
    ground = torch.rand(count, 1, generator=generator)
    chroma[:, :, 14:] = (ground * torch.tensor([-25.0, 30.0]) + (1 - ground) * torch.tensor([8.0, 20.0]))[
        ..., None, None
    ]
    chroma *= 0.5 + torch.rand(count, 1, 1, 1, generator=generator)
    chroma[:, :, 16:24, 10:20] = 40 * torch.randn(count, 2, 1, 1, generator=generator)
    return from_lab(light, chroma).clamp(-1, 1)


def check_distance(truth: Tensor, batch: Tensor, noise: float) -> None:
    """`noise` is more than two samples of the same differ by, and less than any change makes."""
    reference = features(truth)

    def of(change: Callable[[Tensor], Tensor]) -> float:
        return float(distance(features(recoloured(batch, change)), reference))

    assert abs(of(lambda chroma: chroma)) < noise
    found = {name: of(change) for name, change in CHANGES.items()}
    assert all(value > 2 * noise for value in found.values()), found
    fading = [of(lambda chroma, share=share: chroma * share) for share in (1.0, 0.75, 0.5, 0.25, 0.0)]
    assert fading == sorted(fading), fading


def test_colour_distance_of_drawn_landscapes() -> None:
    check_distance(landscapes(150, seed=0), landscapes(150, seed=1), noise=0.05)


def test_colour_distance_of_photographs() -> None:
    paths = sorted((DATA / "photos").glob("*.jpg"))[::5]
    if not paths:
        pytest.skip(f"there are no pictures in {DATA / 'photos'}")
    photos = torch.stack([to_tensor(resize(read_pixels(path), 64, 64)) for path in paths])
    check_distance(photos[::2], photos[1::2], noise=0.1)


def test_colour_distance_is_the_unbiased_estimate() -> None:
    x, y = images(4, 6), images(3, 6, seed=1)

    def kernel(one: Tensor, other: Tensor) -> float:
        return (float(one.double() @ other.double()) / 6 + 1) ** 3

    within = [np.mean([kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (x, y)]
    across = np.mean([kernel(one, other) for one in x for other in y])
    assert float(distance(x, y)) == pytest.approx(sum(within) - 2 * across)
    # Two samples of one distribution: 0 on average, on either side of it.
    generator = torch.Generator().manual_seed(0)
    values = [float(distance(*torch.randn(2, 20, 6, generator=generator))) for _ in range(200)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 200**0.5 and min(values) < 0 < max(values)
    for wrong in (x[:1], x[:, :5], x[0]):
        with pytest.raises(ValueError, match="at least 2"):
            distance(wrong, y)


def test_colour_features_of_any_size() -> None:
    sizes = [features(images(2, 3, *size)) for size in ((1, 1), (3, 200), (64, 64), (100, 70))]
    assert len({found.shape for found in sizes}) == 1 and all(found.isfinite().all() for found in sizes)
    smooth = landscapes(4, seed=0)
    large = torch.nn.functional.interpolate(smooth, scale_factor=6, mode="nearest")
    assert torch.allclose(features(smooth), features(large), atol=0.1)
