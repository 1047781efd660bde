"""Folders to folders: N inputs give N outputs, same place, same size; a bad one is named and the others finish."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_fit import train

import translate
from translate import files, images
from translate.checkpoint import Model
from translate.convert import convert
from translate.errors import ConfigError, DataError, DiskFullError
from translate.translator import Translator


@pytest.fixture
def translator(folders: Path, tmp_path: Path) -> Translator:
    return translate.load(train(folders, "cycle", tmp_path, steps=2), "cpu")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    draw = np.random.default_rng(3)
    for name, size in {
        "a.png": (16, 16),
        "sub/a.jpg": (33, 20),
        "sub/ö 画.png": (5, 70),
        "b.PNG": (1, 1),
        "c.webp": (40, 41),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def test_every_input_gives_an_output_of_its_name_and_size(translator: Translator, source: Path, tmp_path: Path):
    summary = convert(translator, source, tmp_path / "out")
    assert not summary.failed
    names = [path.relative_to(tmp_path / "out") for path in images.list_images(tmp_path / "out")]
    assert names == [path.relative_to(source) for path in images.list_images(source)]
    for name in names:
        assert images.size(tmp_path / "out" / name) == images.size(source / name)


def test_the_command_and_python_give_the_same_pixels(translator: Translator, source: Path, tmp_path: Path):
    convert(translator, source / "a.png", tmp_path / "a.png")
    with Image.open(source / "a.png") as image:
        wanted = np.asarray(translator(image))
    assert np.array_equal(images.read(tmp_path / "a.png").pixels, wanted)


def test_directions_are_obeyed(translator: Translator, source: Path, tmp_path: Path):
    for direction in ("AtoB", "BtoA"):
        convert(translator, source / "a.png", tmp_path / direction, direction=direction)
        wanted = translator(images.read(source / "a.png").pixels, direction)
        assert np.array_equal(images.read(tmp_path / direction / "a.png").pixels, wanted)


def test_a_bad_file_is_named_and_the_others_finish(translator: Translator, source: Path, tmp_path: Path):
    whole = (source / "sub" / "a.jpg").read_bytes()
    (source / "sub" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (source / "empty.png").touch()
    np.save(source / "five.npy", np.zeros((8, 8, 5), np.uint8))
    summary = convert(translator, source, tmp_path / "out")
    assert sorted(path.name for path in summary.failed) == ["cut.jpg", "empty.png", "five.npy"]
    assert all(str(path) in reason for path, reason in summary.failed.items())
    assert len(summary.done) == 5
    assert len(images.list_images(tmp_path / "out")) == 5


def test_an_output_that_cannot_be_written_is_named_and_the_others_finish(
    translator: Translator, source: Path, tmp_path: Path
):
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    (tmp_path / "out" / "sub").write_text("a file where a folder is needed")
    summary = convert(translator, source, tmp_path / "out")
    assert sorted(path.name for path in summary.failed) == ["a.jpg", "a.png", "ö 画.png"]
    assert len(summary.done) == 2


def test_a_full_disk_stops_at_once(
    translator: Translator, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(path: Path, data: bytes) -> None:
        raise files.failure(path, OSError(errno.ENOSPC, "no space"))

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(DiskFullError, match="No space left"):
        convert(translator, source, tmp_path / "out")


def test_names_as_long_as_can_be_and_grey_suffixes(translator: Translator, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (6, 5)).save(folder / "grey.pgm")
    Image.new("RGB", (6, 5)).save(folder / ("画" * 80 + ".png"))
    summary = convert(translator, folder, tmp_path / "out")
    assert not summary.failed
    assert sorted(path.suffix for path in summary.done) == [".png", ".ppm"]


def test_alpha_depth_profile_and_orientation_survive(translator: Translator, tmp_path: Path):
    draw = np.random.default_rng(5)
    folder = tmp_path / "in"
    folder.mkdir()
    alpha = draw.integers(0, 256, (9, 14), dtype=np.uint8)
    rgb = draw.integers(0, 256, (9, 14, 3), dtype=np.uint8)
    images.write(folder / "alpha.png", images.Picture(rgb, alpha, profile=b"a profile"))
    images.write(folder / "wide.png", images.Picture(rgb.astype(np.uint16) * 257))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(folder / "turned.jpg", exif=exif)
    assert not convert(translator, folder, tmp_path / "out").failed
    kept = images.read(tmp_path / "out" / "alpha.png")
    assert np.array_equal(kept.alpha, alpha) and kept.profile == b"a profile"
    assert images.read(tmp_path / "out" / "wide.png").pixels.dtype == np.uint16
    assert images.size(tmp_path / "out" / "turned.jpg") == (14, 9)


def test_places_that_will_not_do_are_refused(translator: Translator, source: Path, tmp_path: Path):
    one_way = Translator(Model({"BtoA": translator._networks["BtoA"]}, translator.about), torch.device("cpu"))
    with pytest.raises(ConfigError, match="translates BtoA, not AtoB"):
        convert(one_way, source, tmp_path / "out", direction="AtoB")
    with pytest.raises(DataError, match="no file or folder"):
        convert(translator, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        convert(translator, tmp_path / "empty", tmp_path / "out")
    for inside in (source, source / "out"):
        with pytest.raises(ConfigError, match="lies inside"):
            convert(translator, source, inside)
    with pytest.raises(ConfigError, match="overwrite its own input"):
        convert(translator, source / "a.png", source / "a.png")
    Image.new("RGB", (4, 4)).save(source / "c.gif")
    Image.new("RGB", (4, 4)).save(source / "c.png")
    with pytest.raises(ConfigError, match=r"c.gif and .*c.png would both become"):
        convert(translator, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
