"""Labels by folder and by CSV, their way into batches, and idx files that become folders of classes."""

import gzip
import pickle
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from translate import images
from translate.cli.datasets import app
from translate.config import DataSettings
from translate.data import Batch, Labels, detect, held_out, hold_out, idx, open_split, read_labels, stream
from translate.data.dataset import ImageDataset
from translate.errors import DataError
from translate.images import Picture

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


def write(root: Path, *names: str) -> Path:
    """Pictures of 8 x 8; the value of all pixels is the number of the picture among `names`."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        images.write(root / name, Picture(np.full((8, 8, 1), number, np.uint8)))
    return root


def by_name(labels: Labels, root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): labels.names[number] for path, number in labels.of.items()}


def read(root: Path, file: Path | None = None) -> Labels:
    return read_labels(detect(root, "single"), file)


def csv_of(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# Folders


def test_the_first_folder_of_a_split_is_the_class(tmp_path: Path):
    write(tmp_path, "train/cat/1.png", "train/dog/1.png", "train/dog/old/2.png", "val/dog/9.png", "test/cat/8.png")
    labels = read(tmp_path)
    assert labels.names == ("cat", "dog") and labels.notices == ()
    assert by_name(labels, tmp_path) == {
        "train/cat/1.png": "cat",
        "train/dog/1.png": "dog",
        "train/dog/old/2.png": "dog",
        "val/dog/9.png": "dog",
        "test/cat/8.png": "cat",
    }


def test_without_splits_the_first_folder_of_the_root(tmp_path: Path):
    write(tmp_path, "val/1.png", "b/1.png", "b/x/1.png")  # "val" is no split where there is no train
    assert by_name(read(tmp_path), tmp_path) == {"val/1.png": "val", "b/1.png": "b", "b/x/1.png": "b"}


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (["10", "9", "2"], ("2", "9", "10")),
        (["1.5", "-1", "0"], ("-1", "0", "1.5")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["b", "C", "a"], ("C", "a", "b")),
        (["01", "1", "0"], ("0", "01", "1")),
    ],
)
def test_names_are_sorted_as_numbers_where_all_are(tmp_path: Path, found: list[str], names: tuple[str, ...]):
    assert read(write(tmp_path, *(f"{name}/1.png" for name in found))).names == names


def test_what_is_held_out_keeps_its_number(tmp_path: Path):
    for root in (tmp_path / "plain", tmp_path / "split" / "train"):
        write(root, *(f"{name}/{number}.png" for name in "ab" for number in range(10)))
    for root in (tmp_path / "plain", tmp_path / "split"):
        layout = detect(root, "single")
        labels = read_labels(layout)
        layout, _ = hold_out(layout)
        assert set(layout.splits) == {"train", "val"}
        assert labels.of == read_labels(layout).of
        assert {source.path for part in layout.splits.values() for source in part.a} == set(labels.of)


def test_pictures_outside_of_the_classes_are_listed(tmp_path: Path):
    write(tmp_path, "train/cat/1.png", "train/dog/1.png", *(f"train/{number:02}.png" for number in range(12)))
    with pytest.raises(DataError) as error:
        read(tmp_path)
    message = str(error.value)
    assert "12 of 14 pictures have no label" in message and f"{tmp_path / 'train' / '09.png'} lies in no" in message
    assert "10.png" not in message and "... 12 in all" in message and "train/cat/1.png" in message


def test_one_class_is_none(tmp_path: Path):
    with pytest.raises(DataError, match="one class, cat: labels need two"):
        read(write(tmp_path, "cat/1.png", "cat/2.png"))


def test_a_class_that_train_lacks_is_refused(tmp_path: Path):
    write(tmp_path, "train/a/1.png", "train/b/1.png", "val/c/1.png", "val/a/1.png", "test/d/1.png")
    with pytest.raises(DataError, match=r"train has not:\n.*c.1\.png is of class c\n.*d.1\.png is of class d\n"):
        read(tmp_path)


# CSV


@pytest.mark.parametrize(
    "text",
    [
        "1.png,cat\n2.png,dog\n3.png,cat\n",
        "file,label\n1.png,cat\n2.png,dog\n3.png,cat",
        'File,Label\r\n"1.png","cat"\r\n\r\n"2.png", "dog"\r\n 3.png , cat \r\n',
        "\ufefffile,label\n./3.png,cat\ntrain/2.png,dog\ntrain/1.png,cat\n",
        "train\\1.png,cat\ntrain\\2.png,dog\ntrain\\3.png,cat\n",
        "1.png,cat\n1.png,cat\n2.png,dog\n3.png,cat\n",
    ],
)
def test_lines_name_files_in_several_ways(tmp_path: Path, text: str):
    write(tmp_path, "train/1.png", "train/2.png", "train/3.png")
    labels = read(tmp_path, csv_of(tmp_path / "labels.csv", text))
    assert labels.names == ("cat", "dog") and labels.notices == ()
    assert by_name(labels, tmp_path) == {"train/1.png": "cat", "train/2.png": "dog", "train/3.png": "cat"}


def test_a_csv_elsewhere_wins_over_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "set", "train/x/1.png", "train/y/ü, 2.png", "test/x/1.png")
    text = 'set/train/x/1.png,Zürich\n"y/ü, 2.png","a ""b"", c"\ntest/x/1.png,Zürich\n'
    labels = read(tmp_path / "set", csv_of(tmp_path / "labels.csv", text))
    assert labels.names == ("Zürich", 'a "b", c')
    monkeypatch.chdir(tmp_path)
    near = read(Path("set"), Path("labels.csv"))
    assert near.names == labels.names and list(near.of.values()) == list(labels.of.values()) == [0, 1, 0]
    assert all(not path.is_absolute() for path in near.of)


def test_the_order_of_the_lines_changes_nothing(tmp_path: Path):
    write(tmp_path, "1.png", "2.png", "3.png")
    one = read(tmp_path, csv_of(tmp_path / "one.csv", "1.png,7\n2.png,10\n3.png,7\n"))
    two = read(tmp_path, csv_of(tmp_path / "two.csv", "3.png,7\n2.png,10\n1.png,7\n"))
    assert one == two and list(one.of.items()) == list(two.of.items()) and one.names == ("7", "10")


def test_files_that_are_not_there_are_a_notice(tmp_path: Path):
    write(tmp_path, "1.png", "2.png")
    lines = "".join(f"gone{number}.png,bird\n" for number in range(11))
    labels = read(tmp_path, csv_of(tmp_path / "a.csv", f"1.png,cat\n2.png,dog\n{lines}"))
    assert labels.names == ("cat", "dog")  # no picture is a bird
    (notice,) = labels.notices
    assert "11 lines of" in notice and "line 3: gone0.png" in notice and "... 11 in all" in notice


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.png,cat\n", r"2 of 3 pictures have no label in .*a\.csv:\n.*a.2\.png\n.*b.2\.png$"),
        ("1.png,cat\nb/3.png,dog\n", r"as in line 2: b/3\.png\.$"),
        ("1.png,cat\n2.png,dog\n", r"line 2: 2\.png may be .*a.2\.png or .*b.2\.png"),
        ("1.png,cat\na/2.png,dog\n1.png,dog\n", r"line 3: 1\.png is dog, and cat in line 1\n"),
        ("1.png,cat\na/2.png,cat\nb/2.png,cat\n", "one class, cat"),
        ("1.png;cat\n", r"read `file,label`; these do not:\n  line 1: 1\.png;cat"),
        ("1.png,cat,0.9\n", r"line 1: 1\.png,cat,0\.9"),
        ("1.png,\n", r"line 1: 1\.png,"),
        ("", "it has none"),
        ("file,label\n", "it has none"),
        ('"1.png,cat\n', "no CSV file in UTF-8"),
    ],
)
def test_what_a_csv_may_not_say(tmp_path: Path, text: str, words: str):
    write(tmp_path, "1.png", "a/2.png", "b/2.png")
    with pytest.raises(DataError, match=words):
        read(tmp_path, csv_of(tmp_path / "a.csv", text))


def test_a_csv_that_cannot_be_read(tmp_path: Path):
    write(tmp_path, "1.png", "2.png")
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        read(tmp_path, tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("1.png,Zürich\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.csv is no CSV file in UTF-8"):
        read(tmp_path, tmp_path / "latin.csv")


# Batches


def opened(root: Path, labelled: bool = True, **settings) -> ImageDataset:
    layout = detect(root, "single")
    checked = DataSettings.checked({"size": 8, "preprocess": "none", "flip": False} | settings)
    return open_split(layout, "train", "single", checked, 5, labels=read_labels(layout) if labelled else None)


def classes(root: Path) -> Path:
    return write(root, *(f"{name}/{number}.png" for name in ("b", "a", "c") for number in range(4)))


def take(count: int, dataset: ImageDataset, **options) -> list[Batch]:
    batches = stream(dataset, **{"batch_size": 5, "seed": 5, "workers": 0} | options)
    try:
        return list(islice(batches, count))
    finally:
        batches.close()


def numbers(batch: Batch) -> list[int]:
    return ["abc".index(Path(file).parent.name) for file in batch.files]


@pytest.mark.parametrize("cache", [0, 16])
def test_batches_carry_labels_for_any_number_of_workers(tmp_path: Path, cache: int):
    dataset = opened(classes(tmp_path), cache=cache)
    assert dataset.prepare() == []
    alone = take(6, dataset)
    for batch in alone:
        assert batch.labels is not None and batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == numbers(batch)
    assert len({tuple(numbers(batch)) for batch in alone}) > 1
    for one, two in zip(alone, take(6, dataset, workers=2), strict=True):
        assert one.files == two.files and isinstance(two.files, tuple)
        assert torch.equal(one.a, two.a) and torch.equal(one.labels, two.labels)


def test_what_is_held_out_carries_labels_and_others_have_none(tmp_path: Path):
    dataset = opened(classes(tmp_path))
    dataset.prepare()
    shown = list(held_out(dataset, 5))
    assert [label for batch in shown for label in batch.labels.tolist()] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(batch.labels.tolist() == numbers(batch) for batch in shown)
    plain = opened(tmp_path, labelled=False)
    plain.prepare()
    for workers in (0, 1):
        assert take(1, plain, workers=workers)[0].labels is None
    assert pickle.loads(pickle.dumps(opened(tmp_path, cache=0))).labels == dataset.labels


def test_labels_stay_with_their_pictures_when_files_are_left_out(tmp_path: Path):
    root = classes(tmp_path)
    (root / "a" / "2.png").write_bytes(b"gone bad")
    dataset = opened(root, skip_bad=True)
    assert len(dataset.prepare()) == 1
    for batch in held_out(dataset, 4):
        assert batch.labels is not None and batch.labels.tolist() == numbers(batch)


def test_moving_a_batch_leaves_labels_whole():
    labels = torch.tensor([3, 1])
    batch = Batch(torch.zeros(2, 1, 4, 4), None, ("one", "two"), labels)
    moved = batch.to(torch.device("cpu"), torch.float64, torch.channels_last)
    assert moved.a.dtype == torch.float64 and moved.labels is not None
    assert moved.labels.dtype == torch.int64 and torch.equal(moved.labels, labels)
    assert Batch(batch.a, None, batch.files).labels is None


def test_labels_are_of_single_images(tmp_path: Path):
    write(tmp_path, "A/1.png", "B/1.png")
    labels = read(tmp_path)
    assert labels.names == ("A", "B")
    with pytest.raises(ValueError, match="not of paired"):
        open_split(detect(tmp_path, "paired"), "train", "paired", DataSettings(), 0, labels=labels)


# idx files

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
CLASSES = np.array([7, 0, 7, 12, 0, 7], np.uint8)


def idx_file(path: Path, array: np.ndarray, *, packed: bool = False, kind: int = 8) -> Path:
    header = bytes([0, 0, kind, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_become_a_folder_a_class(tmp_path: Path, packed: bool):
    pictures = idx_file(tmp_path / "pictures", PIXELS, packed=packed)
    labels = idx_file(tmp_path / "labels", CLASSES, packed=packed)
    told: list[tuple[int, int]] = []
    assert idx.unpack(pictures, tmp_path / "out", labels, lambda *now: told.append(now)) == 6
    assert told == [(number, 6) for number in range(1, 7)]
    found = read(tmp_path / "out")
    assert found.names == ("0", "7", "12")
    for path, number in found.of.items():
        index = int(path.stem)
        assert path.name == f"{index:05d}.png" and found.names[number] == str(CLASSES[index])
        assert np.array_equal(images.read_pixels(path)[..., 0], PIXELS[index])
    assert len(found.of) == 6


def test_idx_pictures_alone(tmp_path: Path):
    assert idx.unpack(idx_file(tmp_path / "pictures", PIXELS), tmp_path / "out") == 6
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"0000{number}.png" for number in range(6)]


def damaged(path: Path) -> dict[str, Path]:
    packed = gzip.compress(idx_file(path / "whole", PIXELS).read_bytes())
    content = {
        "text": b"what",
        "empty": b"",
        "header": b"\0\0\x08\x03\0\0",
        "short": (path / "whole").read_bytes()[:-1],
        "long": (path / "whole").read_bytes() + b"\0",
        "cut": packed[:-20],
        "flipped": packed[:30] + bytes([packed[30] ^ 255]) + packed[31:],
    }
    for name, data in content.items():
        (path / name).write_bytes(data)
    idx_file(path / "labels", CLASSES)
    idx_file(path / "wide", PIXELS.astype(np.int32), kind=0x0C)
    idx_file(path / "deep", PIXELS[None])
    idx_file(path / "none", PIXELS[:0])
    return {name.name: name for name in path.iterdir()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text", "no idx file: it begins with 77 68 61 74"),
        ("empty", "begins with nothing"),
        ("header", "ends within its header, after 6 bytes"),
        ("short", "header says 6x5x4 bytes, but 119 follow"),
        ("long", "header says 6x5x4 bytes, but 121 follow"),
        ("cut", "cut is damaged: it cannot be decompressed"),
        ("flipped", "flipped is damaged: it cannot be decompressed"),
        ("labels", r"labels holds labels \(idx1\); pictures \(idx3\) of bytes begin with 00 00 08 03"),
        ("wide", "numbers of type 0x0c, not bytes"),
        ("deep", "holds 4 dimensions"),
        ("none", "holds no pictures: its header says 0x5x4"),
        ("absent", "absent cannot be read: No such file"),
    ],
)
def test_files_that_are_no_idx_are_refused(tmp_path: Path, name: str, words: str):
    (tmp_path / "in").mkdir()
    file = damaged(tmp_path / "in").get(name, tmp_path / "in" / "absent")
    with pytest.raises(DataError, match=words):
        idx.unpack(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_idx_counts_differ_or_the_place_is_taken(tmp_path: Path):
    pictures = idx_file(tmp_path / "pictures", PIXELS)
    with pytest.raises(DataError, match="holds 6 pictures but .*labels 5 labels"):
        idx.unpack(pictures, tmp_path / "out", idx_file(tmp_path / "labels", CLASSES[:5]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="exists and is not empty"):
        idx.unpack(pictures, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_the_verb(tmp_path: Path):
    pictures, labels = idx_file(tmp_path / "p", PIXELS), idx_file(tmp_path / "l", CLASSES)
    done = CliRunner().invoke(app, ["idx", str(pictures), "--labels", str(labels), str(tmp_path / "out")])
    assert done.exit_code == 0 and "6 images, a folder a class" in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "12", "7"]


@pytest.mark.skipif(not MNIST.is_dir(), reason="shared/data/mnist is not here")
def test_mnist_as_published():
    pixels = idx.read(MNIST / "t10k-images-idx3-ubyte.gz", 3)
    labels = idx.read(MNIST / "t10k-labels-idx1-ubyte.gz", 1)
    assert pixels.shape == (10000, 28, 28) and labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert Counter(labels.tolist())[1] == 1135 and pixels.max() == 255
