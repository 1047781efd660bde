"""Large files and those that claim to be: refused by their heads, before they are read."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from translate import images
from translate.errors import ImageError
from translate.images import reading


def sparse(path: Path, head: bytes) -> Path:
    """A file of 6 GiB, of which all but the head is a hole."""
    path.write_bytes(head)
    os.truncate(path, 6 << 30)
    return path


def saved(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200)).save(buffer, form, **({"lossless": True} if form == "WEBP" else {}))
    return buffer.getvalue()


HEADS = {
    "ppm": b"P6 300 200 255\n",
    "npy": b"",
    "lossy.webp": b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01*\x2c\x01\xc8\x00",
} | {form.lower(): b"" for form in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")}


@pytest.mark.parametrize("name", HEADS)
def test_too_many_pixels_are_refused_before_the_file_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    head = HEADS[name] or (saved(name.upper()) if name != "npy" else b"")
    if name == "npy":
        buffer = io.BytesIO()
        np.save(buffer, np.zeros((200, 300, 3), np.uint8))
        head = buffer.getvalue()
    path = sparse(tmp_path / f"x.{name}", head)
    monkeypatch.setattr(reading, "_decoded", lambda *_: pytest.fail("was read"))
    with pytest.raises(ImageError, match=r"60000 pixels, more pixels than the 59999 .*--max-pixels 60000"):
        images.read(path, most_pixels=59_999)


def test_a_large_file_that_is_no_image_is_refused_by_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = sparse(tmp_path / "huge.png", b"")
    monkeypatch.setattr(reading, "_decoded", lambda *_: pytest.fail("was read"))
    with pytest.raises(ImageError, match=r"huge\.png: not an image"):
        images.read(path)


def test_large_files_are_read_as_small_ones_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for suffix in images.FORMATS:
        if suffix == ".pgm":
            continue
        images.write(tmp_path / f"x{suffix}", images.Picture(pixels))
        monkeypatch.setattr(reading, "_LARGE", 1 << 22)
        small = images.read(tmp_path / f"x{suffix}", most_pixels=600)
        monkeypatch.setattr(reading, "_LARGE", 0)
        assert np.array_equal(images.read(tmp_path / f"x{suffix}", most_pixels=600).pixels, small.pixels)


def test_a_decoder_that_refuses_says_how_many_pixels(tmp_path: Path):
    path = tmp_path / "x.bmp"
    Image.new("L", (100, 100)).save(path)
    with pytest.raises(ImageError, match=r"10000 pixels, more pixels than the 4000 .*--max-pixels 10000"):
        images.read(path, most_pixels=4000)
