"""What a picture's metadata say of how it was made: beside what stood there, in every format that can hold it."""

import os
from pathlib import Path

import pytest
from PIL import Image
from test_images_carried import NOTE, block
from test_stylize_folder import ABOUT, Shifted, noise, paint, put

from translate import images
from translate.images import Picture, read
from translate.images.signature import SOFTWARE


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("had", [None, "An Editor 2"])
def test_how_it_was_painted_stands_in_the_metadata(tmp_path: Path, suffix: str, had: str | None):
    if suffix not in images.SUFFIXES:
        pytest.skip(f"this Pillow writes no {suffix}")
    exif = Image.Exif()
    if had:
        exif[SOFTWARE], exif[0x010F] = had, "a maker"
        exif.get_ifd(0x8769)[0x927C] = bytes(range(256))
    (tmp_path / "in").mkdir()
    Image.fromarray(noise()).save(tmp_path / "in" / f"a{suffix}", exif=exif)
    summary = paint(tmp_path / "in", tmp_path / "out")
    assert not summary.notes, "what is added must not be called lost"
    after = read(tmp_path / "out" / f"a{suffix}")
    assert images.signature(after) == (f"{had}; {ABOUT}" if had else ABOUT)
    with Image.open(tmp_path / "out" / f"a{suffix}") as image:
        told = image.getexif()
        assert ABOUT in told[SOFTWARE].encode("latin-1").decode()
        if had:
            assert told[0x010F] == "a maker"
            if suffix != ".tif":  # into which Pillow wrote none
                assert told.get_ifd(0x8769)[0x927C] == bytes(range(256))
    paint(tmp_path / "in", tmp_path / "bare", strip_metadata=True)
    assert images.signature(read(tmp_path / "bare" / f"a{suffix}")) == ""


def test_a_gif_says_it_in_its_comment_and_others_stay_silent(tmp_path: Path):
    put(tmp_path / "in" / "a.gif", Picture(noise(), comment=b"drawn by hand"))
    put(tmp_path / "in" / "b.bmp", Picture(noise()))
    assert not paint(tmp_path / "in", tmp_path / "out").failed
    assert read(tmp_path / "out" / "a.gif").comment == b"drawn by hand; " + ABOUT.encode()


def test_signing_moves_nothing_and_says_nothing_twice():
    for order in "<>":
        once = images.signed(Picture(noise(), exif=block(6, order)), ABOUT, ".png")
        assert once.exif is not None and once.exif[14 : len(block(6, order))] == block(6, order)[14:]
        assert once.exif.index(NOTE) == block(6, order).index(NOTE)
        assert images.signed(once, ABOUT, ".png").exif == once.exif
        assert images.signature(images.signed(once, "two\nlines", ".jpg")) == f"{ABOUT}; two lines"
    longer = images.signed(Picture(noise()), "a; seed 12", ".png")
    assert images.signature(images.signed(longer, "seed 1", ".png")) == "a; seed 12; seed 1"
    assert images.signature(images.signed(longer, "seed 12", ".png")) == "a; seed 12"
    full = Picture(noise(), exif=b"Exif\0\0" + block()[6:] + bytes(65533 - len(block())))
    assert images.signed(full, ABOUT, ".jpg").exif == full.exif
    broken = Picture(noise(), exif=b"Exif\0\0II*\0")
    assert images.signed(broken, ABOUT, ".jpg").exif == broken.exif


def test_a_name_that_no_text_can_hold_fails_no_picture(tmp_path: Path):
    painter = Shifted()
    painter.about = f"by {os.fsdecode(bytes([0xFF]))}.jpg"
    for name in ("a.png", "b.gif"):
        put(tmp_path / "in" / name, Picture(noise()))
    assert not paint(tmp_path / "in", tmp_path / "out", painter).failed
    assert images.signature(read(tmp_path / "out" / "a.png")) == "by ?.jpg"
    assert read(tmp_path / "out" / "b.gif").comment == b"by ?.jpg"
    assert paint(tmp_path / "in", tmp_path / "out", painter).skipped == 2
