"""Hostile and odd files: every one is read, seen, written and read again as it should be, or refused by name."""

import os
import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from odd_files import Case
from odder_files import CASES, wholes
from PIL import Image

import translate
from translate import images
from translate.convert import convert
from translate.errors import ImageError


def test_the_corpus_is_large():
    table = Counter((family, "refused" if case.refused else "kept") for family, case in CASES)
    assert len(CASES) >= 150, table


@pytest.mark.parametrize(("family", "case"), CASES, ids=[f"{family}-{case.name!a}" for family, case in CASES])
def test_each(tmp_path: Path, family: str, case: Case):
    path = tmp_path / case.name
    path.write_bytes(case.data)
    if case.pixels is None:
        with pytest.raises(ImageError, match=case.refused) as caught:
            images.read(path)
        assert str(path) in str(caught.value)
        return
    picture = images.read(path)
    assert picture.pixels.dtype == case.pixels.dtype
    assert picture.pixels.shape == case.pixels.shape == (*images.size(path), images.channels(path))
    assert picture.pixels.flags.c_contiguous
    assert (picture.alpha is None) == (case.alpha is None)
    if case.lossy:
        assert np.abs(picture.pixels.astype(float) - case.pixels).mean() < 6
    else:
        assert np.array_equal(picture.pixels, case.pixels)
    assert picture.alpha is None or np.array_equal(picture.alpha, case.alpha)
    assert (
        any(case.note in note for note in picture.notes) if case.note else not picture.notes or "64" in picture.notes[0]
    )
    again = there_and_back(tmp_path, picture)
    assert again.pixels.dtype == picture.pixels.dtype and again.pixels.shape == picture.pixels.shape
    assert again.alpha is None or np.array_equal(again.alpha, picture.alpha)
    if case.lossy and picture.format in ("JPEG", "WEBP", "AVIF"):
        assert np.abs(again.pixels.astype(float) - picture.pixels).mean() < 6
    elif picture.pixels.dtype == np.float32:
        assert np.allclose(again.pixels, picture.pixels, atol=2e-7)
    else:
        assert np.array_equal(again.pixels, picture.pixels)


def test_a_folder_of_them_all_is_converted(tmp_path: Path):
    cases, source, target = {case.name: case for _, case in CASES}, tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for case in cases.values():
        (source / case.name).write_bytes(case.data)
    summary = convert(translate.load("identity"), source, target)
    refused = {name for name, case in cases.items() if case.pixels is None}
    assert {Path(path).name for path in summary.failed} == refused
    assert all(
        path in said and re.search(cases[Path(path).name].refused, said) for path, said in summary.failed.items()
    )
    assert {path.name for path in images.list_images(target)} == set(cases) - refused
    assert summary.translated == len(cases) - len(refused)
    for name, case in cases.items():
        if case.pixels is None:
            continue
        made = images.read(target / name)
        assert made.pixels.dtype == case.pixels.dtype and made.pixels.shape == case.pixels.shape, name
        far = np.abs(made.pixels.astype(float) - case.pixels)
        assert far.mean() < 6 if case.lossy else not far.any(), name
        assert (made.alpha is None) == (case.alpha is None), name
        assert made.alpha is None or np.array_equal(made.alpha, case.alpha), name


def there_and_back(folder: Path, picture: images.Picture) -> images.Picture:
    """As a network that changes nothing would have it."""
    seen = images.to_model(picture)
    back = images.from_model(seen, picture)
    suffix = images.suffix_of(picture)
    (folder / f"again{suffix}").write_bytes(images.encode(back, suffix))
    again = images.read(folder / f"again{suffix}")
    assert again.format == picture.format
    assert (again.alpha is None) == (picture.alpha is None)
    return again


WHOLES = list(wholes())


@pytest.mark.parametrize(("name", "data"), WHOLES, ids=[name for name, _ in WHOLES])
def test_cut_files_are_refused_or_whole(tmp_path: Path, name: str, data: bytes):
    path = tmp_path / name
    path.write_bytes(data)
    whole = images.read(path)
    refused = 0
    for length in {len(data) * step // 20 for step in range(20)} | {len(data) - step for step in (1, 2, 8)}:
        path.write_bytes(data[:length])
        try:
            cut = images.read(path)
        except ImageError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert length > len(data) * 0.98, f"{length} of {len(data)} bytes were enough"
            assert np.array_equal(cut.pixels, whole.pixels), f"{length} of {len(data)} bytes gave another picture"
    assert refused >= 20


def test_what_is_no_file_is_refused(tmp_path: Path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "end.png"))
        for name in ("folder.png", "pipe.png", "gone.png", "round.png", "device.png", "end.png", "missing.png"):
            for look in (images.read, images.size, images.channels):
                with pytest.raises(ImageError, match=name):
                    look(tmp_path / name)


def test_unreadable_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # chmod does not stop root
    with pytest.raises(ImageError, match=r"x\.png: Permission denied"):
        images.read(tmp_path / "x.png")


def test_a_damaged_byte_is_no_other_exception(tmp_path: Path):
    chance = np.random.default_rng(3)
    for name, data in WHOLES:
        for _ in range(25):
            broken = bytearray(data)
            for place in chance.integers(0, len(data), 3):
                broken[place] = chance.integers(256)
            (tmp_path / name).write_bytes(broken)
            try:
                images.read(tmp_path / name, most_pixels=10**6)
            except ImageError as error:
                assert name in str(error)


def test_sixteen_threads_agree(tmp_path: Path):
    cases = [case for _, case in CASES if case.pixels is not None and "\n" not in case.name]
    for case in cases:
        (tmp_path / case.name).write_bytes(case.data)

    def look(case: Case) -> bool:
        picture = images.read(tmp_path / case.name)
        again = images.encode(images.from_model(images.to_model(picture), picture), images.suffix_of(picture))
        return bool(again) and (case.lossy or np.array_equal(picture.pixels, case.pixels))

    before = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(look, cases * 2))
    assert before == Image.MAX_IMAGE_PIXELS
