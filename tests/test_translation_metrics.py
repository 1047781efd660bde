"""What a translator's outputs have to do with its inputs, and the grid it may leave on them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from translate.data.drawn import facades, seasons
from translate.images import to_tensor
from translate.metrics.checkerboard import checkerboard_energy
from translate.metrics.dependence import dependence
from translate.metrics.luminance import luminance_correlation


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def scenes(count: int, size: int = 32, seed: int = 0) -> Tensor:
    """Drawn landscapes."""
    return torch.stack([to_tensor(seasons.scene(np.random.default_rng((seed, i)), size)) for i in range(count)])


def fronts(count: int) -> tuple[Tensor, Tensor]:
    """Label maps of house fronts and their rendering."""
    drawn = [facades.draw("test", np.random.default_rng(i), 64)[1] for i in range(count)]
    labels, houses = (torch.stack([to_tensor(picture) for picture in side]) for side in zip(*drawn, strict=True))
    return labels, houses


def blurred(batch: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    flat = F.pad(batch.flatten(0, 1)[:, None], (2, 2, 2, 2), mode="replicate")
    return F.conv2d(flat, (taps[:, None] * taps)[None, None]).unflatten(0, batch.shape[:2])[:, :, 0]


HONEST: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "inversion": lambda x: -x,
    "grey": lambda x: x.mean(dim=1, keepdim=True),
    "colours swapped": lambda x: x.flip(1),
    "gamma": lambda x: ((x + 1) / 2).sqrt() * 2 - 1,
    "threshold": lambda x: (x > 0) * 2.0 - 1,
    "blur": blurred,
    "pale": lambda x: 0.3 * x + 0.5,
    "mirrored": lambda x: x.flip(3),
    "smaller": lambda x: F.avg_pool2d(x, 2),
    "edges": lambda x: (x - blurred(x)).abs(),
}
IDLE: dict[str, Callable[[Tensor], Tensor]] = {
    "constant": lambda x: x[:1].expand_as(x),
    "grey card": lambda x: torch.zeros_like(x),
    "tiny noise": lambda x: x[:1] + 0.01 * uniform(*x.shape),
    "noise": lambda x: x[:1] + 0.3 * uniform(*x.shape),
    "ghost": lambda x: x[:1] + 0.02 * x,
    "other pictures": lambda x: scenes(len(x), seed=1),
}


@pytest.mark.parametrize("count", [16, 48])
def test_dependence_tells_honest_from_idle(count: int) -> None:
    inputs = scenes(count)
    honest = {name: dependence(inputs, change(inputs)) for name, change in HONEST.items()}
    idle = {name: dependence(inputs, change(inputs)) for name, change in IDLE.items()}
    assert all(0.2 < value <= 1 + 1e-9 for value in honest.values()), honest
    assert all(0 <= value < (0.2 if count < 32 else 0.1) for value in idle.values()), idle
    assert idle["tiny noise"] < 0.02 and idle["ghost"] < 0.05, idle
    assert honest["identity"] == honest["inversion"] == pytest.approx(1)
    assert idle["constant"] == idle["grey card"] == 0


def test_dependence_of_house_fronts() -> None:
    labels, houses = fronts(16)
    assert dependence(labels, houses) > 0.5 and dependence(houses, labels) > 0.5
    assert dependence(labels, houses.roll(1, 0)) < 0.2


def test_dependence_by_loops() -> None:
    # Vectors have no detail: the bias-corrected distance correlation alone.
    inputs, outputs = uniform(6, 3).double(), uniform(6, 2, seed=1).double() * 0.2
    n = 6

    def centred(values: Tensor) -> np.ndarray:
        d = np.array([[np.linalg.norm(a - b) for b in values.numpy()] for a in values.numpy()])
        u = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                if i != j:
                    u[i, j] = d[i, j] - d[i].sum() / (n - 2) - d[:, j].sum() / (n - 2) + d.sum() / ((n - 1) * (n - 2))
        return u

    def mean_distance(values: Tensor) -> float:
        return float(np.mean([(values[i] - values[j]).square().mean().sqrt() for i in range(n) for j in range(i)]))

    outputs = outputs + 0.2 * inputs[:, :2]
    u, v = centred(inputs), centred(outputs)
    expected = (u * v).sum() / np.sqrt((u**2).sum() * (v**2).sum())
    ratio = mean_distance(outputs) / mean_distance(inputs)
    assert ratio < 0.5 and expected > 0
    assert dependence(inputs, outputs) == pytest.approx(ratio / 0.5 * expected)


def test_dependence_refuses_what_says_nothing() -> None:
    batch = uniform(5, 3, 8, 8)
    for wrong in ((batch[:3], batch[:3]), (batch, batch[:4]), (batch, batch[:, 0, 0, 0])):
        with pytest.raises(ValueError, match="at least 4"):
            dependence(*wrong)
    with pytest.raises(ValueError, match="all the same"):
        dependence(batch[:1].expand_as(batch), batch)
    with pytest.raises(ValueError, match="not finite"):
        dependence(batch, batch / 0)


def test_luminance_correlation_by_hand() -> None:
    inputs = torch.tensor([0.0, 0.0, 1.0, 1.0]).view(1, 1, 2, 2)
    outputs = torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 1, 2, 2)
    assert luminance_correlation(inputs, outputs) == pytest.approx(1 / 3**0.5)
    # Red weighs 0.299, blue 0.114: a picture that turns from red to blue gets darker.
    colours = torch.zeros(1, 3, 1, 2)
    colours[0, 0, 0, 0] = colours[0, 2, 0, 1] = 1
    assert luminance_correlation(colours, torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)) == pytest.approx(1)
    # One to four channels that say nothing of light are averaged; a flat picture counts 0.
    four = torch.cat([inputs, -inputs, -inputs, -inputs], dim=1)
    assert luminance_correlation(inputs, four) == pytest.approx(-1)
    pair = torch.cat([inputs, torch.ones_like(inputs)])
    assert luminance_correlation(pair, torch.cat([inputs, inputs])) == pytest.approx(0.5)


def test_luminance_correlation_of_scenes() -> None:
    inputs = scenes(8)
    assert luminance_correlation(inputs, -inputs) == pytest.approx(-1)
    assert luminance_correlation(inputs, 0.2 * inputs - 0.5) == pytest.approx(1)
    assert luminance_correlation(inputs, F.avg_pool2d(inputs, 2)) == pytest.approx(1)
    assert luminance_correlation(F.avg_pool2d(inputs, 4), inputs.mean(dim=1, keepdim=True)) > 0.85
    assert luminance_correlation(inputs, inputs[:, :, 1:, 3:]) > -1
    assert abs(luminance_correlation(inputs, uniform(*inputs.shape))) < 0.05
    assert luminance_correlation(inputs, torch.full_like(inputs, 0.3)) == 0
    for wrong in (inputs[:2], inputs[0], inputs[:0]):
        with pytest.raises(ValueError, match="as many"):
            luminance_correlation(inputs, wrong)
    with pytest.raises(ValueError, match="not finite"):
        luminance_correlation(inputs, inputs / 0)


def pattern(kind: str, height: int, width: int) -> Tensor:
    """Values of 1 and -1 of period 2: columns, rows or a checkerboard."""
    rows, columns = (-1.0) ** torch.arange(height)[:, None], (-1.0) ** torch.arange(width)[None, :]
    return {"columns": columns.expand(height, width), "rows": rows.expand(height, width), "both": rows * columns}[kind]


PICTURES: dict[str, Callable[[], Tensor]] = {
    "scenes": lambda: scenes(24, size=64),
    "odd scenes": lambda: scenes(24, size=64)[:, :, :49, :63],
    "house fronts": lambda: fronts(24)[1],
}


@pytest.mark.parametrize("name", PICTURES)
def test_checkerboards_stand_out_from_pictures(name: str) -> None:
    batch = PICTURES[name]()
    plain = checkerboard_energy(batch)
    assert plain.shape == (24,) and 1 <= float(plain.median()) < 2.5
    assert float(checkerboard_energy(blurred(batch)).median()) < 1.5

    def of(kind: str, steps: int) -> float:
        """Median over that of plain pictures, with a pattern of so many of 255 steps."""
        marked = batch + steps / 127.5 * pattern(kind, *batch.shape[2:])
        return float(checkerboard_energy(marked).median() / plain.median())

    assert of("both", 3) > 15 and of("both", 12) > 100
    # House fronts are made of upright and level edges: among them stripes are seen when they are stronger.
    seen = 12 if name == "house fronts" else 3
    assert of("columns", seen) > 3 and of("rows", seen) > 3


def test_nearest_neighbours_and_transposed_convolutions_stand_out() -> None:
    batch = scenes(24, size=64)
    half = F.avg_pool2d(batch, 2)
    assert float(checkerboard_energy(F.interpolate(half, scale_factor=2, mode="nearest")).min()) > 100
    assert 1.5 < float(checkerboard_energy(F.interpolate(half, scale_factor=2, mode="bilinear")).median()) < 4
    # A kernel of 3 at a stride of 2 overlaps itself at every other pixel: the example of Odena et al.
    uneven = F.conv_transpose2d(half.flatten(0, 1)[:, None], torch.full((1, 1, 3, 3), 1 / 2.25), stride=2, padding=1)
    uneven = uneven.unflatten(0, half.shape[:2])[:, :, 0]
    assert float(checkerboard_energy(uneven).median()) > 15
    # Kernels that the stride divides need not leave a pattern: this one enlarges bilinearly.
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    even = F.conv_transpose2d(half.flatten(0, 1)[:, None], (taps[:, None] * taps)[None, None], stride=2, padding=1)
    assert float(checkerboard_energy(even.unflatten(0, half.shape[:2])[:, :, 0]).median()) < 5


def test_checkerboard_energy_of_noise_and_nothing() -> None:
    for size in ((8, 8), (8, 40), (16, 16), (32, 64), (65, 33)):
        found = checkerboard_energy(uniform(64, 3, *size))
        assert found.dtype == torch.float64 and 1 <= float(found.median()) < 1.3 and float(found.max()) < 6
    assert checkerboard_energy(torch.zeros(2, 1, 16, 16)).tolist() == [1, 1]
    # A pattern alone, by hand: power n^2 a^2 w^2 of three bins each way against the floor, at one of three frequencies.
    amplitude = 0.1
    found = float(checkerboard_energy(amplitude * pattern("both", 64, 64)[None, None]))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    spectrum = np.abs(np.fft.fft(window)[[63, 0, 1]]) ** 2
    peak = amplitude**2 * (spectrum @ [1 / 6, 4 / 6, 1 / 6] / (window**2).sum()) ** 2
    floor = (1 / 127.5) ** 2 / 12
    assert found == pytest.approx(((peak + floor) / floor + 2) / 3, rel=1e-6)
    alone = checkerboard_energy(uniform(3, 1, 20, 20))
    assert torch.allclose(alone[1:2], checkerboard_energy(uniform(3, 1, 20, 20)[1:2]))
    for wrong in (uniform(1, 3, 8, 7), uniform(3, 16, 16), uniform(1, 0, 16, 16)):
        with pytest.raises(ValueError, match="at least 8"):
            checkerboard_energy(wrong)
    with pytest.raises(ValueError, match="not finite"):
        checkerboard_energy(uniform(1, 1, 16, 16) / 0)
