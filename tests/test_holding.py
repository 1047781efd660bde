"""What is held out of a single folder follows from names and from nothing else."""

import random
from pathlib import Path

import numpy as np
import pytest

from translate import data
from translate.data.dataset import Unfit
from translate.data.layout import Layout, Source, Split
from translate.images import Picture, write


def layout(names: list[str], root: Path = Path("/photographs")) -> Layout:
    return Layout(root, "a folder", {"train": Split(tuple(Source(root / name) for name in names))})


def hold_out(given: Layout, unfit: Unfit | None = None) -> Layout:
    return data.hold_out(given, unfit)[0]


def held(of: Layout) -> list[str]:
    return [source.path.name for source in of.splits["val"].a] if "val" in of.splits else []


def numbered(count: int) -> list[str]:
    return [f"{index:05d}.jpg" for index in range(count)]


@pytest.mark.parametrize(
    ("count", "wanted"), [(1, 0), (7, 0), (8, 1), (29, 5), (40, 8), (100, 8), (200, 10), (1280, 64), (5000, 64)]
)
def test_one_in_twenty_is_held_out_and_at_most_64(count: int, wanted: int):
    split = hold_out(layout(numbered(count)))
    assert len(held(split)) == wanted
    assert len(split.splits["train"].a) == count - wanted


def test_every_image_stays_in_one_part_and_in_its_order():
    names = numbered(200)
    split = hold_out(layout(names))
    rest = [source.path.name for source in split.splits["train"].a]
    assert sorted(rest + held(split)) == names
    assert rest == sorted(rest) and held(split) == sorted(held(split))
    assert held(split) != names[:10], "not the first of a series"


def test_neither_order_nor_place_changes_what_is_held_out():
    names = numbered(200)
    shuffled = random.Random(0).sample(names, len(names))
    once = held(hold_out(layout(names)))
    assert sorted(held(hold_out(layout(shuffled)))) == once
    assert held(hold_out(layout(names, Path("/elsewhere")))) == once


def test_what_was_held_out_mostly_stays_so_when_images_come():
    """An image that comes can take the place of one, and where one more is held out, it is one more."""
    before = set(held(hold_out(layout(numbered(200)))))
    after = set(held(hold_out(layout([*numbered(200), *(f"new{index}.jpg" for index in range(20))]))))
    assert len(after) == 11
    assert len(before & after) >= 8


def test_names_of_any_bytes_and_folders_within():
    names = [f"år/{index}\udcff.jpg" for index in range(20)] + [f"{index}.jpg" for index in range(20)]
    assert len(held(hold_out(layout(names)))) == 8


def test_what_is_of_no_use_is_not_held_out(tmp_path: Path):
    """Every second image is dark, and one of the others is none."""
    names = [f"{index}.png" for index in range(40)]
    for index, name in enumerate(names):
        write(tmp_path / name, Picture(np.full((2, 2, 3), 200 * (index % 2), np.uint8)))
    for bright in names[1::2]:
        (tmp_path / bright).write_bytes(b"no picture")
        chosen = held(hold_out(layout(names, tmp_path), lambda pixels: "dark" if pixels.max() < 100 else ""))
        assert len(chosen) == 8 and set(chosen) < set(names[1::2]) - {bright}
        write(tmp_path / bright, Picture(np.full((2, 2, 3), 200, np.uint8)))
    assert held(hold_out(layout(names, tmp_path), lambda _: "of no use")) == []


def test_other_splits_stay():
    given = layout(numbered(40))
    given.splits["test"] = Split((Source(Path("/photographs/test/1.jpg")),))
    split, notices = data.hold_out(given)
    assert split == given and notices == []


def test_a_split_of_no_use_is_said_and_not_used(tmp_path: Path):
    for index in range(10):
        write(tmp_path / f"{index}.png", Picture(np.full((2, 2, 3), 200, np.uint8)))
    write(tmp_path / "test.png", Picture(np.zeros((2, 2, 3), np.uint8)))
    given = layout([f"{index}.png" for index in range(10)], tmp_path)
    given.splits["test"] = Split((Source(tmp_path / "test.png"),))
    split, notices = data.hold_out(given, lambda pixels: "dark" if pixels.max() < 100 else "")
    assert set(split.splits) == {"train", "val"} and len(held(split)) == 2
    assert "The test split holds nothing" in notices[0] and "2 of 10 images are held out" in notices[1]
