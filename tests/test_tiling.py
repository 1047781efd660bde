"""Tile by tile gives what the untiled network gives, at every pixel, whatever network, size, depth and memory."""

import errno
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate import images, networks
from translate.errors import ConfigError, DiskFullError, NotFiniteError, TranslateError
from translate.networks.blocks import mirror_pad, per_image_statistics, translate_any_size
from translate.tiling import bytes_per_pixel, engine, translate_tiled
from translate.tiling.planes import InFile

# What rounding makes of another order of summing; 1/255 of the range would be 8e-3.
CLOSE = 2e-5

NETWORKS: dict[str, tuple[str, bool, dict[str, Any]]] = {
    "unet running": ("unet", False, {"depth": 5, "width": 4}),
    "unet image": ("unet", True, {"depth": 4, "width": 4}),
    "unet resize": ("unet", False, {"depth": 4, "width": 4, "norm": "instance", "upsampling": "resize"}),
    "resnet": ("resnet", False, {"width": 4, "blocks": 3, "norm": "instance", "padding": "reflect"}),
    "resnet replicate": (
        "resnet",
        False,
        {"width": 4, "blocks": 2, "norm": "batch", "padding": "replicate", "upsampling": "resize"},
    ),
    "resnet zeros": (
        "resnet",
        True,
        {"width": 4, "blocks": 2, "norm": "batch", "padding": "zeros", "downsamplings": 3},
    ),
    "resnet affine": ("resnet", False, {"width": 4, "blocks": 2, "norm": "instance_affine", "upsampling": "resize"}),
    "colour_unet": ("colour_unet", False, {"depth": 3, "width": 4, "attention": False}),
    "adain": ("adain", False, {"stages": [[4, 4], [6, 6], [8]]}),
    "adain of some strength": ("adain", False, {"stages": [[4], [6]], "pooling": "average", "strength": 0.6}),
    "separable_resnet": ("separable_resnet", False, {"width": 4, "blocks": 2}),
    "resnet flat": ("resnet", False, {"width": 16, "blocks": 4, "downsamplings": 0, "norm": "none"}),
}


def randomised(network: nn.Module) -> nn.Module:
    """Weights and statistics that keep the signal large in each layer, so that no error hides."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            transposed = isinstance(layer, nn.ConvTranspose2d)
            seen = layer.weight[:, 0].numel() / 4 if transposed else layer.weight[0].numel()
            layer.weight.data.normal_(0, (2 / seen) ** 0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.data.normal_(0, 0.3, generator=generator)
        elif isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d) and layer.affine:
            layer.weight.data.uniform_(0.5, 1.5, generator=generator)
            layer.bias.data.normal_(0, 0.3, generator=generator)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.3, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def made(which: str) -> nn.Module:
    name, image_wise, arguments = NETWORKS[which]
    network = randomised(networks.build(name, {"in_channels": 3, "out_channels": 2, **arguments}))
    return per_image_statistics(network) if image_wise else network


def picture(height: int, width: int) -> np.ndarray:
    """Float noise over a slope, so that the corners of the picture have statistics of their own."""
    noise = np.random.default_rng(0).random((height, width, 3), dtype=np.float32) - 0.5
    slope = np.linspace(-0.5, 0.5, height)[:, None, None] * np.linspace(-1, 1, width)[None, :, None]
    return (noise + slope).astype(np.float32)


@torch.no_grad()
def untiled(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    return translate_any_size(network, images.to_tensor(pixels)[None])[0].permute(1, 2, 0).numpy()


def naive(network: nn.Module, pixels: np.ndarray, side: int) -> np.ndarray:
    """Each tile as a picture of its own."""
    rows = [
        np.concatenate(
            [
                untiled(network, pixels[top : top + side, left : left + side])
                for left in range(0, pixels.shape[1], side)
            ],
            axis=1,
        )
        for top in range(0, pixels.shape[0], side)
    ]
    return np.concatenate(rows)


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The boxes that were computed, in order."""
    seen: list[Any] = []
    compute = engine.Engine._compute

    def spy(self: engine.Engine, job: Any, box: Any) -> Tensor:
        seen.append((job, box))
        return compute(self, job, box)

    monkeypatch.setattr(engine.Engine, "_compute", spy)
    return seen


@pytest.mark.parametrize("memory", [2**30, 0], ids=["memory", "file"])
@pytest.mark.parametrize(("height", "width"), [(151, 203), (64, 256), (7, 5)])
@pytest.mark.parametrize("which", NETWORKS)
def test_tiles_give_what_the_whole_gives(which: str, height: int, width: int, memory: int, tiles: list[Any]):
    network, pixels = made(which), picture(height, width)
    whole = untiled(network, pixels)
    result = translate_tiled(network, pixels, tile=32, memory=memory)
    assert result.shape == whole.shape and result.dtype == np.float32
    assert whole.std() > 0.05
    assert np.abs(result - whole).max() < CLOSE
    last = tiles[-1][0]
    assert sum(job is last for job, _ in tiles) >= (height // 32) * (width // 32)


@pytest.mark.parametrize("which", NETWORKS)
def test_tiles_as_pictures_of_their_own_would_be_wrong(which: str):
    """What the test above would not forgive."""
    network, pixels = made(which), picture(151, 203)
    assert np.abs(naive(network, pixels, 64) - untiled(network, pixels)).max() > 0.3


# An adain is of one design, which stands among NETWORKS.
@pytest.mark.parametrize("norm", ["batch", "instance", "instance_affine", "none"])
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("name", [name for name in networks.GENERATORS if name != "adain"])
def test_every_generator_can_be_tiled(name: str, upsampling: str, norm: str):
    # Without norms of its own a long chain of residual blocks magnifies rounding.
    # Attention asks every pixel at once, which no tile can: `test_what_cannot_be_tiled_is_named`.
    shapes = {"colour_unet": {"attention": False, "depth": 3}}
    shapes |= {key: {"blocks": 2} for key in ("resnet", "separable_resnet")}
    arguments = {"in_channels": 1, "out_channels": 3, "width": 3, "norm": norm, "upsampling": upsampling}
    network = randomised(networks.build(name, arguments | shapes.get(name, {})))
    pixels = picture(70, 45)[..., :1]
    result = translate_tiled(network, pixels, tile=16)
    assert np.abs(result - untiled(network, pixels)).max() < CLOSE


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_depths_come_back_as_they_went_in(dtype: type):
    network = made("unet image")
    pixels = images.to_depth(picture(75, 90), dtype)
    result = translate_tiled(network, pixels, tile=32)
    expected = images.to_array(torch.from_numpy(untiled(network, pixels)).permute(2, 0, 1), dtype)
    assert result.dtype == dtype
    assert np.abs(result.astype(int) - expected.astype(int)).max() <= (1 if dtype == np.uint8 else 2)


def test_floats_beyond_the_range_are_not_clipped():
    class Brighter(nn.Module):
        multiple = minimum = 1

        def forward(self, values: Tensor) -> Tensor:
            return values + 0.5

    pixels = picture(5, 6) * 2
    assert np.array_equal(translate_tiled(Brighter(), pixels, tile=4), pixels + np.float32(0.5))


@pytest.mark.parametrize("tile", [1, 5, 63])
def test_tiles_may_be_as_small_as_a_pixel(tile: int):
    network, pixels = made("resnet"), picture(9, 14)
    assert np.abs(translate_tiled(network, pixels, tile=tile) - untiled(network, pixels)).max() < CLOSE


@pytest.mark.parametrize("tile", [0, -64])
def test_tiles_of_nothing_are_refused(tile: int):
    with pytest.raises(ConfigError, match=f"tile is {tile}"):
        translate_tiled(made("resnet"), picture(9, 14), tile=tile)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_values_that_are_not_finite_are_an_error(dtype: type, value: float):
    class Broken(nn.Module):
        multiple = minimum = 1

        def forward(self, values: Tensor) -> Tensor:
            return values + value

    with pytest.raises(NotFiniteError, match="not finite"):
        translate_tiled(Broken(), np.zeros((5, 6, 3), dtype), tile=4)


def test_bfloat16_is_close():
    network, pixels = made("resnet"), picture(80, 70)
    result = translate_tiled(network, pixels, tile=32, dtype=torch.bfloat16)
    difference = np.abs(result - untiled(network, pixels))
    assert 0 < difference.mean() < 0.02
    assert difference.max() < 0.3


@pytest.mark.parametrize("which", NETWORKS)
def test_file_and_memory_give_the_same_bits(which: str, monkeypatch: pytest.MonkeyPatch):
    network, pixels = made(which), picture(110, 90)
    in_memory = translate_tiled(network, pixels, tile=32)
    monkeypatch.setattr(engine, "InMemory", InFile)
    assert np.array_equal(translate_tiled(network, pixels, tile=32), in_memory)


@pytest.mark.parametrize("thin", [(1, 4000), (4000, 1), (63, 4000)])
def test_tiles_of_a_thin_picture_are_no_larger(thin: tuple[int, int], tiles: list[Any]):
    """It is mirrored to a plane many times as large, in which tiles are to be as long as elsewhere."""
    network = randomised(networks.build("unet", {"in_channels": 3, "out_channels": 2, "width": 4}))
    longest = {}
    for size in ((256, 4096), thin):
        tiles.clear()
        result = translate_tiled(network, picture(*size), tile=128)
        longest[size] = max(stop - start for _, box in tiles for start, stop in box)
    assert np.abs(result - untiled(network, picture(*thin))).max() < CLOSE
    assert longest[thin] <= longest[256, 4096] < 1024


def test_planes_are_let_go_once_nothing_reads_them(monkeypatch: pytest.MonkeyPatch):
    """Of a chain of residual blocks no more than three planes live at once, and in the end none."""
    live, most = [], [0]
    opened, closed = InFile.__init__, InFile.close

    def open_(self: InFile, shape: tuple[int, int, int]) -> None:
        opened(self, shape)
        live.append(self)
        most[0] = max(most[0], sum(plane.channels * plane.height * plane.width for plane in live))

    def close(self: InFile) -> None:
        closed(self)
        live.remove(self)

    monkeypatch.setattr(InFile, "__init__", open_)
    monkeypatch.setattr(InFile, "close", close)
    network = randomised(networks.build("resnet", {"in_channels": 3, "out_channels": 3, "width": 64, "blocks": 5}))
    translate_tiled(network, picture(32, 32), memory=0)
    assert not live and most[0] == 3 * 256 * 8 * 8
    failing(monkeypatch, lambda call, _: call == 9, RuntimeError("sizes do not fit"))
    with pytest.raises(RuntimeError, match="sizes do not fit"):
        translate_tiled(network, picture(32, 32), memory=0)
    assert not live


def failing(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[int, Tensor], bool], error: BaseException
) -> list[Tensor]:
    """Let F.conv2d raise where `fails`, of the number of the call and its input, says so."""
    convolve, calls = F.conv2d, []

    def conv2d(values: Tensor, *arguments: Any) -> Tensor:
        calls.append(values.shape)
        if fails(len(calls), values):
            raise error
        return convolve(values, *arguments)

    monkeypatch.setattr(F, "conv2d", conv2d)
    return calls


ERRORS = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("number", [1, 4, 13, 21, 30])
def test_out_of_memory_once_halves_the_tile(number: int, error: BaseException, monkeypatch: pytest.MonkeyPatch):
    network, pixels = made("resnet"), picture(151, 203)
    whole = untiled(network, pixels)
    failing(monkeypatch, lambda call, _: call == number, error)
    assert np.abs(translate_tiled(network, pixels, tile=256, memory=0) - whole).max() < CLOSE


class Residual(nn.Module):
    """Sums that are measured: where a sum takes the place of what it sums up, nothing may be computed twice."""

    multiple = minimum = 2

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 2, stride=2)
        self.norms = nn.ModuleList(nn.InstanceNorm2d(4) for _ in range(3))
        self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))
        self.head = nn.ConvTranspose2d(4, 3, 2, stride=2)

    def forward(self, values: Tensor) -> Tensor:
        values = self.stem(values)
        for norm, conv in zip(self.norms, self.convs, strict=True):
            values = values + conv(F.relu(norm(values)))
        return torch.tanh(self.head(values))


@pytest.mark.parametrize("memory", [2**30, 0])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_out_of_memory_while_measuring(number: int, memory: int, monkeypatch: pytest.MonkeyPatch):
    network, pixels = randomised(Residual()), picture(140, 150)
    whole = untiled(network, pixels)
    measure, calls = torch.batch_norm_update_stats, []

    def measured(*arguments: Any) -> Any:
        calls.append(number)
        if len(calls) == number:
            raise MemoryError
        return measure(*arguments)

    monkeypatch.setattr(torch, "batch_norm_update_stats", measured)
    assert np.abs(translate_tiled(network, pixels, tile=128, memory=memory) - whole).max() < CLOSE
    assert len(calls) > number


@pytest.mark.parametrize("which", ["unet image", "resnet"])
def test_out_of_memory_above_a_size(which: str, monkeypatch: pytest.MonkeyPatch, tiles: list[Any]):
    network, pixels = made(which), picture(151, 203)
    whole = untiled(network, pixels)
    failing(monkeypatch, lambda _, values: values.numel() > 90_000, MemoryError())
    done: list[tuple[int, int]] = []
    result = translate_tiled(network, pixels, tile=256, progress=lambda *numbers: done.append(numbers))
    assert np.abs(result - whole).max() < CLOSE
    last = tiles[-1][0]
    assert sum(job is last for job, _ in tiles) >= 4
    assert done == sorted(done) and done[-1][0] == done[-1][1]


def test_out_of_memory_for_good_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    calls = failing(monkeypatch, lambda *_: True, MemoryError())
    with pytest.raises(TranslateError, match="even for tiles of 64 pixels .*a smaller picture"):
        translate_tiled(made("resnet"), picture(151, 203), tile=512)
    assert len(calls) <= 5


def test_other_errors_are_raised_as_they_are(monkeypatch: pytest.MonkeyPatch):
    calls = failing(monkeypatch, lambda *_: True, RuntimeError("sizes do not fit"))
    with pytest.raises(RuntimeError, match="sizes do not fit"):
        translate_tiled(made("resnet"), picture(151, 203))
    assert len(calls) == 1


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFullError, match="TMPDIR"):
        translate_tiled(made("resnet"), picture(40, 40), memory=0)


class Custom(nn.Module):
    """A network of operations that no generator of ours has."""

    multiple = minimum = 8

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((6, 1, 1), 0.7))
        self.stem = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, 6, 7, dilation=1), nn.GroupNorm(2, 6), nn.ReLU(True)
        )
        self.same = nn.Conv2d(6, 6, 3, padding="same", dilation=2, groups=3, padding_mode="replicate")
        self.down = nn.Sequential(nn.Conv2d(6, 8, 5, stride=2, padding=2), nn.InstanceNorm2d(8, affine=True), nn.SiLU())
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(8, 8, 3), nn.LeakyReLU(0.2, inplace=True))
        self.back = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(8, 24, 3, padding=1))
        self.shuffle = nn.PixelShuffle(2)
        self.grown = nn.ConvTranspose2d(12, 3, 1, stride=2, output_padding=1)
        self.mean = nn.AvgPool2d(2)
        self.bend = nn.LeakyReLU(0.3, inplace=True)

    def forward(self, values: Tensor) -> Tensor:
        wide = self.stem(values) * self.scale
        wide += self.same(wide)
        down = self.down(wide)
        small = self.pool(down)
        deep = self.deep(small) + small
        raw = self.back(deep)
        self.bend(raw)
        back = self.shuffle(raw)
        mixed = F.pad(mirror_pad(torch.cat([back, 0.5 * wide], dim=1), (9, 4, 2, 5)), (-9, -4, -2, -5))
        return torch.tanh(self.mean(self.grown(F.gelu(mixed))).clamp(-2, 2))


@pytest.mark.parametrize("memory", [2**30, 0])
def test_networks_of_other_usual_operations(memory: int):
    network, pixels = randomised(Custom()), picture(90, 71)
    assert np.abs(translate_tiled(network, pixels, tile=16, memory=memory) - untiled(network, pixels)).max() < CLOSE


def test_what_cannot_be_tiled_is_named():
    class Sorting(nn.Module):
        multiple = minimum = 1

        def forward(self, values: Tensor) -> Tensor:
            return values.sort(dim=1).values

    class Pooling(Sorting):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.AdaptiveAvgPool2d(1)

        def forward(self, values: Tensor) -> Tensor:
            return values * self.layer(values)

    class Deciding(Sorting):
        def forward(self, values: Tensor) -> Tensor:
            return values if values.mean() > 0 else -values

    for kind, named in ((Sorting, "sort"), (Pooling, "AdaptiveAvgPool2d"), (Deciding, "Deciding")):
        with pytest.raises(ConfigError, match=f"{named}.*--tile off"):
            translate_tiled(kind(), picture(8, 8))
    asking = networks.build("colour_unet", {"in_channels": 3, "out_channels": 2, "width": 2, "depth": 4})
    with pytest.raises(ConfigError, match="--tile off"):
        translate_tiled(asking, picture(8, 8))


def test_the_network_stays_as_it_is():
    network = networks.build("unet", {"in_channels": 3, "out_channels": 3, "width": 2, "depth": 3, "dropout": 0.5})
    before = {key: value.clone() for key, value in network.state_dict().items()}
    one, other = (translate_tiled(network, picture(40, 40), tile=16) for _ in range(2))
    assert network.training and np.array_equal(one, other)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_bytes_per_pixel_of_the_published_networks():
    """By hand: in the last doubling of a ResNet 32 floats come in, 64 are made, and 64 are those normalised."""
    resnet = networks.build("resnet", {"in_channels": 3, "out_channels": 3, "blocks": 1})
    assert bytes_per_pixel(resnet) == pytest.approx(4 * (3 + 32 + 64 + 64), rel=0.02)
    unet = networks.build("unet", {"in_channels": 3, "out_channels": 3, "width": 64})
    assert 4 * (3 + 16 + 32) < bytes_per_pixel(unet) < 4 * (3 + 32 + 48)
