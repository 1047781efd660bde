"""Folders repainted: file fidelity, sizes, masks, clips taken up again, metadata. A stand-in paints, in no time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from icc import WIDE
from PIL import Image
from test_convert import names
from test_convert_again import times

from translate import images
from translate.config import ConvertSettings, StylingSettings
from translate.convert import Summary
from translate.convert.plan import Job, Plan
from translate.convert.work import Worker
from translate.errors import ConfigError
from translate.images import Picture, read
from translate.loading import load
from translate.stylize.folder import both, paint_folder, places_of
from translate.stylize.kinds import Before, Progress
from translate.stylize.paintings import check_counts
from translate.stylize.restyling import Restyling
from translate.stylize.watching import Frames

ABOUT = "translate stylize: stand-in, sliced, étoiles.jpg, seed 0"


class Shifted:
    """Paints by the contract of Stylizer: half of the picture, and red where the first painting goes."""

    described, key, about = {"features": "stand-in"}, "key", ABOUT
    device = torch.device("cpu")

    def __init__(self, steps: int = 3) -> None:
        self.steps, self.seen = steps, list[tuple[int, int]]()
        self.befores = list[Before | None]()

    def paint(
        self,
        content: np.ndarray,
        *,
        masks: Sequence[np.ndarray | None] = (),
        before: Before | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> np.ndarray:
        assert content.dtype == np.float32 and content.ndim == 3 and content.shape[2] == 3
        assert np.abs(content).max() <= 1
        self.seen.append(content.shape[:2])
        self.befores.append(before)
        if before is not None:
            assert before.made.shape == before.content.shape == content.shape
        made = content / 2 if before is None else content / 2 + before.made / 4 - before.content / 8
        first = masks[0] if masks else None
        made[..., 0] += 0.25 if first is None else 0.25 * first
        for step in range(1, self.steps + 1):
            if watch:
                watch(Progress(step, self.steps, step / self.steps, *content.shape[:2], 1.0, 0.5, 0.0, lambda: made))
        return made.astype(np.float32)


def paint(source: Path, target: Path, painter: Shifted | None = None, count: int = 1, **given: Any) -> Summary:
    """With the settings of both groups in `given`; checks that everything went well unless told otherwise."""
    styling = StylingSettings.checked({k: v for k, v in given.items() if k in StylingSettings.model_fields})
    settings = {k: v for k, v in given.items() if k not in StylingSettings.model_fields}
    check_counts(count, styling)
    places = places_of(styling, count)
    return paint_folder(painter or Shifted(), places, source, target, styling=styling, **settings)


def wanted(pixels: np.ndarray) -> np.ndarray:
    """What the stand-in makes of pixels (H, W, C), by hand."""
    values = np.broadcast_to(images.to_depth(pixels, np.float32), (*pixels.shape[:2], 3)) / 2
    values = values + np.array([0.25, 0, 0], np.float32)
    return images.to_depth(values.astype(np.float32), pixels.dtype)


def noise(height: int = 20, width: int = 30, count: int = 3, dtype: Any = np.uint8, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return draw.uniform(-1, 1, (height, width, count)).astype(dtype)
    return draw.integers(0, np.iinfo(dtype).max, (height, width, count), dtype, endpoint=True)


def put(path: Path, picture: Picture) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, picture)
    return path


# Files


def test_size_and_depth_are_those_of_the_input(tmp_path: Path):
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:, :9] = 0
    given = {
        "rgb.png": Picture(noise()),
        "grey.png": Picture(noise(count=1)),
        "deep.png": Picture(noise(dtype=np.uint16)),
        "deep.tif": Picture(noise(dtype=np.uint16)),
        "deep grey.png": Picture(noise(count=1, dtype=np.uint16)),
        "float.tif": Picture(noise(dtype=np.float32)),
        "alpha.png": Picture(noise(), alpha),
        "alpha.webp": Picture(noise(), alpha, lossless=True, format="WEBP"),
        "tiny.png": Picture(noise(16, 16)),
        "dot.png": Picture(noise(1, 1)),
    }
    for name, picture in given.items():
        put(tmp_path / "in" / name, picture)
    put(tmp_path / "in" / "wide.png", Picture(noise(), profile=WIDE["adobe"]))
    put(tmp_path / "in" / "photo.jpg", Picture(noise()))
    summary = paint(tmp_path / "in", tmp_path / "out")
    assert not summary.failed and summary.translated == 12 and summary.engine == "torch on cpu"
    for name, picture in given.items():
        after = read(tmp_path / "out" / name)
        visible = slice(None) if picture.alpha is None else picture.alpha > 0
        assert after.pixels.dtype == picture.pixels.dtype
        assert np.allclose(after.pixels[visible], wanted(picture.pixels)[visible], atol=1e-6), name
        if picture.alpha is not None:
            assert after.alpha is not None and np.array_equal(after.alpha, alpha)
            assert np.array_equal(after.pixels[:, :9], picture.pixels[:, :9])
    assert read(tmp_path / "out" / "wide.png").profile == WIDE["adobe"]
    assert read(tmp_path / "out" / "photo.jpg").format == "JPEG"


def test_a_picture_to_a_file_and_a_bad_file_is_named(tmp_path: Path):
    put(tmp_path / "in" / "a.png", Picture(noise()))
    put(tmp_path / "in" / "c.png", Picture(noise(seed=1)))
    (tmp_path / "in" / "b.png").write_bytes((tmp_path / "in" / "a.png").read_bytes()[:90])
    np.save(tmp_path / "in" / "four.npy", noise(count=4))
    summary = paint(tmp_path / "in", tmp_path / "out")
    assert summary.translated == 2 and names(tmp_path / "out") == ["a.png", "c.png"]
    assert sorted(Path(name).name for name in summary.failed) == ["b.png", "four.npy"]
    assert "4 channels" in summary.failed[str(tmp_path / "in" / "four.npy")]
    assert paint(tmp_path / "in" / "a.png", tmp_path / "b" / "one.jpg", quality=100).translated == 1
    assert read(tmp_path / "b" / "one.jpg").format in ("PNG", "JPEG")


def test_only_what_is_missing_or_out_of_date_is_made(tmp_path: Path):
    for index in range(4):
        put(tmp_path / "in" / f"{index}.png", Picture(noise(seed=index)))
    source, out = tmp_path / "in", tmp_path / "out"
    assert paint(source, out).translated == 4
    before = times(out)
    (out / "2.png").unlink()
    again = paint(source, out)
    assert (again.translated, again.skipped) == (1, 3)
    assert {name for name, when in times(out).items() if before[name] != when} == {"2.png"}
    assert paint(source, out, seed=1).translated == 4 and paint(source, out, seed=1).translated == 0
    assert paint(source, out, seed=1, size=24).translated == 4
    painter = Shifted()
    painter.key = "another"
    assert paint(source, out, painter, seed=1, size=24, dry_run=True).translated == 4 and not painter.seen


def test_no_two_are_painted_at_once(tmp_path: Path):
    class Alone(Shifted):
        inside = 0

        def paint(self, *given: Any, **more: Any) -> np.ndarray:
            self.inside += 1
            assert self.inside == 1
            made = super().paint(*given, **more)
            self.inside -= 1
            return made

    for index in range(12):
        put(tmp_path / "in" / f"{index}.png", Picture(noise(40, 40, seed=index)))
    assert paint(tmp_path / "in", tmp_path / "out", Alone()).translated == 12


# Sizes


@pytest.mark.parametrize(("size", "shape"), [(60, (40, 60)), (18, (12, 18)), (None, (20, 30)), (30, (20, 30))])
def test_size_is_that_of_the_longer_side(tmp_path: Path, size: int | None, shape: tuple[int, int]):
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:, :15] = 0
    put(tmp_path / "in" / "a.png", Picture(noise(), alpha))
    painter = Shifted()
    paint(tmp_path / "in", tmp_path / "out", painter, size=size)
    after = read(tmp_path / "out" / "a.png")
    assert painter.seen == [shape] and after.pixels.shape == (*shape, 3)
    assert after.alpha is not None and after.alpha.shape == shape
    half = shape[1] // 2
    assert (after.alpha[:, : half - 4] == 0).all() and (after.alpha[:, half + 4 :] == 255).all()


def test_exif_says_the_new_size(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003] = 30, 20
    (tmp_path / "in").mkdir()
    Image.fromarray(noise()).save(tmp_path / "in" / "a.jpg", exif=exif)
    paint(tmp_path / "in", tmp_path / "out", size=90)
    with Image.open(tmp_path / "out" / "a.jpg") as image:
        assert image.size == (90, 60) and image.getexif()[0x010F] == "a maker"
        assert [image.getexif().get_ifd(0x8769)[number] for number in (0xA002, 0xA003)] == [90, 60]


def test_hidden_colours_do_not_show_at_an_edge(tmp_path: Path):
    pixels, alpha = np.zeros((20, 30, 3), np.uint8), np.full((20, 30), 255, np.uint8)
    pixels[:, :15], alpha[:, :15] = 255, 0
    assert (images.scaled(Picture(pixels, alpha), 40, 60).pixels == 0).all()


def test_too_large_a_size_is_refused(tmp_path: Path):
    put(tmp_path / "in" / "a.png", Picture(noise()))
    summary = paint(tmp_path / "in", tmp_path / "out", size=300, max_pixels=50_000)
    (reason,) = summary.failed.values()
    assert "300 x 200" in reason and "--max-pixels 60000" in reason and summary.translated == 0


def test_memory_is_weighed_at_the_larger_size(tmp_path: Path):
    source = put(tmp_path / "a.png", Picture(noise()))
    weighed = []
    for size in (None, 300, 18):
        styling = StylingSettings.checked({} if size is None else {"size": size})
        rendering = Restyling(Shifted(), styling, places_of(styling, 1))
        translator = load("identity").using(rendering=rendering)
        places = (tmp_path, tmp_path / "out")
        worker = Worker(translator, "AtoB", ConvertSettings.checked({}), "", None, places, lambda seen: None)
        weighed.append(worker.weigh(Job(source, tmp_path / "out" / "a.png", "a.png")))
    assert weighed == [0, 24 * 200 * 300, 24 * 20 * 30]  # a small file counts only where it comes out large


# Followed on the way


def test_pictures_under_way_are_saved(tmp_path: Path):
    for name in ("a.png", "sub/a.jpg"):
        put(tmp_path / "in" / name, Picture(noise()))
    frames, told = Frames(tmp_path / "steps", 10), list[tuple[str, int]]()
    follow = both(lambda name, progress: told.append((name, progress.done)), frames)
    paint(tmp_path / "in", tmp_path / "out", Shifted(steps=25), follow=follow)
    assert names(tmp_path / "steps") == [
        f"{name}/0000{step}.png" for name in ("a.png", "sub/a.jpg") for step in (10, 20)
    ]
    assert np.array_equal(read(tmp_path / "steps" / "a.png" / "000010.png").pixels, wanted(noise()))
    assert sorted(told) == sorted((name, step) for name in ("a.png", "sub/a.jpg") for step in range(1, 26))


def test_pictures_under_way_are_kept_out_of_the_input(tmp_path: Path):
    put(tmp_path / "in" / "a.png", Picture(noise()))
    for place in (tmp_path / "in", tmp_path / "in" / "steps"):
        with pytest.raises(ConfigError, match="taken for inputs"):
            Frames(place).refuse_input(tmp_path / "in")
    with pytest.raises(ConfigError, match="is a file"):
        Frames(tmp_path / "in" / "a.png")


def test_pictures_under_way_are_kept_out_of_the_outputs(tmp_path: Path):
    photo, out = put(tmp_path / "in" / "a.png", Picture(noise())), tmp_path / "out"

    def refused(watch: Path, source: Path, target: Path) -> bool:
        plan = Plan(source, target, ConvertSettings.checked({}), 3)
        try:
            Frames(watch).refuse_output(plan)
        except ConfigError as error:
            assert f"--watch {watch} " in str(error)
            return True
        return False

    assert refused(out, tmp_path / "in", out) and refused(out / "steps", tmp_path / "in", out)
    assert not refused(tmp_path / "steps", tmp_path / "in", out) and not refused(tmp_path, tmp_path / "in", out)
    for target in (out, out / "b.png"):
        assert refused(out, photo, target) and not refused(out / "steps", photo, target)
    assert refused(out / "b.png", photo, out / "b.png") and refused(out / "b.png" / "c", photo, out / "b.png")


def test_a_report_says_what_painted(tmp_path: Path):
    import json

    put(tmp_path / "in" / "a.png", Picture(noise()))
    paint(tmp_path / "in", tmp_path / "out", report=tmp_path / "report.json")
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["mode"] == "stylize" and told["features"] == "stand-in"
