"""translate stylize: the words of the command, errors that name the command which mends them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from test_cli import call  # noqa: F401 (a fixture)
from test_convert import names
from test_stylize_folder import noise, put

from translate import images
from translate.errors import ConfigError
from translate.features import weights
from translate.images import Picture, read
from translate.stylize.bar import Bar
from translate.stylize.kinds import Progress
from translate.stylize.single import stylize

QUICK = ["--features", "patch", "--steps", 2, "--smallest", 16, "--device", "cpu"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a.png", "sub/b.jpg")):
        put(tmp_path / "photos" / name, Picture(noise(24, 32, seed=seed)))
    return tmp_path / "photos"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    return put(tmp_path / "painting.png", Picture(noise(40, 40, seed=9)))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any pretrained weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


def test_a_folder_is_painted_and_taken_up_again(call: Any, photos: Path, painting: Path, tmp_path: Path):  # noqa: F811
    words = ["stylize", photos, painting, "--out", tmp_path / "out", *QUICK]
    code, text = call(*words)
    assert code == 0 and "Features: patch" in text and f"2 painted into {tmp_path / 'out'}; " in text, text
    assert names(tmp_path / "out") == ["a.png", "sub/b.jpg"]
    for name in names(photos):
        before, after = read(photos / name), read(tmp_path / "out" / name)
        assert after.pixels.shape == before.pixels.shape and not np.array_equal(after.pixels, before.pixels)
        said = images.signature(after)
        assert said.startswith("translate stylize: patch") and "painting.png" in said and "seed 0" in said
    code, text = call(*words)
    assert code == 0 and "0 painted" in text and "2 there already" in text
    code, text = call(*words, "--seed", 3, "--dry-run")
    assert code == 0 and "2 to paint into" in text


def test_a_picture_into_a_file_at_another_size_with_pictures_under_way(
    call: Any,  # noqa: F811
    photos: Path,
    painting: Path,
    tmp_path: Path,
):
    out, steps = tmp_path / "one.webp", tmp_path / "steps"
    words = ["stylize", photos / "a.png", painting, "-o", out, *QUICK, "--size", 48, "--format", "webp"]
    code, text = call(*words, "--watch", steps, "--watch-every", 1, "--strip-metadata")
    assert code == 0 and "1 painted" in text, text
    assert read(out).pixels.shape == (36, 48, 3) and images.signature(read(out)) == ""
    assert names(steps)[0] == "one.webp/000001.png" and read(steps / names(steps)[-1]).pixels.shape == (36, 48, 3)


def test_masks_and_weights_of_two_paintings(call: Any, photos: Path, painting: Path, tmp_path: Path):  # noqa: F811
    black = put(tmp_path / "black.png", Picture(np.zeros((9, 9, 1), np.uint8)))
    words = ["stylize", photos, painting, painting, "--out", tmp_path / "out", *QUICK]
    code, text = call(*words, "--mask", black, "--mask", black, "--style-weight", 1, "--style-weight", 0.5)
    assert code == 0 and "2 painted" in text, text
    for name in names(photos):
        assert (tmp_path / "out" / name).read_bytes() == (photos / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--style-weight", 1, "--style-weight", 2], "1 painting and 2 --style-weight: give --style-weight once"),
        (["--mask", "none", "--mask", "none"], "1 painting and 2 --mask"),
        (["--style-mask", "none", "--style-mask", "none"], "1 painting and 2 --style-mask"),
        (["--features", "vgg91"], "Did you mean 'vgg19'?"),
        (["--features", "squeezenet"], "--download"),
        (["--features", "vgg19"], "No weights of vgg19"),
        (["--download"], "squeezenet (5 MB), vgg16"),
        (["--mask", "nowhere.png"], "no mask or folder of masks nowhere.png"),
        (["--size", 8], "size=8 will not do"),
        (["--optimizer", "sgd"], "'adam', 'lbfgs' or 'gd'"),
        (["--style-layers", "9"], "'9'"),
        (["--model", "nowhere"], "nowhere"),
        (["--model", "run", "--watch", "steps"], "--watch and --download"),
    ],
)
def test_what_will_not_do_is_said_with_what_would(
    call: Any,  # noqa: F811
    photos: Path,
    painting: Path,
    bare: Path,
    tmp_path: Path,
    more: list[object],
    said: str,
):
    code, text = call("stylize", photos, painting, "--out", tmp_path / "out", "--device", "cpu", *more)
    assert code == 2 and said in text and "Traceback" not in text and not (tmp_path / "out").exists(), text
    assert not bare.exists()


def test_places_that_will_not_do(call: Any, photos: Path, painting: Path, tmp_path: Path):  # noqa: F811
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    for words, said in (
        ([photos, tmp_path / "bad.jpg", "--out", tmp_path / "out"], "bad.jpg"),
        ([photos, tmp_path / "nowhere.jpg", "--out", tmp_path / "out"], "nowhere.jpg"),
        ([tmp_path / "nothing", painting, "--out", tmp_path / "out"], "There is no file or folder"),
        ([photos, painting, "--out", photos], "is the input itself"),
        ([photos, painting, "--out", tmp_path / "out", "--watch", photos / "steps"], "taken for inputs"),
        ([photos, painting, "--out", tmp_path / "out", "--watch", tmp_path / "out"], "is where outputs go"),
        ([photos / "a.png", painting, "--out", tmp_path / "a.png", "--watch", tmp_path], "is where the output goes"),
        ([photos, painting, "--out", tmp_path / "out", "--watch", tmp_path / "bad.jpg" / "steps"], "Cannot write"),
        ([photos, painting], "--out"),
    ):
        code, text = call("stylize", *words, *QUICK)
        assert code == 2 and said in text and "Traceback" not in text, text
    assert not (tmp_path / "out").exists()


def test_weights_are_fetched_on_asking_and_their_size_said_first(
    call: Any,  # noqa: F811
    photos: Path,
    painting: Path,
    bare: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    fetched: list[str] = []
    monkeypatch.setattr(weights, "download", lambda name, **how: fetched.append(name))
    words = ["stylize", photos, painting, "--out", tmp_path / "out", "--device", "cpu", "--features", "squeezenet"]
    assert call(*words)[0] == 2 and not fetched
    code, text = call(*words, "--download", "--dry-run")
    assert code == 0 and not fetched and "2 to paint into" in text and "a.png: to make" in text, text
    assert f"Would download 5 MB from {weights.published('squeezenet').url} to {bare}" in text
    assert not bare.exists() and not (tmp_path / "out").exists()
    code, text = call(*words, "--download")
    assert (
        fetched == ["squeezenet"] and f"Downloading 5 MB from {weights.published('squeezenet').url} to {bare}" in text
    )
    assert code == 2 and "No weights of squeezenet" in text  # nothing came from this server


def test_without_weights_auto_takes_patch_and_says_why(
    call: Any,  # noqa: F811
    photos: Path,
    painting: Path,
    bare: Path,
    tmp_path: Path,
):
    quick = QUICK[2:]
    code, text = call("stylize", photos / "a.png", painting, "--out", tmp_path / "a.png", *quick)
    assert code == 0 and "Features: patch" in text and "for no weights of vgg19, vgg16, squeezenet are at hand" in text
    assert "--features squeezenet --download fetches 5 MB" in text


def test_a_bad_photograph_is_named_and_the_others_are_painted(
    call: Any,  # noqa: F811
    photos: Path,
    painting: Path,
    tmp_path: Path,
):
    (photos / "bad.png").write_bytes(b"no picture")
    code, text = call("stylize", photos, painting, "--out", tmp_path / "out", *QUICK)
    assert code == 1 and "2 painted" in text and "1 failed" in text and "failed: " in text and "bad.png" in text


def test_outputs_do_not_become_paintings(call: Any, photos: Path, tmp_path: Path):  # noqa: F811
    art = put(tmp_path / "art" / "a.png", Picture(noise(40, 40, seed=9))).parent
    words = ["stylize", photos, art, "--out", art / "out", "--watch", art / "steps", "--watch-every", 1, *QUICK]
    assert call(*words)[0] == 0
    code, text = call(*words)
    assert code == 0 and "2 there already" in text, text


def test_help_is_instant_and_has_every_flag_once():
    program = (
        "import sys\nfrom translate.cli import main\nsys.argv = ['translate', 'stylize', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'PIL', 'rich.live'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for flag in ("--mask ", "--size ", "--sequence ", "--features ", "--report ", "--watch-every ", "--model "):
        assert done.stdout.count(f"  {flag}") == 1, flag
    for flag in ("--tile", "--int8-psnr", "--batch", "--lock"):
        assert f"  {flag} " not in done.stdout
    assert "Where in the picture each painting goes" in done.stdout


def test_one_image_in_memory(painting: Path, tmp_path: Path):
    quick: dict[str, Any] = {"features": "patch", "steps": 2, "smallest": 16, "device": "cpu"}
    steps: list[int] = []
    made = stylize(noise(24, 32), painting, watch=lambda progress: steps.append(progress.done), **quick)
    assert isinstance(made, np.ndarray) and made.shape == (24, 32, 3) and made.dtype == np.uint8 and steps[0] == 1
    same = stylize(Image.fromarray(noise(24, 32)), [Image.open(painting)], **quick)
    assert isinstance(same, Image.Image) and np.array_equal(np.asarray(same), made)
    put(tmp_path / "a.png", Picture(noise(24, 32)))
    assert np.array_equal(np.asarray(stylize(tmp_path / "a.png", read(painting).pixels, **quick)), made)
    for given in (noise(24, 32, 1, np.uint16), noise(24, 32, dtype=np.float32), noise(24, 32)[..., 0]):
        made = stylize(given, painting, size=48, **quick)
        assert isinstance(made, np.ndarray) and made.shape == (36, 48, 3) and made.dtype == given.dtype
    with pytest.raises(ConfigError, match="for a folder of images"):
        stylize(noise(), painting, mask=(str(tmp_path),), **quick)


def test_the_bar_shows_scale_step_size_and_losses():
    def progress(done: int, side: int) -> Progress:
        return Progress(done, 40, done / 40, side, 2 * side, 0.5, 0.25, 0.125, lambda: noise())

    terminal = Console(force_terminal=True, width=160, record=True)
    bar = Bar()
    with bar.on(terminal) as count:
        count(2, 9)
        for done in range(1, 31):
            bar.follow("sub/a.png", progress(done, 32 if done <= 20 else 64))
    shown = terminal.export_text()
    assert "3/9" in shown and "sub/a.png" in shown and "75%" in shown
    assert "scale 2 (128 x 64)  step 30/40  style 0.5000  content 0.2500  variation 0.1250" in shown
    silent = Console(force_terminal=False, record=True)
    with bar.on(silent) as count:
        count(0, 9)
        bar.follow("a.png", progress(1, 32))
    assert silent.export_text() == ""
