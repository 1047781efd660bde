"""The loader: batches that follow from (seed, number) alone, for any workers, processes and beginning."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from translate import images
from translate.config import DataSettings
from translate.data import Batch, batches_per_epoch, default_workers, detect, held_out, open_split, stream
from translate.data.dataset import ImageDataset
from translate.errors import ConfigError, DataError, ImageError, TranslateError
from translate.images import Picture

COUNT = 11


def folders(root: Path, count: int = COUNT) -> Path:
    for domain, first in (("A", 0), ("B", 1000)):
        (root / domain).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng(first + index).integers(0, 256, (40, 40, 3), np.uint8)
            images.write(root / domain / f"{index:02}.png", Picture(pixels))
    return root


def dataset(root: Path, kind: str = "unpaired", **settings) -> ImageDataset:
    checked = DataSettings.checked({"size": 32, "preprocess": "crop"} | settings)
    made = open_split(detect(root, kind), "train", kind, checked, seed=5)
    made.prepare()
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders(tmp_path_factory.mktemp("data"))


def take(count: int, source: ImageDataset, **options) -> list[Batch]:
    batches = stream(source, **{"batch_size": 4, "seed": 5, "workers": 0} | options)
    try:
        return list(islice(batches, count))
    finally:
        batches.close()


def assert_equal(one: list[Batch], two: list[Batch]) -> None:
    assert len(one) == len(two)
    for first, second in zip(one, two, strict=True):
        assert first.files == second.files
        assert torch.equal(first.a, second.a)
        assert first.b is not None and second.b is not None and torch.equal(first.b, second.b)


@pytest.mark.parametrize("cache", [0, 16])
@pytest.mark.parametrize("kind", ["paired", "unpaired"])
def test_any_number_of_workers_gives_the_same_batches(root: Path, kind: str, cache: int):
    source = dataset(root, kind, cache=cache, jitter=0.3, turn=True)
    alone = take(7, source)
    for workers in (2, 4):
        assert_equal(take(7, source, workers=workers), alone)


def test_batches_are_float_in_range(root: Path):
    (batch,) = take(1, dataset(root))
    assert batch.a.dtype == torch.float32 and batch.a.shape == (4, 3, 32, 32) and batch.a.is_contiguous()
    assert batch.a.min() >= -1 and batch.a.max() <= 1
    assert len(batch.files) == 4


def test_a_direction_turns_only_the_oriented_pair(root: Path):
    (batch,) = take(1, dataset(root, "paired"))
    assert batch.oriented("AtoB")[0] is batch.a and batch.oriented("AtoB")[1] is batch.b
    assert batch.oriented("BtoA")[0] is batch.b and batch.oriented("BtoA")[1] is batch.a
    assert batch.b is not None and not torch.equal(batch.a, batch.b)


def test_workers_share_no_draws_and_epochs_differ(tmp_path: Path):
    """Every image is the same, so that equal crops could only come from equal draws."""
    for domain in "AB":
        (tmp_path / domain).mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
        for index in range(8):
            images.write(tmp_path / domain / f"{index}.png", Picture(pixels))
    batches = take(8, dataset(tmp_path, "paired", size=16), batch_size=4, workers=2)
    crops = torch.cat([batch.a for batch in batches])
    assert len(torch.unique(crops, dim=0)) == len(crops)


def test_every_epoch_shows_every_image_once_in_another_order(root: Path):
    source = dataset(root, "paired")
    assert batches_per_epoch(source, 4) == 2 and batches_per_epoch(source, 11) == 1
    orders = [batch.files for batch in take(3, source, batch_size=11)]
    assert all(len(set(order)) == COUNT for order in orders)
    assert len(set(orders)) == 3


def test_starting_later_equals_skipping(root: Path):
    source = dataset(root)
    whole = take(9, source)
    for start in (1, 2, 5):
        assert_equal(take(9 - start, source, start=start), whole[start:])
    assert_equal(take(4, source, start=5, workers=2), whole[5:])


def test_two_processes_share_a_batch(root: Path):
    source = dataset(root)
    parts = [take(5, source, rank=rank, world=2) for rank in (0, 1)]
    together = [
        Batch(torch.cat([one.a, two.a]), torch.cat([one.b, two.b]), one.files + two.files)
        for one, two in zip(*parts, strict=True)
    ]
    assert_equal(together, take(5, source))


def test_the_global_generators_are_left_alone(root: Path):
    source = dataset(root)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    take(2, source)
    take(2, source, workers=1)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_batch_sizes_that_cannot_be_are_refused(root: Path):
    source = dataset(root)
    with pytest.raises(DataError, match="--batch-size 12 .*11 images"):
        stream(source, batch_size=12, seed=0, workers=0)
    with pytest.raises(DataError, match="--batch-size 12 .*11 images"):
        batches_per_epoch(source, 12)
    with pytest.raises(ConfigError, match="--batch-size 3 .*2 processes"):
        stream(source, batch_size=3, seed=0, workers=0, world=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_worker_has_its_own_words(tmp_path: Path, workers: int):
    source = dataset(folders(tmp_path), cache=0)
    (tmp_path / "B" / "03.png").write_bytes(b"gone bad")
    with pytest.raises(ImageError, match=r"03\.png") as error:
        take(5, source, workers=workers)
    assert "Traceback" not in str(error.value)


def test_closing_ends_the_workers(root: Path):
    batches = stream(dataset(root), batch_size=2, seed=0, workers=2)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_is_reported(root: Path):
    batches = stream(dataset(root), batch_size=2, seed=0, workers=1)
    next(batches)
    for worker in multiprocessing.active_children():
        worker.kill()
    with pytest.raises(TranslateError, match="--workers"):
        for _ in range(20):
            next(batches)


SCRIPT = """
import multiprocessing, sys, time
from pathlib import Path
from translate.config import DataSettings
from translate.data import detect, open_split, stream
print("run", flush=True)
source = open_split(detect(Path(sys.argv[1]), "unpaired"), "train", "unpaired", DataSettings(size=32), 0)
source.prepare()
batches = stream(source, batch_size=2, seed=0, workers=2)
next(batches)
try:
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("stopped", next(batches).a.shape[0], flush=True)
    batches.close()
"""


def start_script(tmp_path: Path, root: Path) -> tuple[subprocess.Popen, list[int]]:
    """A script without a `__main__` guard: workers that imported it would run it again."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "run\n"
    return process, [int(word) for word in process.stdout.readline().split()]


def _heed_interrupts() -> None:
    """What starts tests in the background has its children ignore Ctrl-C, and theirs too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until_gone(processes: list[int]) -> None:
    for _ in range(300):
        if not any(alive(process) for process in processes):
            return
        time.sleep(0.1)
    raise AssertionError("workers outlived their parent")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path, root: Path):
    process, workers = start_script(tmp_path, root)
    assert len(workers) == 2 and all(alive(worker) for worker in workers)
    process.kill()
    process.communicate()
    wait_until_gone(workers)


def test_an_interrupt_reaches_the_main_process_alone(tmp_path: Path, root: Path):
    process, workers = start_script(tmp_path, root)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (output, errors, process.returncode) == ("stopped 2\n", "", 0)
    wait_until_gone(workers)


def test_held_out_shows_every_image_once_in_order(tmp_path: Path):
    source = dataset(folders(tmp_path, 5), "paired")
    batches = list(held_out(source, 2))
    assert [len(batch.files) for batch in batches] == [2, 2, 1]
    assert [Path(name).stem for batch in batches for name in batch.files] == [f"{index:02}" for index in range(5)]
    assert_equal(batches, list(held_out(source, 2)))
    for domain in "AB":
        images.write(tmp_path / domain / "01.png", Picture(np.zeros((48, 40, 3), np.uint8)))
    whole = dataset(tmp_path, "paired", preprocess="none")
    assert [tuple(batch.a.shape[:3:2]) for batch in held_out(whole, 2)] == [(1, 40), (1, 48), (2, 40), (1, 40)]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpegs_are_what_pillow_makes_of_them(tmp_path: Path, channels: int):
    """With and without what needs a longer look than the short way through a bare file takes."""
    pixels = images.resize(np.random.default_rng(0).integers(0, 256, (9, 11, channels), np.uint8), 45, 67)
    picture = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter
    path = tmp_path / "1.jpg"
    for quality, sampling, progressive in product((30, 75, 100), (0, 1, 2), (False, True)):
        options = {"quality": quality, "subsampling": sampling, "progressive": progressive}
        for more in ({}, {"exif": exif}, {"comment": "so"}, {"restart_marker_blocks": 2}):
            picture.save(path, **options, **more)
            with Image.open(path) as opened:
                wanted = np.array(opened).reshape(45, 67, channels)
            assert np.array_equal(images.read_pixels(path), np.rot90(wanted, -1) if "exif" in more else wanted)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"1\.jpg.*truncated"):
        images.read_pixels(path)


def test_default_workers_leave_a_core():
    assert 0 <= default_workers() <= 4
