"""The three data sets: preparing, refusing, caching, items and validation items."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translate import images
from translate.config import DataSettings
from translate.data import detect, open_split
from translate.data.dataset import ImageDataset
from translate.errors import ConfigError, DataError, ImageError
from translate.images import Picture


def noise(seed: int, height: int = 40, width: int = 40, channels: int = 3, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype)


def two_folders(root: Path, count_a: int = 5, count_b: int = 5, suffix: str = ".png", **options) -> Path:
    for domain, count in (("A", count_a), ("B", count_b)):
        (root / domain).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            images.write(root / domain / f"{index}{suffix}", Picture(noise(index + 100 * (domain == "B"), **options)))
    return root


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def opened(root: Path, kind: str, **settings) -> ImageDataset:
    checked = DataSettings.checked({"size": 32, "preprocess": "crop"} | settings)
    return open_split(detect(root, kind), "train", kind, checked, seed=3)


def prepared(root: Path, kind: str, **settings) -> ImageDataset:
    dataset = opened(root, kind, **settings)
    assert dataset.prepare() == []
    return dataset


def same(one, two) -> bool:
    return one.file == two.file and np.array_equal(one.a, two.a) and np.array_equal(one.b, two.b)


@pytest.mark.parametrize("kind", ["paired", "unpaired"])
@pytest.mark.parametrize("preprocess", ["resize_and_crop", "crop", "scale_width", "scale_shortest", "none"])
def test_items_do_not_depend_on_cache_or_order(tmp_path: Path, kind: str, preprocess: str):
    two_folders(tmp_path)
    cached = prepared(tmp_path, kind, preprocess=preprocess, size=32)
    decoded = prepared(tmp_path, kind, preprocess=preprocess, size=32, cache=0)
    assert cached.cache.used > 0 and decoded.cache.used == 0
    keys = [(epoch, position) for epoch in (0, 1) for position in range(5)]
    items = {key: cached[key] for key in keys}
    for key in reversed(keys):
        assert same(items[key], decoded[key])
    assert not all(np.array_equal(items[0, index].a, items[1, index].a) for index in range(5))
    side = (40, 40) if preprocess == "none" else (32, 32)
    assert all(item.a.shape == item.b.shape == (*side, 3) for item in items.values())


def test_another_seed_draws_otherwise(tmp_path: Path):
    layout = detect(two_folders(tmp_path), "paired")
    one, two = (
        open_split(layout, "train", "paired", DataSettings(size=16, preprocess="crop"), seed) for seed in (0, 1)
    )
    one.prepare(), two.prepare()
    assert not all(np.array_equal(one[0, index].a, two[0, index].a) for index in range(5))


def test_the_cache_keeps_what_fits_and_changes_nothing(tmp_path: Path):
    two_folders(tmp_path, 6, 6, height=256, width=256)
    whole, part = prepared(tmp_path, "paired"), prepared(tmp_path, "paired", cache=1)
    assert 0 < part.cache.used <= 2**20 < whole.cache.used
    assert (0, 0) in part.cache and (1, 0) in part.cache and (0, 5) not in part.cache
    for index in range(6):
        assert same(whole[0, index], part[0, index])


def test_cached_images_cost_no_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dataset = prepared(two_folders(tmp_path), "paired")
    monkeypatch.setattr(images, "read", None)
    dataset[0, 0]


def test_cached_images_cannot_be_changed(tmp_path: Path):
    dataset = prepared(two_folders(tmp_path), "paired", preprocess="none", flip=False)
    with pytest.raises(ValueError, match="read-only"):
        dataset[0, 0].a[:] = 0


def test_halves_of_one_image(tmp_path: Path):
    (tmp_path / "train").mkdir()
    for index in range(4):
        images.write(tmp_path / "train" / f"{index}.png", Picture(noise(index, width=80)))
    paired = prepared(tmp_path, "paired")
    item = paired.plain(2)
    pixels = noise(2, width=80)
    assert np.array_equal(item.a, pixels[4:36, 4:36]) and np.array_equal(item.b, pixels[4:36, 44:76])
    assert item.file == str(tmp_path / "train" / "2.png")
    unpaired = prepared(tmp_path, "unpaired", flip=False)
    assert same(unpaired.plain(2), item)
    assert any(" + " in unpaired[0, index].file for index in range(4))


def test_unpaired_partners(tmp_path: Path):
    dataset = prepared(two_folders(tmp_path, 7, 3), "unpaired")
    assert len(dataset) == 7
    orders = []
    for epoch in range(4):
        files = [dataset[epoch, position].file.split(" + ") for position in range(7)]
        assert [Path(a).stem for a, _ in files] == list("0123456")
        partners = [Path(b).stem for _, b in files]
        assert set(Counter(partners).values()) <= {2, 3}  # all as often as can be
        orders.append(tuple(partners))
    assert len(set(orders)) > 1
    assert [Path(dataset.plain(index).file.split(" + ")[1]).stem for index in range(7)] == list("0120120")


def test_unpaired_truth(tmp_path: Path):
    two_folders(tmp_path)
    (tmp_path / "A").rename(tmp_path / "trainA")
    (tmp_path / "B").rename(tmp_path / "trainB")
    (tmp_path / "dataset.json").write_text('{"truth": ["train"]}')
    dataset = prepared(tmp_path, "unpaired", flip=False, size=40)
    for index in range(5):
        assert np.array_equal(dataset.plain(index).b, noise(100 + index))


def test_single(tmp_path: Path):
    two_folders(tmp_path)
    dataset = prepared(tmp_path, "single")
    assert len(dataset) == 10 and dataset.channels == (3, None)
    assert dataset[0, 9].b is None and dataset.plain(9).a.shape == (32, 32, 3)
    assert dataset.files(9) == str(tmp_path / "B" / "4.png")


@pytest.mark.parametrize("kind", ["paired", "unpaired", "single"])
def test_unreadable_files_are_named_or_left_out(tmp_path: Path, kind: str):
    two_folders(tmp_path, 50, 50, ".jpg")
    truncate(tmp_path / "A" / "7.jpg")
    (tmp_path / "B" / "9.jpg").write_bytes(b"")
    with pytest.raises(DataError) as error:
        opened(tmp_path, kind).prepare()
    message = str(error.value)
    assert "2 files" in message and "7.jpg" in message and "9.jpg" in message and "--skip-bad" in message
    dataset = opened(tmp_path, kind, skip_bad=True)
    notices = dataset.prepare()
    assert len(notices) == 2 and "7.jpg" in notices[0] and "9.jpg" in notices[1]
    assert len(dataset) == {"paired": 48, "unpaired": 49, "single": 98}[kind]
    left = [dataset.plain(index) for index in range(len(dataset))]
    assert not any(name in item.file for item in left for name in ("A/7.jpg", "B/9.jpg"))
    if kind == "paired":
        assert all(len({Path(part).stem for part in item.file.split(" + ")}) == 1 for item in left)
    uncached = opened(tmp_path, kind, skip_bad=True, cache=0)
    uncached.prepare()
    assert all(np.array_equal(uncached[0, index].a, dataset[0, index].a) for index in range(len(dataset)))


def test_a_domain_without_any_readable_file_is_refused(tmp_path: Path):
    two_folders(tmp_path, 2, 2)
    for path in (tmp_path / "B").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="No file of domain B"):
        opened(tmp_path, "unpaired", skip_bad=True).prepare()


def test_a_file_that_breaks_later_is_named(tmp_path: Path):
    dataset = prepared(two_folders(tmp_path), "paired", cache=0)
    truncate(tmp_path / "B" / "3.png")
    with pytest.raises(ImageError, match=r"3\.png"):
        dataset[0, 3]


def test_grey_among_colour_is_expanded_with_a_notice(tmp_path: Path):
    two_folders(tmp_path)
    images.write(tmp_path / "A" / "2.png", Picture(noise(2, channels=1)))
    dataset = opened(tmp_path, "paired")
    (notice,) = dataset.prepare()
    assert "1 grey image " in notice and "2.png" in notice
    assert dataset.channels == (3, 3) and dataset[0, 2].a.shape == (32, 32, 3)
    assert dataset.plain(2).a.shape == (32, 32, 3)


def test_other_mixtures_of_channels_are_refused(tmp_path: Path):
    two_folders(tmp_path, channels=1)
    images.write(tmp_path / "B" / "2.png", Picture(noise(2)))
    with pytest.raises(DataError, match=r"domain B differ in their channels. Most have 1, but:\n.*2\.png has 3"):
        opened(tmp_path, "paired").prepare()


def test_channels_and_depths_may_differ_between_the_domains(tmp_path: Path):
    (tmp_path / "A").mkdir()
    (tmp_path / "B").mkdir()
    for index in range(3):
        images.write(tmp_path / "A" / f"{index}.npy", Picture(noise(index, channels=5, dtype=np.uint16)))
        images.write(tmp_path / "B" / f"{index}.png", Picture(noise(index, channels=1)))
    for kind in ("paired", "unpaired"):
        dataset = prepared(tmp_path, kind)
        assert dataset.channels == (5, 1)
        item = dataset[0, 0]
        assert item.a.dtype == np.uint16 and item.b.dtype == np.uint8


def test_pairs_of_two_sizes_are_refused(tmp_path: Path):
    two_folders(tmp_path)
    images.write(tmp_path / "B" / "2.png", Picture(noise(2, 41, 40)))
    with pytest.raises(DataError, match=r"1 of 5 are not:\n.*2\.png is 40x40 but .*2\.png is 40x41"):
        opened(tmp_path, "paired").prepare()
    prepared(tmp_path, "unpaired")


@pytest.mark.parametrize(("preprocess", "load"), [("crop", None), ("scale_width", 64)])
def test_images_smaller_than_the_crop_are_refused(tmp_path: Path, preprocess: str, load: int | None):
    two_folders(tmp_path, height=20)
    with pytest.raises(
        DataError, match=r"0\.png is 40x20.*too small for crops of 64 .10 of 10.*--size (20|32) or less"
    ):
        opened(tmp_path, "paired", size=64, preprocess=preprocess, load_size=load).prepare()
    prepared(tmp_path, "paired", size=64, preprocess="resize_and_crop")


def test_whole_images_of_two_sizes_make_no_batch(tmp_path: Path):
    two_folders(tmp_path)
    for domain in "AB":
        images.write(tmp_path / domain / "2.png", Picture(noise(2, 48, 40)))
    prepared(tmp_path, "paired", preprocess="none")
    with pytest.raises(DataError, match=r"40x40 but .*2\.png is 40x48.*--batch-size 1"):
        opened(tmp_path, "paired", preprocess="none", batch_size=2).prepare()


def test_turned_whole_images_make_no_batch(tmp_path: Path):
    two_folders(tmp_path, height=32)
    prepared(tmp_path, "paired", preprocess="none", turn=True)
    with pytest.raises(ConfigError, match="turn=True"):
        opened(tmp_path, "paired", preprocess="none", turn=True, batch_size=2).prepare()


def test_plain_items(tmp_path: Path):
    two_folders(tmp_path, height=40, width=60)
    pixels = noise(1, 40, 60)
    assert np.array_equal(prepared(tmp_path, "paired").plain(1).a, pixels[4:36, 14:46])
    assert np.array_equal(prepared(tmp_path, "paired", preprocess="none").plain(1).a, pixels)
    squeezed = prepared(tmp_path, "paired", preprocess="resize_and_crop").plain(1).a
    assert np.array_equal(squeezed, images.resize(pixels, 32, 32))
    assert prepared(tmp_path, "paired", preprocess="scale_shortest").plain(1).a.shape == (32, 32, 3)


def test_progress_is_told(tmp_path: Path):
    told: list[tuple[int, int]] = []
    opened(two_folders(tmp_path), "unpaired").prepare(lambda done, total: told.append((done, total)))
    assert told == [(index + 1, 10) for index in range(10)]


def test_unknown_split(tmp_path: Path):
    layout = detect(two_folders(tmp_path), "paired")
    with pytest.raises(DataError, match="no split val; it has train"):
        open_split(layout, "val", "paired", DataSettings(), 0)


def test_without_preparing_the_error_says_so(tmp_path: Path):
    dataset = opened(two_folders(tmp_path), "paired")
    for use in (lambda: dataset.channels, lambda: dataset[0, 0]):
        with pytest.raises(RuntimeError, match="prepare"):
            use()


def test_a_prepared_set_can_be_pickled(tmp_path: Path):
    dataset = prepared(two_folders(tmp_path), "paired", cache=0)
    assert same(pickle.loads(pickle.dumps(dataset))[0, 1], dataset[0, 1])


def test_grey_files_of_sixteen_bits(tmp_path: Path):
    for domain in "AB":
        (tmp_path / domain).mkdir()
        Image.fromarray(noise(0, channels=1, dtype=np.uint16)[..., 0]).save(tmp_path / domain / "0.png")
    assert prepared(tmp_path, "paired")[0, 0].a.dtype == np.uint16
