"""translate.colorize: an image of any kind gets colours and keeps its light; hints hold; draws are repeatable."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from translate import images, networks
from translate.checkpoint import About, save_model
from translate.colorize import colorize
from translate.colour import painting
from translate.colour.gamut import into_gamut
from translate.colour.hint_files import chroma_of
from translate.colour.lab import to_lab
from translate.errors import ConfigError, DataError, ImageError
from translate.loading import load
from translate.metrics.delta_e import ciede2000
from translate.translator import Translator

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = {
    "classifier": {"head": "classification", "in_channels": 4},
    "regression": {"head": "regression", "in_channels": 4},
    "without hints": {"head": "classification", "in_channels": 1},
}
RED = {"x": 20, "y": 30, "colour": "#b04030"}


def saved(path: Path, kind: str = "classifier", *, mode: str = "colorize", **more: Any) -> Path:
    """A model file of random weights that gives strong colours, mild enough not to hang on a last digit."""
    torch.manual_seed(0)
    shape = {"out_channels": 2, "width": 3, "depth": 2, "attention": False, "temperature": 0.2}
    arguments: dict[str, Any] = shape | KINDS[kind] | more
    network = networks.build("colour_unet", arguments).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("head") and name.endswith("weight"):
                parameter.mul_(10)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_model(path, {"AtoB": network}, About(mode=mode, direction="AtoB", channels=(1, 3), size=48))
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Translator]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: load(saved(folder / f"{kind}.safetensors", kind), "cpu") for kind in KINDS}


@pytest.fixture(scope="module")
def model(models: dict[str, Translator]) -> Translator:
    return models["classifier"]


def photograph(height: int = 60, width: int = 90, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    """Grey (H, W, 1): soft shapes and grain."""
    draws = np.random.default_rng(seed)
    light = cv2.GaussianBlur(draws.normal(size=(height, width)).astype(np.float32), (0, 0), max(1, height / 12))
    light = cv2.normalize(light, None, 40, 210, cv2.NORM_MINMAX) + draws.normal(0, 3, (height, width))
    return images.to_depth(np.rint(light.clip(0, 255)).astype(np.uint8)[..., None], dtype)


def sepia(grey: np.ndarray) -> np.ndarray:
    share = grey / 255
    return np.rint(255 * np.concatenate([share**0.8, share**0.95, share**1.2], axis=2)).astype(np.uint8)


def in_colour(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    return np.kron(
        np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8),
        np.ones((8, 8, 1), np.uint8),
    )


def light_of(pixels: np.ndarray) -> np.ndarray:
    """L* (H, W) of sRGB as CIE and IEC write it, in double precision."""
    values = (images.to_depth(pixels, np.float32).astype(np.float64) + 1) / 2
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    y = (linear * [0.212671, 0.715160, 0.072169]).sum(axis=2) if pixels.shape[2] == 3 else linear[..., 0]
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)


def chroma(pixels: np.ndarray) -> np.ndarray:
    return to_lab(images.to_tensor(pixels)[None])[1][0].permute(1, 2, 0).numpy()


def photographs() -> Iterator[np.ndarray]:
    """Twenty: Kodak's in grey and old ones, the middle of each; drawn ones where those are not at hand."""
    files = [*sorted((SHARED / "kodak24").glob("*.png"))[:12], *sorted((SHARED / "old_photos").glob("*.jpg"))]
    if len(files) < 20:
        for seed in range(20):
            drawn = photograph(200, 300, seed=seed)
            yield sepia(drawn) if seed % 3 == 0 else drawn
        return
    for path in files:
        pixels = images.read_pixels(path)
        top, left = max(0, pixels.shape[0] - 320) // 2, max(0, pixels.shape[1] - 320) // 2
        pixels = pixels[top : top + 320, left : left + 320]
        yield pixels if path.suffix == ".jpg" else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]


def off_hints(made: np.ndarray, given: np.ndarray, hints: list[dict[str, Any]]) -> list[float]:
    """CIEDE2000 at each hint from its colour at the light that is there, as far as sRGB has it."""
    light, _ = to_lab(images.to_tensor(np.repeat(given, 4 - given.shape[2], axis=2)[..., :3])[None].double())
    lightness, got = to_lab(images.to_tensor(made)[None].double())
    found = []
    for hint in hints:
        at = (..., slice(hint["y"], hint["y"] + 1), slice(hint["x"], hint["x"] + 1))
        colour = chroma_of(np.array([ImageColor.getrgb(hint["colour"])], np.float64))
        wanted = into_gamut(light[at], torch.from_numpy(colour).double().view(1, 2, 1, 1))
        found.append(float(ciede2000(light[at], wanted, lightness[at], got[at])))
    return found


def test_light_stays_at_every_pixel_of_twenty_photographs(model: Translator):
    count = 0
    for pixels in photographs():
        count += 1
        for saturation in (1.0, 1.5, 2.5):
            made = colorize(pixels, model, saturation=saturation)
            assert made.shape == (*pixels.shape[:2], 3) and np.abs(chroma(made)).mean() > 3
            assert np.abs(light_of(made) - light_of(pixels)).max() <= 0.5
    assert count == 20


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1), (3, 5), (97, 61)])
def test_any_size_and_depth_comes_back_as_it_was(models: dict[str, Translator], size: tuple[int, int], dtype: type):
    pixels = photograph(*size, dtype=dtype)
    for each in models.values():
        made = colorize(pixels, each, saturation=2)
        assert made.shape == (*size, 3) and made.dtype == dtype
        assert np.abs(light_of(made) - light_of(pixels)).max() <= 0.5


def test_large_odd_photographs(model: Translator):
    assert colorize(photograph(479, 641, np.uint16), model).shape == (479, 641, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures(models: dict[str, Translator], level: int, dtype: type):
    pixels = images.to_depth(np.full((21, 33, 1), level, np.uint8), dtype)
    for each in models.values():
        made = colorize(pixels, each, saturation=4, warmth=1)
        assert made.dtype == dtype and np.isfinite(made).all()
        assert np.abs(light_of(made) - light_of(pixels)).max() <= 0.5
        if level != 128:
            assert np.abs(images.to_depth(made, np.uint8).astype(int) - level).max() <= 1


def test_each_kind_of_image(model: Translator):
    pixels = photograph()
    made = colorize(pixels, model)
    assert np.array_equal(colorize(pixels[..., 0], model), made)
    assert np.array_equal(colorize(np.repeat(pixels, 3, axis=2), model), made)
    pil = colorize(Image.fromarray(pixels[..., 0]), model)
    assert pil.mode == "RGB" and np.array_equal(np.asarray(pil), made)
    faint = Image.fromarray(pixels[..., 0])
    faint.putalpha(Image.fromarray(pixels[::-1, :, 0]))
    clear = colorize(faint, model)
    assert clear.mode == "RGBA" and np.array_equal(np.asarray(clear)[..., 3], pixels[::-1, :, 0])
    tensor = torch.stack([images.to_tensor(photograph(seed=seed)) for seed in (0, 1)]).double()
    both = colorize(tensor, model)
    assert both.shape == (2, 3, 60, 90) and both.dtype == torch.float64
    # The depth decides how a picture is made smaller, by a step of 8 bits at most.
    assert np.abs(images.to_array(both[0], np.uint8).astype(int) - made).max() <= 3
    torch.testing.assert_close(both[1:], colorize(tensor[1:], model), rtol=0, atol=1e-4)
    for count in (2, 4, 5):
        for recolor in (False, True):
            with pytest.raises(ImageError, match=f"not one of {count}"):
                colorize(np.repeat(pixels, count, axis=2), model, recolor=recolor)


def test_pictures_in_colour_stay_unless_recoloured(model: Translator):
    pixels = in_colour()
    made = colorize(pixels, model)
    assert np.array_equal(made, pixels) and not np.shares_memory(made, pixels)
    again = colorize(pixels, model, recolor=True)
    assert not np.array_equal(again, pixels) and np.abs(light_of(again) - light_of(pixels)).max() <= 0.5
    told = model.using()
    told(pixels)
    assert any("--recolor" in text for text in told.notices)


def test_a_tone_goes_unless_it_is_kept(model: Translator):
    grey = photograph(120, 160)
    scan = sepia(grey)
    scanned, plain, kept = (chroma(each).mean((0, 1)) for each in (scan, *(
        colorize(scan, model, saturation=0.3, keep_tone=keep) for keep in (False, True)
    )))  # fmt: skip
    assert np.linalg.norm(kept - scanned) < np.linalg.norm(plain - scanned)
    bare = colorize(scan, model, saturation=0)
    assert np.ptp(bare.astype(int), axis=2).max() <= 1
    toned = colorize(scan, model, saturation=0, keep_tone=True)
    assert np.abs(chroma(toned).mean((0, 1)) - scanned).max() < 1.5


def test_saturation_and_warmth(model: Translator):
    pixels = photograph()
    assert np.array_equal(colorize(pixels, model, saturation=0), np.repeat(pixels, 3, axis=2))
    dull, plain, vivid = (np.abs(chroma(colorize(pixels, model, saturation=s))).mean() for s in (0.3, 1, 2))
    assert dull < plain < vivid
    cold, usual, warm = (chroma(colorize(pixels, model, saturation=0.2, warmth=w))[..., 1].mean() for w in (-1, 0, 1))
    assert cold < usual - 5 and warm > usual + 5


SETTINGS: list[dict[str, Any]] = [{}, {"saturation": 2.5}, {"saturation": 0}, {"keep_tone": True}, {"warmth": 1.0}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5), (60, 90), (700, 900)])
def test_hints_hold(models: dict[str, Translator], kind: str, size: tuple[int, int], tmp_path: Path):
    height, width = size
    places = [(0, 0), (width - 1, height - 1), (0, height - 1), (width - 1, 0), (width // 2, height // 2)]
    places += [(min(width - 1, width // 2 + 5), height // 2), (width // 3, height // 4), (width // 3 + 1, height // 4)]
    places = [place for place in dict.fromkeys(places) if place[0] < width]
    colours = ["#b03020", "#2040a0", "#208040", "#c0a020", "#8020a0", "teal", "pink", "navy"]
    hints = [{"x": x, "y": y, "colour": colour} for (x, y), colour in zip(places, colours, strict=False)]
    images.write(tmp_path / "reference.png", images.Picture(in_colour()))
    more: list[dict[str, Any]] = [{"reference": tmp_path / "reference.png"}]
    more += [{"seed": 3}] if kind != "regression" else []
    for scan in (photograph(height, width), sepia(photograph(height, width))):
        for settings in [*SETTINGS, *more] if height < 100 else [{}]:
            made = colorize(scan, models[kind], hints=hints, **settings)
            assert max(off_hints(made, scan, hints)) < 5
            assert np.abs(light_of(made) - light_of(scan)).max() <= 0.5


def test_hints_in_every_form_are_the_same(model: Translator, tmp_path: Path):
    pixels = photograph()
    made = colorize(pixels, model, hints=[RED])
    assert not np.array_equal(made, colorize(pixels, model))
    (tmp_path / "hints.json").write_text('[{"x": 20, "y": 30, "colour": "#b04030"}]')
    layer = np.zeros((60, 90), np.uint8)
    layer[30, 20] = 255
    drawn = np.broadcast_to(np.array([0xB0, 0x40, 0x30], np.uint8), (60, 90, 3))
    images.write(tmp_path / "hints.png", images.Picture(drawn, layer))
    exact = {"x": np.int64(20), "y": np.float32(30), "colour": np.array([0xB0, 0x40, 0x30])}
    relative = {"unit": "relative", "hints": [{"x": 20.5 / 90, "y": 30.5 / 60, "colour": "#b04030"}]}
    for hints in (tmp_path / "hints.json", str(tmp_path / "hints.png"), [exact], relative, (RED,)):
        assert np.array_equal(colorize(pixels, model, hints=hints), made)
    tensor = images.to_tensor(pixels)[None]
    assert not torch.equal(colorize(tensor, model, hints=[RED]), colorize(tensor, model))


@pytest.mark.parametrize(
    ("hints", "error", "said"),
    [
        ([], DataError, "0 hints"),
        ([{"x": 90, "y": 0, "colour": "red"}], DataError, r"^hints: hint 1 of 1: x = 90"),
        ([{"x": 1, "y": 0, "colour": "reddish"}], DataError, "reddish"),
        ([{"x": 1, "y": 0}], DataError, "no colour"),
        (3, ConfigError, "hints are a file, or a list"),
        ([{1, 2}], ConfigError, "hints are a file, or a list"),
        ("nowhere.json", ConfigError, "nowhere.json"),
        (Path(__file__).parent, ConfigError, "is a folder"),
    ],
)
def test_hints_that_will_not_do(model: Translator, hints: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        colorize(photograph(), model, hints=hints)


def test_a_seed_is_repeatable_and_others_differ(models: dict[str, Translator]):
    pixels = photograph()
    made = [colorize(pixels, models["classifier"], seed=seed) for seed in (0, 0, 1, 2)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2]) and not np.array_equal(made[2], made[3])
    torch.manual_seed(5)
    assert np.array_equal(colorize(pixels, models["classifier"], seed=0), made[0])
    dull, vivid = (np.abs(chroma(colorize(pixels, models["classifier"], temperature=t))).mean() for t in (1.0, 0.01))
    assert dull < vivid


@pytest.mark.parametrize("settings", [{"seed": 0}, {"temperature": 0.5}])
def test_what_a_regression_cannot_choose_is_refused(models: dict[str, Translator], settings: dict[str, Any]):
    with pytest.raises(ConfigError, match=r"classification head.*does not have"):
        colorize(photograph(), models["regression"], **settings)


def test_settings_that_will_not_do(model: Translator, tmp_path: Path):
    for settings, said in (
        ({"saturaton": 1}, "Did you mean 'saturation'"),
        ({"saturation": 5}, "saturation=5"),
        ({"variants": 2}, "each seed"),
    ):
        with pytest.raises(ConfigError, match=said):
            colorize(photograph(), model, **settings)
    with pytest.raises(ImageError, match=r"absent\.png"):
        colorize(in_colour(), model, reference=tmp_path / "absent.png")
    images.write(tmp_path / "five.npy", images.Picture(np.zeros((4, 4, 5), np.uint8)))
    with pytest.raises(ImageError, match="five"):
        colorize(photograph(), model, reference=tmp_path / "five.npy")


@pytest.fixture
def two_threads() -> Iterator[None]:
    """torch computes with two threads, as it may in use."""
    before = torch.get_num_threads()
    torch.get_num_threads()  # a thread's first look takes what others have set
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_get_the_same_and_keep_their_number(models: dict[str, Translator]):
    work = [(kind, photograph(seed=seed), {"seed": 1} if kind == "classifier" else {})
            for kind in models for seed in range(2)]  # fmt: skip
    alone = [colorize(pixels, models[kind], **how) for kind, pixels, how in work]
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda each: colorize(each[1], models[each[0]], **each[2]), work))
    assert all(np.array_equal(*pair) for pair in zip(alone, at_once, strict=True))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_painting_at_once_leaves_the_number_of_threads():
    began, joined, ended = threading.Event(), threading.Event(), threading.Event()
    left = []

    def first() -> None:
        with painting._one_thread():
            began.set()
            joined.wait(10)
        left.append(torch.get_num_threads())
        ended.set()

    def second() -> None:  # a thread that begins with the one of the first, and ends after it
        began.wait(10)
        with painting._one_thread():
            joined.set()
            ended.wait(10)
        left.append(torch.get_num_threads())

    with ThreadPoolExecutor(2) as pool:
        for work in [pool.submit(first), pool.submit(second)]:
            work.result()
    with ThreadPoolExecutor(1) as pool:
        left.append(pool.submit(torch.get_num_threads).result())
    assert [*left, torch.get_num_threads()] == [2, 2, 2, 2]
