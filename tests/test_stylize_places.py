"""Where paintings go, and what may be a painting."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_convert import contents
from test_stylize_folder import Shifted, noise, paint, put, wanted

from translate.errors import ConfigError, DataError
from translate.images import Picture, read
from translate.stylize.paintings import listed, make_style


def test_what_no_painting_is_for_stays_bit_for_bit(tmp_path: Path):
    pixels = noise(dtype=np.uint16)
    put(tmp_path / "in" / "a.png", Picture(pixels))
    white = np.zeros((20, 30, 1), np.uint8)
    white[:, 20:] = 255
    mask = put(tmp_path / "mask.png", Picture(white))
    paint(tmp_path / "in", tmp_path / "out", mask=(str(mask),))
    after = read(tmp_path / "out" / "a.png").pixels
    assert np.array_equal(after[:, :20], pixels[:, :20]) and np.array_equal(after[:, 20:], wanted(pixels)[:, 20:])
    assert paint(tmp_path / "in", tmp_path / "out", mask=(str(mask),)).skipped == 1
    put(mask, Picture(255 - white))
    assert paint(tmp_path / "in", tmp_path / "out", mask=(str(mask),)).translated == 1
    after = read(tmp_path / "out" / "a.png").pixels
    assert np.array_equal(after[:, 20:], pixels[:, 20:])
    paint(tmp_path / "in", tmp_path / "all", mask=(str(mask), "none"), count=2)
    assert not np.array_equal(read(tmp_path / "all" / "a.png").pixels[:, 20:], pixels[:, 20:])
    paint(tmp_path / "in", tmp_path / "half", mask=(str(mask), "none"), style_weight=(1, 0), count=2)
    assert np.array_equal(read(tmp_path / "half" / "a.png").pixels[:, 20:], pixels[:, 20:])


def test_a_black_mask_leaves_the_file_as_it_was(tmp_path: Path):
    put(tmp_path / "in" / "a.jpg", Picture(noise()))
    mask = put(tmp_path / "mask.png", Picture(np.zeros((5, 5, 1), np.uint8)))
    painter = Shifted()
    paint(tmp_path / "in", tmp_path / "out", painter, mask=(str(mask),))
    assert contents(tmp_path / "out") == contents(tmp_path / "in") and not painter.seen
    frames = [Image.fromarray(noise(seed=seed)) for seed in (1, 2)]
    frames[0].save(tmp_path / "in" / "b.gif", save_all=True, append_images=frames[1:])
    summary = paint(tmp_path / "in", tmp_path / "out", mask=(str(mask),))
    assert contents(tmp_path / "out") == contents(tmp_path / "in") and not summary.notes  # nothing is lost
    assert paint(tmp_path / "in", tmp_path / "large", size=60, mask=(str(mask),)).translated == 2
    assert read(tmp_path / "large" / "a.jpg").pixels.shape == (40, 60, 3)


def test_what_a_lossy_format_does_to_the_rest_is_said(tmp_path: Path):
    put(tmp_path / "in" / "a.jpg", Picture(noise()))
    white = np.zeros((20, 30, 1), np.uint8)
    white[:, 20:] = 255
    mask = str(put(tmp_path / "mask.png", Picture(white)))
    said = "compresses what the mask keeps, too: --format png keeps it bit for bit"
    assert [note for note in paint(tmp_path / "in", tmp_path / "out", mask=(mask,)).notes if said in note]
    for more in ({"mask": (mask,), "format": "png"}, {"mask": ("none",)}, {"mask": (mask, "none"), "count": 2}, {}):
        summary = paint(tmp_path / "in", tmp_path / "other", overwrite=True, **more)
        assert summary.translated == 1 and not [note for note in summary.notes if said in note], more


def test_masks_of_a_folder_are_found_by_name_and_brought_to_size(tmp_path: Path):
    for name in ("a.png", "sub/b.jpg", "c.png"):
        put(tmp_path / "in" / name, Picture(noise()))
    white = np.zeros((40, 60, 1), np.uint8)
    white[:, 40:] = 255
    for name in ("a.webp", "sub/b.png"):
        put(tmp_path / "masks" / name, Picture(white))
    out, given = tmp_path / "out", {"mask": (str(tmp_path / "masks"),)}
    summary = paint(tmp_path / "in", out, **given)
    assert summary.translated == 2 and "there is no mask" in summary.failed[str(tmp_path / "in" / "c.png")]
    after = read(out / "a.png").pixels
    assert np.array_equal(after[:, :19], noise()[:, :19]) and np.array_equal(after[:, 21:], wanted(noise())[:, 21:])
    put(tmp_path / "masks" / "a.webp", Picture(255 - white))
    put(tmp_path / "masks" / "c.png", Picture(white))
    again = paint(tmp_path / "in", out, **given)
    assert (again.translated, again.skipped) == (2, 1)
    assert np.array_equal(read(out / "a.png").pixels[:, 21:], noise()[:, 21:])


def test_masks_that_are_not_there_end_at_once(tmp_path: Path):
    put(tmp_path / "in" / "a.png", Picture(noise()))
    with pytest.raises(ConfigError, match=r"no mask or folder of masks .*nowhere"):
        paint(tmp_path / "in", tmp_path / "out", mask=(str(tmp_path / "nowhere"),))
    with pytest.raises(ConfigError, match="2 paintings and 1 --mask"):
        paint(tmp_path / "in", tmp_path / "out", count=2, mask=("none",))


def test_paintings_are_files_folders_images_and_arrays(tmp_path: Path):
    put(tmp_path / "p" / "b.png", Picture(noise(count=1)))
    put(tmp_path / "p" / "a.tif", Picture(noise(dtype=np.uint16)))
    found = listed([tmp_path / "p", Image.fromarray(noise()), noise()])
    assert [each.name if isinstance(each, Path) else "" for each in found] == ["a.tif", "b.png", "", ""]
    styles = [make_style(each, 2.0, "none") for each in found]
    for style in styles:
        assert style.pixels.shape == (20, 30, 3) and style.pixels.dtype == np.float32 and style.weight == 2
    assert np.array_equal(styles[2].pixels, styles[3].pixels)
    white = np.zeros((10, 15, 1), np.uint8)
    white[:, 9:] = 255
    mask = make_style(noise(), 1.0, str(put(tmp_path / "mask.png", Picture(white)))).mask
    assert mask is not None and mask.shape == (20, 30) and mask[0, 0] == 0 and mask[0, -1] == 1


def test_paintings_that_will_not_do(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="holds 0 pictures"):
        listed([tmp_path / "empty"])
    with pytest.raises(DataError, match=r"bad\.png"):
        make_style(tmp_path / "bad.png", 1.0, "none")
    with pytest.raises(DataError, match="black"):
        make_style(noise(), 1.0, str(put(tmp_path / "m.png", Picture(np.zeros((4, 4, 1), np.uint8)))))
    with pytest.raises(DataError, match="channels"):
        make_style(noise(count=4), 1.0, "none")


def test_what_was_made_here_is_no_painting(tmp_path: Path):
    art = tmp_path / "art"
    for name in ("a.png", "more/b.png", "out/sub/c.png", "steps/d.png/000010.png", "old/sub/e.png", "one.png"):
        put(art / name, Picture(noise()))
    (art / "old" / ".translate").mkdir()
    without = [art / "out", art / "steps", art / "one.png"]
    assert listed([art], without) == [art / "a.png", art / "more" / "b.png"]
    assert listed([art / "old", art / "one.png"], without) == [art / "old" / "sub" / "e.png", art / "one.png"]
    assert listed([art / "more"], [tmp_path]) == [art / "more" / "b.png"]  # it lies in the output, not among outputs
    with pytest.raises(DataError, match="holds 0 pictures besides 1 that were made here"):
        listed([art / "out"], without)
