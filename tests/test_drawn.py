"""Drawn data sets: a seed gives the same files, winter and summer are exact inverses, the layout is as promised."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from translate.data.drawn import DRAWN, facades, make, paint, seasons
from translate.errors import ConfigError, DataError


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_fixes_every_byte(name, tmp_path):
    first = contents(make(name, tmp_path / "1", count=5, size=32, seed=3))
    again = contents(make(name, tmp_path / "2", count=5, size=32, seed=3))
    other = contents(make(name, tmp_path / "3", count=5, size=32, seed=4))
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[path] != other[path] for path in first)


@pytest.mark.parametrize("name", DRAWN)
def test_an_image_does_not_depend_on_the_count(name, tmp_path):
    few = contents(make(name, tmp_path / "1", count=2, size=16))
    many = contents(make(name, tmp_path / "2", count=6, size=16))
    assert all(many[path] == data for path, data in few.items() if path.endswith(".png"))


@pytest.mark.parametrize("name", DRAWN)
def test_no_image_comes_twice(name, tmp_path):
    folder = make(name, tmp_path / "set", count=40, size=32)
    files = [data for path, data in contents(folder).items() if path.endswith(".png")]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("name", DRAWN)
def test_counts_progress_and_description(name, tmp_path):
    seen = []
    folder = make(name, tmp_path / "set", count=20, size=16, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 52) for i in range(1, 53)]
    domains = ("",) if DRAWN[name].kind == "paired" else ("A", "B")
    for split, count in {"train": 20, "val": 16, "test": 16}.items():
        for domain in domains:
            assert len(list((folder / f"{split}{domain}").glob("*.png"))) == count
    about = json.loads((folder / "dataset.json").read_text())
    assert about["made_with"] == {"count": 20, "size": 16, "seed": 0}
    assert about["truth"] == ["val", "test"]
    assert 3 < about["baseline"]["copy_input_psnr"] < 14


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("size", [16, 17, 100, 256])
def test_any_size(name, size):
    for index in range(8):
        pictures, (source, truth) = DRAWN[name].draw("test", np.random.default_rng(index), size)
        assert source.shape == truth.shape == (size, size, 3)
        assert all(picture.dtype == np.uint8 for picture in pictures.values())


def test_winter_and_summer_are_exact_inverses(tmp_path):
    for index in range(20):
        here = seasons.scene(np.random.default_rng(index), 64)
        there = seasons.winter(here)
        assert not np.array_equal(here, there)
        assert np.array_equal(seasons.summer(there), here)


def test_no_colour_of_a_season_comes_twice():
    for season in (0, 1):
        colours = seasons.ramps(season).reshape(-1, 3)
        assert len(np.unique(colours, axis=0)) == len(colours)


def test_a_foreign_picture_has_no_winter():
    with pytest.raises(DataError, match="no drawn summer picture"):
        seasons.winter(np.full((4, 4, 3), 255, np.uint8))


def test_seasons_hold_the_truth_out_of_training_only(tmp_path):
    folder = make("drawn-seasons", tmp_path / "set", count=12, size=32)
    for split in ("val", "test"):
        for path in (folder / f"{split}A").iterdir():
            assert np.array_equal(seasons.winter(read(path)), read(folder / f"{split}B" / path.name))
    winters = {seasons.winter(read(path)).tobytes() for path in (folder / "trainA").iterdir()}
    assert not any(read(path).tobytes() in winters for path in (folder / "trainB").iterdir())


def test_facades_lie_side_by_side_with_flat_labels_left(tmp_path):
    folder = make("drawn-facades", tmp_path / "set", count=4, size=32)
    labels = {tuple(colour) for colour in facades.LABELS.values()}
    assert len(labels) == len(facades.LABELS)
    for path in (folder / "train").iterdir():
        picture = read(path)
        assert picture.shape == (32, 64, 3)
        left, right = picture[:, :32].reshape(-1, 3), picture[:, 32:].reshape(-1, 3)
        assert {tuple(int(value) for value in colour) for colour in left} <= labels
        assert len(np.unique(right, axis=0)) > len(np.unique(left, axis=0))


def test_each_label_has_a_painter():
    for label in facades.LABELS:
        painted = paint.render([paint.Part(label, 0, 20, 0, 20)], 32)
        assert painted[:20, :20].any()


def test_what_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for out in ("full", "file"):
        with pytest.raises(DataError, match="another place"):
            make("drawn-facades", tmp_path / out)
    with pytest.raises(ConfigError, match="Did you mean 'drawn-facades'"):
        make("drawn-facade", tmp_path / "x")
    for values in ({"size": 15}, {"size": 1025}, {"count": 0}, {"seed": -1}):
        with pytest.raises(ConfigError, match="will not do"):
            make("drawn-facades", tmp_path / "x", **values)
    assert not (tmp_path / "x").exists()


def test_an_interrupted_drawing_leaves_nothing(tmp_path):
    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make("drawn-seasons", tmp_path / "set", count=4, size=16, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "set").mkdir()
    assert (make("drawn-facades", tmp_path / "set", count=1, size=16) / "train" / "0000.png").is_file()
