"""Data sets that live on the device: the loader's batches to the bit, jitter to some steps of 255, reasons why not."""

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from translate import fit, images, rounds
from translate.config import DataSettings
from translate.data import Batch, detect, open_split, read_labels, stream
from translate.data.augment import Augment, Colours, Variant
from translate.data.dataset import ImageDataset
from translate.data.geometry import Geometry
from translate.data.jitter import jittered
from translate.data.resident import refuse_what_cannot_be, resident_stream, why_not_resident
from translate.errors import ConfigError, DataError
from translate.images import Picture

CPU = torch.device("cpu")
COUNT = {"A": 7, "B": 5}
MOVES = {"vertical_flip": True, "turn": True}


def write(root: Path, *, sides=(40, 46), channels=(3, 3), dtype=np.uint8, equal: bool = False) -> Path:
    for domain, count in zip("AB", channels, strict=True):
        (root / domain).mkdir(parents=True)
        for index in range(COUNT["A" if equal else domain]):
            draws = np.random.default_rng([index, ord(domain)])
            pixels = draws.integers(0, np.iinfo(dtype).max + 1, (*sides, count), dtype)
            images.write(root / domain / f"{index:02}.png", Picture(pixels))
    return root


def dataset(root: Path, kind: str, **settings) -> ImageDataset:
    checked = DataSettings.checked({"size": 32, "preprocess": "crop"} | settings)
    layout = detect(root, kind)
    made = open_split(layout, "train", kind, checked, seed=5)
    made.prepare()
    return made


def both(source: ImageDataset, count: int = 9, **options) -> tuple[list[Batch], list[Batch]]:
    options = {"batch_size": 3, "seed": 5, "start": 0, "rank": 0, "world": 1} | options
    assert why_not_resident(source, CPU) == ""
    loaded, held = stream(source, workers=0, **options), resident_stream(source, device=CPU, **options)
    return list(islice(loaded, count)), list(islice(held, count))


def assert_equal(loaded: list[Batch], held: list[Batch]) -> None:
    for one, two in zip(loaded, held, strict=True):
        assert one.files == two.files
        for first, second in ((one.a, two.a), (one.b, two.b), (one.labels, two.labels)):
            assert (first is None) == (second is None)
            if first is not None and second is not None:
                assert first.dtype == second.dtype and second.is_contiguous()
                assert torch.equal(first, second)


@pytest.mark.parametrize("kind", ["paired", "unpaired", "single"])
@pytest.mark.parametrize("moves", [{}, MOVES, {"flip": False}], ids=["mirror", "all", "crop"])
def test_batches_are_the_loaders_to_the_bit(tmp_path: Path, kind: str, moves: dict):
    root = write(tmp_path, equal=kind == "paired")
    assert_equal(*both(dataset(root / "A" if kind == "single" else root, kind, **moves)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_domains_of_different_channels_and_depths(tmp_path: Path, dtype):
    root = write(tmp_path, channels=(1, 3), dtype=dtype, equal=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 46, 3), np.uint8)
    images.write(root / "B" / "03.png", Picture(pixels))  # the only one of 8 bits, or one like all
    for kind in ("paired", "unpaired"):
        assert_equal(*both(dataset(root, kind, **MOVES)))


def test_resized_and_grey_ones_among_colours(tmp_path: Path):
    root = write(tmp_path, equal=True)
    images.write(root / "A" / "02.png", Picture(np.full((40, 46, 1), 77, np.uint8)))
    assert_equal(*both(dataset(root, "paired", preprocess="resize_and_crop")))


def test_images_of_different_sizes(tmp_path: Path):
    root = write(tmp_path)
    images.write(root / "A" / "02.png", Picture(np.random.default_rng(1).integers(0, 256, (60, 33, 3), np.uint8)))
    assert_equal(*both(dataset(root, "unpaired", **MOVES)))
    assert_equal(*both(dataset(root, "unpaired", preprocess="none", **MOVES), batch_size=1))


def test_it_starts_anywhere_and_processes_share(tmp_path: Path):
    source = dataset(write(tmp_path), "unpaired")
    assert_equal(*both(source, start=4))
    assert_equal(*both(source, batch_size=4, rank=1, world=2))
    with pytest.raises(ConfigError, match="--batch-size 3 .*2 processes"):
        resident_stream(source, batch_size=3, seed=0, world=2, device=CPU)
    with pytest.raises(DataError, match="--batch-size 12"):
        resident_stream(source, batch_size=12, seed=0, device=CPU)


def test_classes_come_along(tmp_path: Path):
    for name in ("cat", "dog"):
        write(tmp_path / name)
    layout = detect(tmp_path, "single")
    checked = DataSettings.checked({"size": 32, "preprocess": "crop"})
    source = open_split(layout, "train", "single", checked, 5, labels=read_labels(layout))
    source.prepare()
    loaded, held = both(source)
    assert_equal(loaded, held)
    assert held[0].labels is not None and held[0].labels.dtype == torch.int64


# Jitter


def smooth(channels: int, seed: int = 0) -> np.ndarray:
    """A picture of all hues and light from black to white, without the noise that hides a wrong mean."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, channels), np.uint8)
    return images.resize(small, 64, 64)


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_agrees_with_that_of_the_host(channels: int):
    """The same draws, given to both: one operation at a time to one step of 255, the four together to two mostly."""
    settings = DataSettings.checked({"size": 64, "jitter": 0.5})
    augment = Augment(settings)
    picture = smooth(channels)
    stay = Geometry(0, 0, 64, 64)
    identity = (1.0, 1.0, 1.0, 0.0)
    drawn = [Colours(*identity[:at], value, *identity[at + 1 :], order=(2, 0, 3, 1)) for at, value in SINGLE]
    rng = np.random.default_rng(3)
    drawn += [colours for _ in range(40) if (colours := augment.draw(rng, (64, 64), "a").colours)]
    batch = torch.from_numpy(picture).permute(2, 0, 1).float().repeat(len(drawn), 1, 1, 1)
    made = jittered(batch, drawn).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(made, np.rint(made)) and made.min() >= 0 and made.max() <= 255
    for index, one in enumerate(drawn):
        wanted = augment.apply(Variant(stay, one), picture, "a").astype(np.float32)
        apart = np.abs(made[index] - wanted)
        if index < len(SINGLE):
            assert apart.max() <= 1
        assert (apart <= 2).mean() > 0.99 and apart.mean() < 0.1
    assert torch.equal(jittered(batch[5:6], drawn[5:6]), torch.from_numpy(made[5:6]).permute(0, 3, 1, 2))


SINGLE = [(0, 0.6), (0, 1.5), (1, 0.5), (1, 1.4), (2, 0.2), (2, 1.5), (3, 0.11), (3, -0.08)]


@pytest.mark.parametrize("on", ["a", "b", "both"])
@pytest.mark.parametrize("kind", ["paired", "unpaired"])
def test_jitter_draws_and_domains_are_the_loaders(tmp_path: Path, kind: str, on: str):
    root = tmp_path
    for domain in "AB":
        (root / domain).mkdir()
        for index in range(4):
            images.write(root / domain / f"{index}.png", Picture(smooth(3, index + ord(domain))))
    loaded, held = both(dataset(root, kind, jitter=0.4, jitter_on=on, turn=True), 6)
    plain, _ = both(dataset(root, kind, turn=True), 6)
    for one, two, still in zip(loaded, held, plain, strict=True):
        assert one.files == two.files
        for domain, first, second, unchanged in (("a", one.a, two.a, still.a), ("b", one.b, two.b, still.b)):
            assert first is not None and second is not None and unchanged is not None
            apart = (first - second).abs() * 127.5
            assert (apart < 2.5).float().mean() > 0.99
            if on not in (domain, "both"):
                assert torch.equal(first, second)
            changed = (first != unchanged).any()
            assert bool(changed) or on not in (domain, "both") or kind == "unpaired"


# Whether it can be


def test_reasons_why_not(tmp_path: Path):
    root = write(tmp_path)
    small = dataset(root, "unpaired", cache=0)
    assert "00.png" in why_not_resident(small, CPU) and "setting cache" in why_not_resident(small, CPU)
    five = dataset(write(tmp_path / "five", channels=(1, 3), dtype=np.uint16), "unpaired", jitter=0.3)
    assert "jitter" in why_not_resident(five, CPU) and "16 bits" in why_not_resident(five, CPU)
    (tmp_path / "floats").mkdir()
    for index in range(3):
        np.save(tmp_path / "floats" / f"{index}.npy", np.zeros((40, 40, 5), np.float32))
    assert "float32" in why_not_resident(dataset(tmp_path / "floats", "single"), CPU)


def test_what_cannot_be_is_refused_before_anything_is_written(pairs: Path, tmp_path: Path):
    """4 + 4 images of 16 x 16 pixels take 6 KiB, which one MiB holds."""
    with pytest.raises(ConfigError, match=r"resident=True: .*setting cache is too small.* --set cache=1 holds them"):
        fit(pairs, mode="pix2pix", out=tmp_path / "runs", quiet=True, resident=True, cache=0, steps=1, size=16)
    assert not (tmp_path / "runs").exists()


def test_the_cache_that_would_do_does(tmp_path: Path):
    """Seven and seven of 300 x 300 x 3 bytes are 3.6 MiB."""
    root = write(tmp_path, sides=(300, 300), equal=True)
    with pytest.raises(ConfigError, match="cache=4 holds them"):
        refuse_what_cannot_be(dataset(root, "unpaired", cache=3), CPU)
    refuse_what_cannot_be(dataset(root, "unpaired", cache=4), CPU)


def test_the_setting_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = dataset(write(tmp_path), "unpaired")
    made: list[str] = []
    training = SimpleNamespace(accumulate=2, seed=0)
    monkeypatch.setattr(rounds.resident, "resident_stream", lambda *_, **__: made.append("resident"))
    monkeypatch.setattr(rounds, "stream", lambda *_, **__: made.append("loader"))

    def ask(source: ImageDataset, resident: bool | None) -> None:
        chosen = SimpleNamespace(data=DataSettings(resident=resident, batch_size=4), training=training)
        rounds.training_stream(source, chosen, SimpleNamespace(device=CPU, step=3))

    for resident in (None, True, False):
        ask(source, resident)
    assert made == ["loader", "resident", "loader"]
    with pytest.raises(ConfigError, match="resident=True.*cache"):
        ask(dataset(tmp_path, "unpaired", cache=0), True)
