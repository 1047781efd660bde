"""translate colorize: folders of photographs of every kind, hints, variants, resuming, errors that name the thing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from icc import WIDE, profile
from odd_files import lit
from PIL import Image
from test_cli import call  # noqa: F401 (a fixture)
from test_colorize import chroma, in_colour, light_of, off_hints, photograph, saved, sepia
from test_convert_again import times

from translate import images, shipped
from translate.colorize import colorize
from translate.export import export
from translate.images import Picture, read
from translate.loading import load
from translate.rendering.colouring import LEFT, LEFT_HINTED

HINTS = '[{"x": 20, "y": 30, "colour": "#b04030"}]'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photographs of one size, one of them in a subfolder."""
    for seed, name in enumerate(("a.png", "b.png", "sub/c.png")):
        path = tmp_path / "photos" / name
        put(path, Picture(photograph(seed=seed)))
    return tmp_path / "photos"


def put(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.write(path, picture)


def made(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in images.list_images(folder)}


def pictures() -> dict[str, Picture]:
    """Of every kind, by the name of a file."""
    grey, deep = photograph(41, 27), photograph(41, 27, np.uint16)
    alpha = np.full((41, 27), 255, np.uint8)
    alpha[:, :9] = 0
    orientation = Image.Exif()
    orientation[0x0112] = 6
    return {
        "1x1.png": Picture(photograph(1, 1)),
        "1x9.png": Picture(photograph(1, 9)),
        "9x1.png": Picture(photograph(9, 1)),
        "deep.png": Picture(deep),
        "deep.tif": Picture(np.repeat(deep, 3, axis=2)),
        "rgb.png": Picture(np.repeat(grey, 3, axis=2)),
        "sepia.png": Picture(sepia(grey)),
        "clear.png": Picture(grey, alpha),
        "clear rgb.png": Picture(sepia(grey), alpha),
        "pgm.pgm": Picture(grey),
        "pgm16.pgm": Picture(deep),
        "grey.jpg": Picture(grey),
        "adobe.png": Picture(np.repeat(grey, 3, axis=2), profile=WIDE["adobe"]),
        "adobe16.png": Picture(np.repeat(deep, 3, axis=2), profile=WIDE["adobe"]),
        "gamma.png": Picture(grey, profile=profile("grey", 1.8)),
        "black.png": Picture(np.zeros((9, 7, 1), np.uint8)),
        "white.jpg": Picture(np.full((9, 7, 3), 255, np.uint8)),
    }


def test_every_kind_of_file(call: Any, model: Path, tmp_path: Path):  # noqa: F811
    source, out = tmp_path / "in", tmp_path / "out"
    for name, picture in pictures().items():
        put(source / name, picture)
    drawn = Image.fromarray(photograph(41, 27)[..., 0])
    drawn.quantize(64).save(source / "palette.png")
    drawn.point(lambda value: 255 * (value > 127)).convert("1").save(source / "bit.png")
    drawn.convert("RGB").convert("CMYK").save(source / "cmyk.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    drawn.save(source / "turned.jpg", exif=turned, quality=95)
    (source / "float.tif").write_bytes(lit(photograph(41, 27, np.float32) / 2 + 0.5))
    code, text = call("colorize", source, out, "--model", model, "--device", "cpu", "--saturation", 2)
    assert code == 0 and "22 translated" in text, text
    for path in images.list_images(source):
        target = out / path.name if path.suffix != ".pgm" else out / f"{path.stem}.ppm"
        before, after = read(path), read(target)
        grey_still = path.stem in ("black", "white", "bit")
        assert after.pixels.shape[:2] == before.pixels.shape[:2] and after.pixels.dtype == before.pixels.dtype
        assert after.pixels.shape[2] == 3 or grey_still, path
        one, two = light_of(images.to_model(before)), light_of(images.to_model(after))
        shown = slice(None) if before.alpha is None else before.alpha > 0
        lossy = path.suffix == ".jpg"
        assert np.abs(one - two)[shown].max() <= (8 if lossy else 0.5), path
        assert grey_still or np.abs(chroma(images.to_model(after))).mean() > 2 or min(one.shape) == 1, path
        assert after.format == before.format or path.suffix == ".pgm"
        if before.alpha is not None:
            assert after.alpha is not None and np.array_equal(after.alpha, before.alpha)
        if before.profile and before.pixels.shape[2] == 3:
            assert after.profile == before.profile
    assert read(out / "turned.jpg").pixels.shape[:2] == (27, 41)


def test_hidden_pixels_stay(call: Any, model: Path, tmp_path: Path):  # noqa: F811
    picture = pictures()["clear rgb.png"]
    put(tmp_path / "in" / "a.png", picture)
    assert call("colorize", tmp_path / "in", tmp_path / "out", "--model", model)[0] == 0
    after = read(tmp_path / "out" / "a.png")
    assert np.array_equal(after.pixels[:, :9], picture.pixels[:, :9])


def test_pictures_in_colour_are_left_and_named(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    put(photos / "colour.png", Picture(in_colour()))
    put(photos / "wide.png", Picture(in_colour(), profile=WIDE["adobe"]))
    code, text = call("colorize", photos, tmp_path / "out", "--model", model)
    assert code == 0 and "--recolor" in text and "(2 images: " in text
    for name in ("colour.png", "wide.png"):
        assert np.array_equal(read(tmp_path / "out" / name).pixels, in_colour())
    code, text = call("colorize", photos, tmp_path / "out", "--model", model, "--recolor")
    assert code == 0 and "5 translated" in text
    assert not np.array_equal(read(tmp_path / "out" / "colour.png").pixels, in_colour())


def test_hints_are_found_by_name_and_bad_ones_named(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    hints, out = tmp_path / "hints", tmp_path / "out"
    (hints / "sub").mkdir(parents=True)
    (hints / "a.json").write_text(HINTS)
    layer = np.zeros((60, 90), np.uint8)
    layer[28:33, 18:23] = 255
    drawn = np.broadcast_to(np.array([0xB0, 0x40, 0x30], np.uint8), (60, 90, 3))
    put(hints / "sub" / "c.png", Picture(drawn, layer))
    words = ["colorize", photos, out, "--model", model, "--hints", hints, "--tag", "_col"]
    assert call(*words)[0] == 0
    for name, dots in (("a", True), ("b", False), ("sub/c", True)):
        pixels, shown = photograph(seed="abc".index(name[-1])), read(out / f"{name}_col.png").pixels
        assert (off_hints(shown, pixels, [{"x": 20, "y": 30, "colour": "#b04030"}])[0] < 5) == dots
    code, text = call(*words)
    assert code == 0 and "0 translated" in text and "3 there already" in text
    (hints / "a.json").write_text(HINTS.replace("#b04030", "teal"))
    (hints / "b.json").write_text(HINTS.replace("20", "900"))
    code, text = call(*words)
    assert code == 1 and "1 translated" in text and "b.json" in text and "x = 900" in text and "1 there already" in text
    (hints / "b.json").unlink()
    assert "1 there already" not in call(*words)[1]
    code, text = call(*words, "-k", 2)
    assert code == 0 and "6 translated" in text
    for place in (1, 2):
        shown = read(out / f"a_col-{place}.png").pixels
        assert off_hints(shown, photograph(), [{"x": 20, "y": 30, "colour": "teal"}])[0] < 5


def test_hints_beside_the_photographs(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    (photos / "a.json").write_text(HINTS)
    code, text = call("colorize", photos, tmp_path / "out", "--model", model, "--hints", photos)
    assert code == 0, text
    shown = read(tmp_path / "out" / "a.png").pixels
    assert off_hints(shown, photograph(), [{"x": 20, "y": 30, "colour": "#b04030"}])[0] < 5


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "would be {hints}/a.json (or .png .webp .tif .tiff); there are none."),
        (["notes.txt", ".a.json"], "there are none."),
        (["d.json", "sub/a.png"], "would be {hints}/a.json (or .png .webp .tif .tiff); there is {hints}/d.json."),
        (["a.jpg"], "there is {hints}/a.jpg."),
        (["a.jpg.json"], "there is {hints}/a.jpg.json."),
    ],
)
def test_a_folder_of_hints_that_fit_no_picture_ends_at_once(
    call: Any,  # noqa: F811
    model: Path,
    photos: Path,
    tmp_path: Path,
    names: list[str],
    said: str,
):
    hints, out = tmp_path / "hints", tmp_path / "out"
    (hints / "sub").mkdir(parents=True)
    for name in names:
        (hints / name).write_text(HINTS)
    for source in (photos, photos / "a.png"):
        code, text = call("colorize", source, out, "--model", model, "--hints", hints)
        assert code == 2 and f"for {photos / 'a.png'} " in text and said.format(hints=hints) in text, text
        assert not out.exists()


def test_hints_are_counted_and_those_of_no_picture_named(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    hints, words = tmp_path / "hints", ["colorize", photos, tmp_path / "out", "--model", model, "--dry-run"]
    (hints / "sub").mkdir(parents=True)
    for name in ("a.png.json", "sub/c.JSON"):
        (hints / name).write_text(HINTS)
    code, text = call(*words, "--hints", hints)
    assert code == 0 and "2 of 3 pictures have hints." in text and "not used" not in text
    for name in ("x.json", "sub/a.json", "sub/b.PNG", "sub/d.jpg", "notes.txt"):
        (hints / name).write_text(HINTS)
    code, text = call(*words, "--hints", hints, "-k", 2)
    assert code == 0 and text.count("2 of 3 pictures have hints.") == text.count("4 files in") == 1
    named = f"{hints / 'x.json'}, {hints / 'sub/a.json'}, {hints / 'sub/b.PNG'} ..."
    assert f"4 files in {hints} not used, as hints of no picture: {named}. Hints are named as their picture" in text
    code, text = call(*words, "--hints", hints, "--exclude", "sub/")
    assert code == 0 and "1 of 2 pictures have hints." in text and "5 files" in text and "--exclude leave" in text
    code, text = call(*words, "--hints", hints, "--include", "b*")
    assert code == 2 and "that --include and --exclude leave" in text and f"would be {hints / 'b.json'}" in text
    code, text = call("colorize", photos / "a.png", tmp_path / "out", "--model", model, "--hints", hints, "--dry-run")
    assert code == 0 and "1 of 1 picture has hints." in text and "not used" not in text


def test_photographs_are_not_counted_as_hints_of_others(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    words = ["colorize", photos, tmp_path / "out", "--model", model, "--hints", photos]
    code, text = call(*words)
    assert code == 2 and "there are none" in text
    (photos / "a.json").write_text(HINTS)
    code, text = call(*words, "--dry-run")
    assert code == 0 and "1 of 3 pictures have hints." in text and "not used" not in text
    (photos / "sub" / "d.json").write_text(HINTS)
    code, text = call(*words, "--dry-run")
    assert code == 0 and f"1 file in {photos} not used, as hints of no picture: {photos / 'sub' / 'd.json'}." in text


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        ("hints.json", "[{", "is not JSON"),
        ("hints.json", "[]", "has 0 hints"),
        ("hints.json", '[{"x": 20, "y": 30, "colour": "redd"}]', "'redd' is not known"),
        ("hints.json", f"{HINTS[:-1]}, {HINTS[1:].replace('#b04030', 'teal')}", "hints 1 and 2 of 2 lie in one pixel"),
        ("hints.png", None, "no alpha channel"),
        ("hints.png", "", "hints.png"),
    ],
)
def test_one_broken_file_of_hints_ends_at_once(
    call: Any,  # noqa: F811
    model: Path,
    photos: Path,
    tmp_path: Path,
    name: str,
    what: str | None,
    said: str,
):
    if what is None:
        put(tmp_path / name, Picture(photograph()))
    else:
        (tmp_path / name).write_text(what)
    code, text = call("colorize", photos, tmp_path / "out", "--model", model, "--hints", tmp_path / name)
    assert code == 2 and said in text and "Traceback" not in text and not (tmp_path / "out").exists(), text


def test_places_of_one_file_of_hints_are_checked_on_each_picture(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    put(photos / "small.png", Picture(photograph(20, 20)))
    (tmp_path / "hints.json").write_text(HINTS)
    code, text = call("colorize", photos, tmp_path / "out", "--model", model, "--hints", tmp_path / "hints.json")
    assert code == 1 and "3 translated" in text and "1 failed" in text and "y = 30 lies outside" in text


def test_pictures_in_colour_say_that_their_hints_were_not_used(call: Any, model: Path, tmp_path: Path):  # noqa: F811
    for name in ("a.png", "b.png", "c.png"):
        put(tmp_path / "in" / name, Picture(in_colour()))
    (tmp_path / "hints").mkdir()
    (tmp_path / "hints" / "a.json").write_text(HINTS)
    (tmp_path / "hints" / "c.json").write_text("[{")
    words = ["colorize", tmp_path / "in", tmp_path / "out", "--model", model, "--hints", tmp_path / "hints"]
    code, text = call(*words)
    assert code == 1 and f"{LEFT_HINTED} (1 image: a.png)" in text and f"{LEFT} (1 image: b.png)" in text, text
    assert "c.json is not JSON" in text and "2 translated" in text
    assert np.array_equal(read(tmp_path / "out" / "a.png").pixels, in_colour())
    (tmp_path / "hints" / "c.json").unlink()
    code, text = call(*words, "--recolor")
    assert code == 0 and "not used" not in text
    shown = read(tmp_path / "out" / "a.png").pixels
    assert off_hints(shown, in_colour(), [{"x": 20, "y": 30, "colour": "#b04030"}])[0] < 5


def test_places_count_on_the_upright_picture(call: Any, model: Path, tmp_path: Path):  # noqa: F811
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(photograph()[..., 0]).save(tmp_path / "a.png", exif=turned)
    place = {"x": 30, "y": 80, "colour": "#b04030"}  # 60 x 90 as it is shown, 90 x 60 as it is kept
    (tmp_path / "hints.json").write_text(json.dumps([place]))
    words = ["colorize", tmp_path / "a.png", tmp_path / "out.png", "--model", model]
    code, text = call(*words, "--hints", tmp_path / "hints.json")
    assert code == 0, text
    assert off_hints(read(tmp_path / "out.png").pixels, read(tmp_path / "a.png").pixels, [place])[0] < 5


def test_variants_differ_and_come_again(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    report = tmp_path / "report.html"
    words = ["colorize", photos, tmp_path / "out", "--model", model, "-k", 3, "--report", report]
    code, text = call(*words)
    assert code == 0 and "9 translated" in text
    first = made(tmp_path / "out")
    assert {f"a-{place}.png" for place in (1, 2, 3)} < first.keys() and len(first) == 9
    assert len({first[f"sub/c-{place}.png"] for place in (1, 2, 3)}) == 3
    assert {f"report-{place}.html" for place in (1, 2, 3)} == {path.name for path in tmp_path.glob("*.html")}
    assert "0 translated" in call(*words)[1] and made(tmp_path / "out") == first
    call("colorize", photos, tmp_path / "one", "--model", model, "--seed", 1)
    assert made(tmp_path / "one")["a.png"] == first["a-2.png"]
    call("colorize", photos / "a.png", tmp_path / "single.png", "--model", model, "-k", 2)
    assert (tmp_path / "single-1.png").read_bytes() == first["a-1.png"] and (tmp_path / "single-2.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--reference", "{tmp}/absent.png"], "absent.png"),
        (["--reference", "{tmp}/broken.png"], "broken.png"),
        (["--hints", "{tmp}/absent.json"], "absent.json"),
        (["--saturation", "9"], "saturation=9"),
        (["--model", "{tmp}/regression.safetensors", "-k", "2"], "classification head"),
        (["--model", "{tmp}/regression.safetensors", "--temperature", "0.5"], "classification head"),
        (["--model", "{tmp}/regression.safetensors", "--seed", "0"], "classification head"),
        (["--model", "{tmp}/exported.pt2", "--seed", "0"], "exported"),
        (["--model", "{tmp}/exported.pt2", "-k", "2"], "exported"),
        (["--model", "{tmp}/pix2pix.safetensors"], "gives no colours"),
        (["--model", "identity"], "gives no colours"),
        (["--model", "{tmp}/absent"], "no checkpoint"),
        (["--precision", "int8"], "int8"),
    ],
)
def test_what_no_picture_could_be_made_with_ends_at_once(
    call: Any,  # noqa: F811
    photos: Path,
    tmp_path: Path,
    exported: Path,
    words: list[str],
    said: str,
):
    saved(tmp_path / "regression.safetensors", "regression")
    saved(tmp_path / "pix2pix.safetensors", mode="pix2pix")
    (tmp_path / "exported.pt2").symlink_to(exported)
    (tmp_path / "broken.png").write_bytes(b"nothing")
    usual = [] if "--model" in words else ["--model", saved(tmp_path / "model.safetensors")]
    given = [word.format(tmp=tmp_path) for word in words]
    code, text = call("colorize", photos, tmp_path / "out", "--device", "cpu", *usual, *given)
    assert code == 2 and said in text and "Traceback" not in text, text
    assert not (tmp_path / "out").exists()


def test_without_the_model_of_its_own(call: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "translate" / "shipped.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "nowhere"))
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])
    code, text = call("colorize", photos, tmp_path / "out")
    assert code == 2 and "was not installed" in text


def test_only_what_is_out_of_date_is_made(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    out, words = tmp_path / "out", ["colorize", photos, tmp_path / "out", "--model", model]
    code, text = call(*words, "--dry-run")
    assert code == 0 and "3 to translate" in text and not out.exists()
    assert "3 translated" in call(*words)[1]
    before = times(out)
    assert "3 there already" in call(*words)[1] and times(out) == before
    assert "3 there already" in call(*words, "--saturation", "1")[1]
    assert "3 to translate" in call(*words, "--saturation", "1.5", "--dry-run")[1] and times(out) == before
    assert "3 translated" in call(*words, "--saturation", "1.5")[1]
    assert all(when != before[name] for name, when in times(out).items())
    assert "3 translated" in call(*words, "--saturation", "1.5", "--overwrite")[1]
    put(tmp_path / "reference.png", Picture(in_colour()))
    assert "3 translated" in call(*words, "--reference", tmp_path / "reference.png")[1]
    assert "3 there already" in call(*words, "--reference", tmp_path / "reference.png")[1]
    put(tmp_path / "reference.png", Picture(in_colour(seed=1)))
    assert "3 translated" in call(*words, "--reference", tmp_path / "reference.png")[1]
    Image.new("RGB", (5, 5)).save(out / "a.png")
    code, text = call(*words, "--reference", tmp_path / "reference.png")
    assert code == 1 and "a.png kept" in text and "2 there already" in text


def test_what_convert_offers(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    for path in images.list_images(photos):
        mask = np.zeros((60, 90, 1), np.uint8)
        mask[:, 45:] = 255
        put(tmp_path / "masks" / path.relative_to(photos), Picture(mask))
    words = ["colorize", photos, tmp_path / "out", "--model", model, "--mask", tmp_path / "masks"]
    words += ["--side-by-side", "--report", tmp_path / "report.json", "--format", "tif", "--sequence"]
    code, text = call(*words)
    assert code == 0 and "frame to frame" in text, text
    pixels = read(tmp_path / "out" / "sub" / "c.tif").pixels
    grey = photograph(seed=2)
    assert pixels.shape == (60, 180, 3) and np.array_equal(pixels[:, :90], np.repeat(grey, 3, axis=2))
    assert np.array_equal(pixels[:, 90:135], np.repeat(grey[:, :45], 3, axis=2))
    assert np.ptp(pixels[:, 135:].astype(int), axis=2).mean() > 3
    assert json.loads((tmp_path / "report.json").read_text())["translated"] == 3


def test_convert_and_load_do_the_same(call: Any, model: Path, photos: Path, tmp_path: Path):  # noqa: F811
    call("colorize", photos, tmp_path / "one", "--model", model, "--device", "cpu")
    how = ["--device", "cpu", "--backend", "torch", "--precision", "fp32"]
    assert call("convert", model, photos, tmp_path / "two", *how)[0] == 0
    assert made(tmp_path / "one") == made(tmp_path / "two")
    pixels, translator = photograph(), load(model, "cpu")
    assert np.array_equal(read(tmp_path / "one" / "a.png").pixels, translator(pixels))
    assert np.array_equal(np.asarray(translator(Image.fromarray(pixels[..., 0]))), translator(pixels))
    tensor = images.to_tensor(pixels)[None]
    assert torch.equal(translator(tensor), colorize(tensor, translator))
    code, text = call("convert", model, photos, tmp_path / "three", "--precision", "bf16", "--device", "cpu")
    assert code == 0 and "bf16" in text


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export(saved(folder / "model.safetensors", "regression"), folder / "model.pt2")
    return folder / "model.pt2"


def test_a_reference_draws_colours_to_its_own(model: Path, tmp_path: Path):
    blue = np.random.default_rng(0).integers((20, 60, 140), (60, 110, 255), (32, 32, 3)).astype(np.uint8)
    put(tmp_path / "blue.png", Picture(blue))
    pixels, wanted = photograph(120, 160), chroma(blue).mean((0, 1))
    plain, drawn = (
        chroma(colorize(pixels, model, reference=path)).mean((0, 1)) for path in (None, tmp_path / "blue.png")
    )
    assert np.linalg.norm(drawn - wanted) < 0.7 * np.linalg.norm(plain - wanted)
