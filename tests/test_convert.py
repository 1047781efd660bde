"""Folders to folders: N inputs give N outputs, same place, same size; a bad one is named and the others finish."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_fit import train

import translate
from translate import images
from translate.checkpoint import Model
from translate.convert import Watch, convert, running, work
from translate.errors import ConfigError, DataError
from translate.translator import Translator


@pytest.fixture
def translator(folders: Path, tmp_path: Path) -> Translator:
    return translate.load(train(folders, "cycle", tmp_path, steps=2), "cpu")


@pytest.fixture
def identity() -> Translator:
    return translate.load("identity")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    draw = np.random.default_rng(3)
    for name, size in {
        "a.png": (16, 16),
        "sub/a.jpg": (33, 20),
        "sub/ö 画\n.png": (5, 70),
        "b.PNG": (1, 1),
        "c.webp": (40, 41),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in images.list_images(folder)]


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def test_every_input_gives_an_output_of_its_name_and_size(translator: Translator, source: Path, tmp_path: Path):
    summary = convert(translator, source, tmp_path / "out")
    assert not summary.failed and summary.translated == 5 and summary.skipped == 0
    assert names(tmp_path / "out") == names(source)
    for name in names(source):
        assert images.size(tmp_path / "out" / name) == images.size(source / name)
    assert not list((tmp_path / "out" / ".translate" / "partial").iterdir())


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
    (source / "gone.png").symlink_to(tmp_path / "nowhere.png")
    np.save(source / "five.npy", np.zeros((8, 8, 5), np.uint8))
    Image.new("RGB", (40, 40)).save(source / "large.png")
    summary = convert(translator, source, tmp_path / "out", max_pixels=1641)
    bad = ["cut.jpg", "empty.png", "five.npy", "gone.png"]
    assert sorted(Path(path).name for path in summary.failed) == bad
    summary = convert(translator, source, tmp_path / "out", max_pixels=1599, overwrite=True)
    assert sorted(Path(path).name for path in summary.failed) == sorted([*bad, "c.webp", "large.png"])
    assert all(path in reason for path, reason in summary.failed.items())
    assert summary.translated == 4


def test_an_output_that_cannot_be_written_is_named_and_the_others_finish(
    translator: Translator, source: Path, tmp_path: Path
):
    (tmp_path / "out" / "a.png").mkdir(parents=True)
    (tmp_path / "out" / "sub").write_text("a file where a folder is needed")
    summary = convert(translator, source, tmp_path / "out")
    assert sorted(Path(path).name for path in summary.failed) == ["a.jpg", "a.png", "ö 画\n.png"]
    assert summary.translated == 2


def test_names_as_long_as_can_be_and_grey_suffixes(translator: Translator, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (6, 5)).save(folder / "grey.pgm")
    Image.new("RGB", (6, 5)).save(folder / ("画" * 80 + ".png"))
    summary = convert(translator, folder, tmp_path / "out")
    assert not summary.failed
    assert sorted(Path(name).suffix for name in names(tmp_path / "out")) == [".png", ".ppm"]


def test_alpha_depth_profile_and_orientation_survive(translator: Translator, tmp_path: Path):
    draw = np.random.default_rng(5)
    folder = tmp_path / "in"
    folder.mkdir()
    alpha = draw.integers(0, 256, (9, 14), dtype=np.uint8)
    rgb = draw.integers(0, 256, (9, 14, 3), dtype=np.uint8)
    images.write(folder / "alpha.png", images.Picture(rgb, alpha))
    images.write(folder / "wide.png", images.Picture(rgb.astype(np.uint16) * 257))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rgb).save(folder / "turned.jpg", exif=exif)
    assert not convert(translator, folder, tmp_path / "out").failed
    kept = images.read(tmp_path / "out" / "alpha.png")
    assert np.array_equal(kept.alpha, alpha)
    assert images.read(tmp_path / "out" / "wide.png").pixels.dtype == np.uint16
    assert images.size(tmp_path / "out" / "turned.jpg") == (14, 9)


def test_hidden_colours_do_not_leak(translator: Translator, tmp_path: Path):
    draw = np.random.default_rng(8)
    rgb = draw.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    alpha = np.full((24, 24), 255, np.uint8)
    alpha[:, 12:] = 0
    outputs = []
    for hidden in (0, 255):
        rgb[:, 12:] = hidden
        folder = tmp_path / str(hidden)
        folder.mkdir()
        images.write(folder / "x.png", images.Picture(rgb, alpha))
        convert(translator, folder, tmp_path / f"out{hidden}")
        outputs.append(images.read(tmp_path / f"out{hidden}" / "x.png").pixels)
    assert np.array_equal(outputs[0][:, :12], outputs[1][:, :12])
    assert (outputs[1][:, 12:] == 255).all()


def test_identity_changes_nothing(identity: Translator, source: Path, tmp_path: Path):
    summary = convert(identity, source, tmp_path / "out")
    assert summary.translated == 5
    for name in ("a.png", "b.PNG", "sub/ö 画\n.png"):
        assert np.array_equal(images.read(tmp_path / "out" / name).pixels, images.read(source / name).pixels)


def test_a_suffix_that_lies_stays_what_it_is_and_is_said(identity: Translator, tmp_path: Path):
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "x.jpg", "PNG")
    summary = convert(identity, tmp_path / "in", tmp_path / "out")
    with Image.open(tmp_path / "out" / "x.jpg") as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), pixels)
    assert len(summary.notes) == 1


def test_formats_quality_and_metadata(identity: Translator, tmp_path: Path):
    (tmp_path / "in").mkdir()
    exif = Image.Exif()
    exif[0x010E] = "a title"
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([4 * x, 4 * y, 2 * (x + y)], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "x.png", exif=exif)
    convert(identity, tmp_path / "in", tmp_path / "jpg", format="JPG")
    convert(identity, tmp_path / "in", tmp_path / "low", format=".jpg", quality=20, strip_metadata=True)
    with Image.open(tmp_path / "jpg" / "x.jpg") as high, Image.open(tmp_path / "low" / "x.jpg") as low:
        assert high.format == "JPEG" and high.getexif()[0x010E] == "a title"
        assert 0x010E not in low.getexif()
    assert (tmp_path / "low" / "x.jpg").stat().st_size < (tmp_path / "jpg" / "x.jpg").stat().st_size
    with pytest.raises(ConfigError, match="Unknown format 'xyz'"):
        convert(identity, tmp_path / "in", tmp_path / "out", format="xyz")


def test_globs_choose(identity: Translator, source: Path, tmp_path: Path):
    convert(identity, source, tmp_path / "one", include=["*.png"])
    assert names(tmp_path / "one") == ["a.png", "sub/ö 画\n.png"]
    convert(identity, source, tmp_path / "two", exclude=["sub/**"])
    assert names(tmp_path / "two") == ["a.png", "b.PNG", "c.webp"]


def test_an_output_inside_the_input_needs_to_be_excluded(identity: Translator, source: Path):
    with pytest.raises(ConfigError, match=r"lies inside .*--exclude 'out/\*\*'"):
        convert(identity, source, source / "out")
    for _ in range(2):
        convert(identity, source, source / "out", exclude=["out/**"])
        assert names(source / "out") == ["a.png", "b.PNG", "c.webp", "sub/a.jpg", "sub/ö 画\n.png"]


def test_links_that_lead_back_are_harmless(identity: Translator, source: Path, tmp_path: Path):
    (source / "sub" / "up").symlink_to(source)
    (tmp_path / "out").mkdir()
    (source / "there").symlink_to(tmp_path / "out")
    for _ in range(2):
        convert(identity, source, tmp_path / "out")
        assert names(tmp_path / "out") == [name for name in names(source) if not name.startswith("there")]


def test_places_that_will_not_do_are_refused(translator: Translator, source: Path, tmp_path: Path):
    one_way = Translator(Model({"BtoA": translator.network("BtoA")}, translator.about), torch.device("cpu"))
    with pytest.raises(ConfigError, match="translates BtoA, not AtoB"):
        convert(one_way, source, tmp_path / "out", direction="AtoB")
    with pytest.raises(DataError, match="no file or folder"):
        convert(translator, tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        convert(translator, tmp_path / "empty", tmp_path / "out")
    with pytest.raises(ConfigError, match="input itself"):
        convert(translator, source, source)
    with pytest.raises(ConfigError, match="overwrite its own input"):
        convert(translator, source / "a.png", source / "a.png")
    with pytest.raises(ConfigError, match="Unknown setting 'formt'.*format"):
        convert(translator, source, tmp_path / "out", formt="png")
    assert not (tmp_path / "out").exists()


def test_two_inputs_for_one_output_are_refused_before_the_first(identity: Translator, source: Path, tmp_path: Path):
    Image.new("RGB", (4, 4)).save(source / "c.gif")
    with pytest.raises(ConfigError, match=r"c\.(gif|webp) and .*c\.(gif|webp) would both become"):
        convert(identity, source, tmp_path / "out", format="png")
    assert not (tmp_path / "out").exists()
    assert not convert(identity, source, tmp_path / "out").failed


def test_a_grey_file_whose_colours_need_another_name_gives_way(translator: Translator, tmp_path: Path):
    (tmp_path / "in").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "in" / "d.pgm")
    Image.new("RGB", (4, 4)).save(tmp_path / "in" / "d.ppm")
    summary = convert(translator, tmp_path / "in", tmp_path / "out")
    assert [Path(path).name for path in summary.failed] == ["d.pgm"] and names(tmp_path / "out") == ["d.ppm"]


def test_a_single_file_is_not_overwritten_unasked(identity: Translator, source: Path, tmp_path: Path):
    convert(identity, source / "a.png", tmp_path / "b.png")
    with pytest.raises(ConfigError, match="--overwrite"):
        convert(identity, source / "a.png", tmp_path / "b.png")
    convert(identity, source / "a.png", tmp_path / "b.png", overwrite=True)
    assert convert(identity, source / "a.png", tmp_path / "folder").translated == 1
    assert names(tmp_path / "folder") == ["a.png"]


def test_masks_keep_what_is_black(translator: Translator, tmp_path: Path):
    draw = np.random.default_rng(1)
    pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    mask = np.zeros((20, 24), np.uint8)
    mask[:, 8:16], mask[:, 16:] = 128, 255
    for folder, image in (("in", pixels), ("masks", mask)):
        (tmp_path / folder).mkdir()
        Image.fromarray(image).save(tmp_path / folder / "x.png")
    Image.fromarray(pixels).save(tmp_path / "in" / "alone.png")
    Image.fromarray(pixels).save(tmp_path / "in" / "other.png")
    Image.fromarray(mask[:5]).save(tmp_path / "masks" / "other.tif")
    summary = convert(translator, tmp_path / "in", tmp_path / "out", mask=tmp_path / "masks")
    assert sorted(Path(path).name for path in summary.failed) == ["alone.png", "other.png"]
    assert "24 x 5" in str(summary.failed)
    made, whole = images.read(tmp_path / "out" / "x.png").pixels, translator(pixels)
    assert np.array_equal(made[:, :8], pixels[:, :8])
    assert np.array_equal(made[:, 16:], whole[:, 16:])
    half = (pixels[:, 8:16].astype(float) + whole[:, 8:16]) / 2
    assert np.abs(made[:, 8:16] - half).max() <= 1.5


def test_side_by_side(translator: Translator, source: Path, tmp_path: Path):
    convert(translator, source / "a.png", tmp_path / "pair.png", side_by_side=True)
    pixels = images.read(source / "a.png").pixels
    wanted = np.concatenate([pixels, translator(pixels)], axis=1)
    assert np.array_equal(images.read(tmp_path / "pair.png").pixels, wanted)


def test_batches_give_what_single_images_give(translator: Translator, tmp_path: Path):
    (tmp_path / "in").mkdir()
    draw = np.random.default_rng(0)
    for index in range(11):
        shape = (16, 24, 3) if index % 3 else (24, 16, 3)
        Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / "in" / f"{index}.png")
    for batch in (1, 4):
        assert convert(translator, tmp_path / "in", tmp_path / str(batch), batch=batch).translated == 11
    for name in names(tmp_path / "in"):
        one, four = (images.read(tmp_path / batch / name).pixels.astype(int) for batch in ("1", "4"))
        assert np.abs(one - four).max() <= 1  # rounding of a batch's sums may differ


def test_reports(translator: Translator, source: Path, tmp_path: Path):
    import json

    (source / "bad<b>.png").touch()
    convert(translator, source, tmp_path / "one", report=tmp_path / "r" / "report.json")
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert (report["found"], report["translated"], len(report["failed"])) == (6, 5, 1)
    assert report["seconds"] > 0 and report["engine"].startswith("torch fp32")
    convert(translator, source, tmp_path / "two", report=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 10 and "bad&lt;b&gt;.png" in page
    assert "http" not in page.replace("data:image", "")  # opens offline
    with pytest.raises(ConfigError, match=r"\.json or \.html"):
        convert(translator, source, tmp_path / "three", report=tmp_path / "report.txt")


def test_a_clip_that_stands_still_stands_still(translator: Translator, tmp_path: Path):
    draw = np.random.default_rng(0)
    background = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    for index in range(12):
        frame = background.copy()
        frame[:16, :16] = min(255, index * 23)  # something bright moves the statistics of the whole frame
        Image.fromarray(frame).save(tmp_path / "in" / f"frame{index}.png")
    free = convert(translator, tmp_path / "in", tmp_path / "free")
    locked = {
        how: convert(translator, tmp_path / "in", tmp_path / how, sequence=True, lock=how) for how in ("first", "mean")
    }

    def corner(folder: str) -> float:
        """How much the part changes that is the same in all frames, far from what is not."""
        stack = [images.read(tmp_path / folder / f"frame{i}.png").pixels[28:, 28:].astype(float) for i in range(12)]
        return float(np.abs(np.diff(np.stack(stack), axis=0)).mean())

    assert free.flicker is None and corner("free") > 0.5
    for how, summary in locked.items():
        assert corner(how) < corner("free") / 5, how
        assert summary.flicker is not None and summary.flicker[0] > 1
    first = images.read(tmp_path / "first" / "frame0.png").pixels.astype(int)
    assert np.abs(first - translator(images.read(tmp_path / "in" / "frame0.png").pixels)).max() <= 1


def test_a_frozen_clip_does_not_flicker(translator: Translator, tmp_path: Path):
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    for index in range(4):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{index}.png")
    assert convert(translator, tmp_path / "in", tmp_path / "out", sequence=True, lock="mean").flicker == (0.0, 0.0)
    assert len(set(contents(tmp_path / "out").values())) == 1


def test_progress_and_notices(identity: Translator, source: Path, tmp_path: Path):
    seen, said = [], []
    convert(
        identity, source, tmp_path / "out", watch=Watch(lambda done, total: seen.append((done, total)), said.append)
    )
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5] and seen[-1][1] in (5, None)
    assert any("identity" in text for text in said)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_are_not_waited_for(identity: Translator, source: Path, tmp_path: Path):
    os.mkfifo(source / "pipe.png")
    assert [Path(path).name for path in convert(identity, source, tmp_path / "out").failed] == ["pipe.png"]


def test_memory_is_bounded_not_the_number_of_files(identity: Translator, tmp_path: Path, monkeypatch):
    """Of pictures that together exceed what may be held, no more than fit are in memory."""
    most = [0, 0]
    decode = work.images.read

    def read(*given, **named):
        picture = decode(*given, **named)
        most[0] += 1
        most[1] = max(most)
        return picture

    def encode(*given, **named):
        most[0] -= 1
        return write(*given, **named)

    write = work.images.encode
    monkeypatch.setattr(running, "_HELD", 3 * 64 * 64 * work._BYTES)
    monkeypatch.setattr(work, "_SMALL", 0)
    monkeypatch.setattr(work.images, "read", read)
    monkeypatch.setattr(work.images, "encode", encode)
    (tmp_path / "in").mkdir()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    for index in range(20):
        (tmp_path / "in" / f"{index}.png").write_bytes(buffer.getvalue())
    assert convert(identity, tmp_path / "in", tmp_path / "out", batch=8).translated == 20
    assert most == [0, most[1]] and 1 <= most[1] <= 4
