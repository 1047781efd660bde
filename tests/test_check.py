"""Checking a data set: what is fine is called fine, what would spoil a training is named."""

from pathlib import Path

import numpy as np
import pytest

from translate import images
from translate.cli import datasets
from translate.data.check import check
from translate.data.drawn import DRAWN, make
from translate.errors import DataError


def draw(path: Path, seed: int, width: int = 32, height: int = 32, dtype: type = np.uint8) -> Path:
    """Write noise, different for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(dtype)
    images.write(path, images.Picture(pixels))
    return path


def unpaired(root: Path) -> Path:
    for seed, name in enumerate(("trainA/1", "trainA/2", "trainB/1", "trainB/2", "testA/1", "testB/1")):
        draw(root / f"{name}.png", seed)
    return root


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_sets_are_fine(name, tmp_path):
    seen = []
    folder = make(name, tmp_path / "set", count=6, size=32)
    report = check(folder, progress=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.warnings == []
    assert report.layout
    assert sum(report.folders.values()) == len(seen) == seen[-1][1]
    assert dict(report.channels) == {3: len(seen)}
    assert dict(report.depths) == {"uint8": len(seen)}
    assert list(report.sizes) == [(64, 32) if DRAWN[name].kind == "paired" else (32, 32)]


def test_counts_by_folder(tmp_path):
    draw(unpaired(tmp_path) / "trainA" / "deeper" / "3.png", 9)
    assert check(tmp_path).folders == {"testA": 1, "testB": 1, "trainA": 3, "trainB": 2}


def test_a_truncated_file_is_named(tmp_path):
    path = unpaired(tmp_path) / "trainA" / "3.jpg"
    draw(path, 9, 200, 200)
    path.write_bytes(path.read_bytes()[:-2000])
    report = check(tmp_path)
    assert not report.ok
    assert any("1 unreadable: trainA/3.jpg (" in text for text in report.troubles)


def test_garbage_and_empty_files_are_named(tmp_path):
    unpaired(tmp_path)
    (tmp_path / "trainA" / "bad.png").write_bytes(b"garbage")
    (tmp_path / "trainB" / "nil.png").write_bytes(b"")
    text = " ".join(check(tmp_path).troubles)
    assert "2 unreadable" in text
    assert "trainA/bad.png" in text
    assert "trainB/nil.png" in text


def test_a_leak_from_train_to_test_is_trouble(tmp_path):
    unpaired(tmp_path)
    draw(tmp_path / "testA" / "2.bmp", 0)
    report = check(tmp_path)
    assert any("testA/2.bmp = trainA/1.png" in text for text in report.troubles)


def test_duplicates_elsewhere_are_a_warning(tmp_path):
    unpaired(tmp_path)
    draw(tmp_path / "trainA" / "3.png", 0)
    draw(tmp_path / "valA" / "1.png", 4)
    draw(tmp_path / "valB" / "1.png", 99)
    report = check(tmp_path)
    assert report.ok
    assert any("2 images more than once" in text for text in report.warnings)


def test_mismatched_pairs_are_trouble(tmp_path):
    for seed, name in enumerate(("A/1", "A/2", "B/1", "B/3")):
        draw(tmp_path / f"{name}.png", seed)
    report = check(tmp_path)
    assert not report.ok
    assert report.layout is None
    assert "2" in report.troubles[0]


def test_pairs_of_other_sizes_are_trouble(tmp_path):
    for seed, (name, width) in enumerate({"A/1": 32, "B/1": 48}.items()):
        draw(tmp_path / f"{name}.png", seed, width)
    assert check(tmp_path).troubles == ["1 pairs of unequal size: A/1.png (32x32) and B/1.png (48x32)."]


def test_two_folders_without_a_common_name_are_no_pairs(tmp_path):
    for seed, name in enumerate(("A/1", "A/2", "B/3")):
        draw(tmp_path / f"{name}.png", seed)
    report = check(tmp_path)
    assert report.ok
    assert "--mode cycle only" in report.warnings[0]


def test_odd_widths_are_trouble_side_by_side(tmp_path):
    draw(tmp_path / "train" / "1.png", 1, 64)
    draw(tmp_path / "train" / "2.png", 2, 65)
    assert not check(tmp_path).ok


def test_half_a_layout_is_trouble(tmp_path):
    draw(tmp_path / "trainA" / "1.png", 1)
    assert not check(tmp_path).ok


def test_mixed_depths_and_small_images_are_warned_of(tmp_path):
    draw(tmp_path / "1.png", 1, dtype=np.uint16)
    draw(tmp_path / "2.png", 2, 8, 8)
    report = check(tmp_path)
    assert report.ok
    assert len(report.warnings) == 2


def test_nothing_to_look_at(tmp_path):
    with pytest.raises(DataError, match="no images"):
        check(tmp_path)
    with pytest.raises(DataError, match="There is no folder"):
        check(tmp_path / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="not a folder"):
        check(tmp_path / "file")


def halves(path: Path, seed: int, width: int = 32, height: int = 32) -> None:
    """Write A|B of one grey each, with a seam at the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 20, (height, width, 3)).astype(np.uint8)
    pixels[:, width // 2 :] += 200
    images.write(path, images.Picture(pixels))


def test_folders_of_classes_are_one_folder_of_images(tmp_path):
    names = ("train/9/1", "train/9/2", "train/10/1", "test/10/5")
    for seed, name in enumerate(names):
        draw(tmp_path / f"{name}.png", seed, 28, 28)
    report = check(tmp_path)
    assert report.ok and report.warnings == []
    assert "one folder of images, 3 train, 1 test" in (report.layout or "")
    assert list(report.classes.items()) == [("9", 2), ("10", 2)]  # in the order of numbers


def test_classes_may_be_named_a_b_and_c(tmp_path):
    for seed, name in enumerate(("A", "B", "C")):
        draw(tmp_path / "train" / name / f"{seed}.png", seed, 28, 28)
    report = check(tmp_path)
    assert report.ok and report.classes == {"A": 1, "B": 1, "C": 1}


def test_classes_without_splits_are_counted(tmp_path):
    for seed, name in enumerate(("cat", "dog", "dog")):
        draw(tmp_path / name / f"{seed}.png", seed)
    assert check(tmp_path).classes == {"cat": 1, "dog": 2}


@pytest.mark.parametrize("width", [32, 33])
def test_pictures_that_are_no_double_squares_stand_alone(tmp_path, width):
    for seed in range(3):
        draw(tmp_path / "train" / f"{seed}.png", seed, width, 32)
    report = check(tmp_path)
    assert report.ok and report.warnings == [] and report.classes == {}
    assert "one folder of images" in (report.layout or "")


@pytest.mark.parametrize(("folder", "width"), [("", 64), ("town/", 64), ("", 48)])
def test_pairs_in_folders_and_of_other_shapes_stay_pairs(tmp_path, folder, width):
    for seed in range(3):
        halves(tmp_path / "train" / f"{folder}{seed}.png", seed, width)
    report = check(tmp_path)
    assert report.ok and report.warnings == [] and "A|B side by side" in (report.layout or "")


def test_double_squares_without_a_seam_are_warned_of(tmp_path):
    draw(tmp_path / "train" / "1.png", 1, 64, 32)
    report = check(tmp_path)
    assert "A|B side by side" in (report.layout or "") and "no seam" in report.warnings[0]


def test_the_verb_counts_classes(tmp_path, capsys):
    for number in range(14):
        draw(tmp_path / "train" / f"{number}" / "1.png", number, 28, 28)
    datasets.check(str(tmp_path))
    text = " ".join(capsys.readouterr().out.split())
    assert "classes 14: 0 1, 1 1, 2 1" in text and "and 2 more" in text
