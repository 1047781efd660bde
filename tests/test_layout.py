"""How a data set lies: every layout, every refusal."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translate.data import Source, detect
from translate.errors import DataError


def draw(path: Path, width: int = 16, height: int = 16, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


def fill(folder: Path, *names: str, width: int = 16) -> None:
    for name in names:
        draw(folder / name, width)


def side_by_side(path: Path, dark: int = 20, bright: int = 220) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((16, 32, 3), dark, np.uint8)
    pixels[:, 16:] = bright
    Image.fromarray(pixels).save(path)
    return path


def names(sources: tuple[Source, ...] | None) -> list[str]:
    return [source.path.name for source in sources or ()]


@pytest.mark.parametrize("place", ["{split}{domain}", "{split}/{domain}", "{domain}/{split}"])
def test_two_folders_a_split(tmp_path: Path, place: str):
    for split in ("train", "val", "test"):
        for domain in "AB":
            fill(tmp_path / place.format(split=split, domain=domain), "1.png", "sub/2.png")
    for kind in ("paired", "unpaired"):
        layout = detect(tmp_path, kind)
        assert list(layout.splits) == ["train", "val", "test"]
        split = layout.splits["val"]
        assert names(split.a) == names(split.b) == ["1.png", "2.png"]
        assert "val" in split.a[0].path.as_posix() and "B" in split.b[0].path.as_posix()
        assert split.matched == (kind == "paired")
    assert "2 + 2 train" in layout.name and tmp_path.name in layout.name
    assert detect(tmp_path, "paired").truth == {"train", "val", "test"}
    assert len(detect(tmp_path, "single").splits["train"].a) == 4


def test_two_folders_without_splits(tmp_path: Path):
    fill(tmp_path / "A", "1.png", "2.jpg")
    fill(tmp_path / "B", "1.jpg", "2.png")
    split = detect(tmp_path, "paired").splits["train"]
    assert names(split.a) == ["1.png", "2.jpg"] and names(split.b) == ["1.jpg", "2.png"]
    assert detect(tmp_path, "unpaired").truth == frozenset()


@pytest.mark.parametrize("kind", ["paired", "unpaired"])
def test_side_by_side(tmp_path: Path, kind: str):
    for split in ("train", "test"):
        for index in range(3):
            side_by_side(tmp_path / split / f"{index}.png")
    layout = detect(tmp_path, kind)
    assert list(layout.splits) == ["train", "test"] and not layout.warnings
    split = layout.splits["train"]
    assert {source.half for source in split.a} == {"left"} and {source.half for source in split.b} == {"right"}
    assert "side by side" in layout.name and "3 train, 3 test" in layout.name


def test_plain_folder(tmp_path: Path):
    side_by_side(tmp_path / "1.png")
    side_by_side(tmp_path / "sub" / "2.png")
    assert len(detect(tmp_path, "paired").splits["train"].a) == 2
    assert len(detect(tmp_path, "single").splits["train"].a) == 2
    with pytest.raises(DataError, match="unpaired training needs two"):
        detect(tmp_path, "unpaired")


def test_single_takes_subfolders_and_splits(tmp_path: Path):
    fill(tmp_path / "deep" / "er", "1.png")
    assert names(detect(tmp_path, "single").splits["train"].a) == ["1.png"]
    fill(tmp_path / "train", "2.png")
    fill(tmp_path / "val", "3.png")
    layout = detect(tmp_path, "single")
    assert names(layout.splits["train"].a) == ["2.png"] and layout.splits["val"].b is None


def test_declared_truth_matches_a_split_of_an_unpaired_set(tmp_path: Path):
    fill(tmp_path / "trainA", "1.png", "2.png")
    fill(tmp_path / "trainB", "3.png")
    fill(tmp_path / "testA", "1.png", "2.png")
    fill(tmp_path / "testB", "2.png", "1.png")
    (tmp_path / "dataset.json").write_text(json.dumps({"truth": ["test", "val"], "more": 1}))
    layout = detect(tmp_path, "unpaired")
    assert layout.truth == {"test"}
    assert layout.splits["test"].matched and not layout.splits["train"].matched
    draw(tmp_path / "testB" / "9.png")
    with pytest.raises(DataError, match=r"9\.png has no partner"):
        detect(tmp_path, "unpaired")
    (tmp_path / "dataset.json").write_text("[1")
    with pytest.raises(DataError, match="cannot be read"):
        detect(tmp_path, "unpaired")


def test_missing_partners_are_counted_and_the_first_ten_listed(tmp_path: Path):
    fill(tmp_path / "trainA", *[f"{index:02}.png" for index in range(13)])
    fill(tmp_path / "trainB", "00.png", "extra.png")
    with pytest.raises(DataError) as error:
        detect(tmp_path, "paired")
    message = str(error.value)
    assert "01.png has no partner" in message and "10.png has no partner" in message
    assert "11.png" not in message and "13 in all" in message and "--mode cycle" in message
    assert detect(tmp_path, "unpaired").splits["train"].a


def test_two_files_of_one_stem_are_refused(tmp_path: Path):
    fill(tmp_path / "A", "x.jpg", "x.png")
    fill(tmp_path / "B", "x.png")
    with pytest.raises(DataError, match=r"x\.jpg and x\.png in .*A share a name"):
        detect(tmp_path, "paired")


def test_odd_width_is_refused_with_the_reason(tmp_path: Path):
    side_by_side(tmp_path / "train" / "1.png")
    draw(tmp_path / "train" / "2.png", width=301)
    with pytest.raises(DataError, match=r"2\.png is 301 pixels wide: an A\|B pair has an even width .1 of 2.*cycle"):
        detect(tmp_path, "paired")


def test_no_seam_is_a_warning(tmp_path: Path):
    for index in range(3):
        draw(tmp_path / "train" / f"{index}.png", width=64, seed=index)
    (warning,) = detect(tmp_path, "paired").warnings
    assert "no seam" in warning and "--mode cycle" in warning


@pytest.mark.parametrize("kind", ["paired", "unpaired", "single"])
def test_missing_empty_and_unknown_folders_are_refused(tmp_path: Path, kind: str):
    with pytest.raises(DataError, match="There is no folder .*nowhere"):
        detect(tmp_path / "nowhere", kind)
    with pytest.raises(DataError, match="it is empty"):
        detect(tmp_path, kind)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"notes\.txt"):
        detect(tmp_path, kind)
    with pytest.raises(DataError, match="is a file"):
        detect(tmp_path / "notes.txt", kind)


def test_unknown_layout_says_what_was_found_and_what_would_do(tmp_path: Path):
    fill(tmp_path / "summer", "1.png")
    fill(tmp_path / "winter", "1.png")
    with pytest.raises(DataError, match=r"found summer/, winter/.*trainA/ and trainB/"):
        detect(tmp_path, "unpaired")


def test_a_folder_without_partner_or_images_is_refused(tmp_path: Path):
    fill(tmp_path / "trainA", "1.png")
    with pytest.raises(DataError, match="no partner folder .*trainB"):
        detect(tmp_path, "unpaired")
    (tmp_path / "trainB").mkdir()
    with pytest.raises(DataError, match="trainB holds no images: it is empty"):
        detect(tmp_path, "unpaired")
    (tmp_path / "train").mkdir()
    draw(tmp_path / "trainB" / "1.png")
    assert detect(tmp_path, "unpaired").splits.keys() == {"train"}


def test_an_empty_side_by_side_split_is_refused(tmp_path: Path):
    side_by_side(tmp_path / "train" / "1.png")
    (tmp_path / "val").mkdir()
    with pytest.raises(DataError, match="val holds no images"):
        detect(tmp_path, "paired")


def test_damaged_files_do_not_hinder_detection(tmp_path: Path):
    side_by_side(tmp_path / "train" / "1.png")
    (tmp_path / "train" / "2.png").write_bytes(b"no image")
    assert len(detect(tmp_path, "paired").splits["train"].a) == 2
