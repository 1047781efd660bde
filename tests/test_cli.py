"""The command line: the same words as in Python, clear errors, honest exit codes, nothing heavy before a verb."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY_MODES
from PIL import Image
from test_fit import train
from test_methods import PAINT, TRANSLATE

from translate import cli, images
from translate.methods import METHODS


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[int, str]:
    """Run the command line in this process; returns its exit code and all that it printed."""
    monkeypatch.setattr(sys, "argv", ["translate", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out + printed.err


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *words: run(capsys, monkeypatch, *words)


def tiny(mode: str) -> list[object]:
    """The tiny settings as command-line words."""
    flags = ("size", "workers", "device")
    given = TINY_MODES[mode]
    return [f"--{key}={given[key]}" for key in flags] + [f"--set={k}={v}" for k, v in given.items() if k not in flags]


@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"], ["convert", "--help"], ["datasets", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]):
    program = (
        "import sys\n"
        "from translate.cli import main\n"
        f"sys.argv = ['translate', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'numpy', 'cv2', 'albumentations', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize("mode", [*TRANSLATE, *PAINT])
def test_fit_info_and_convert(call: Any, pairs: Path, folders: Path, pictures: Path, tmp_path: Path, mode: str):
    root = {"pix2pix": pairs, "cycle": folders, "colorize": pictures, "style": pictures, "adain": folders}[mode]
    code, text = call("fit", root, "--mode", mode, "--out", tmp_path, "--name", "run", "--steps", 3, *tiny(mode))
    assert code == 0
    assert "step 3/3" in text and f"Use it: {METHODS[mode].use.format(run=tmp_path / 'run')}" in text
    code, text = call("info", tmp_path / "run")
    side = 18 if mode == "colorize" else 16  # what it was cut from
    assert code == 0 and mode in text and f"trained at  {side} pixels, 3 steps" in text
    source = folders / "testA"
    code, text = call("convert", tmp_path / "run", source, tmp_path / "out", "--device", "cpu")
    assert code == 0 and "3 translated" in text
    assert len(images.list_images(tmp_path / "out")) == 3


def test_an_exported_model_converts_without_flags(call: Any, pairs: Path, folders: Path, tmp_path: Path):
    model = train(pairs, "pix2pix", tmp_path, steps=1)
    exported = tmp_path / "exported" / "model.pt2"
    code, text = call("export", model, exported)
    assert code == 0, text
    source = folders / "testA"
    for name, out in ((model, tmp_path / "one"), (exported, tmp_path / "two")):
        code, text = call("convert", name, source, out, "--device", "cpu", "--backend", "torch", "--precision", "fp32")
        assert code == 0 and "3 translated" in text, text
    for path in images.list_images(source):
        one, two = (images.read(tmp_path / out / path.name).pixels.astype(int) for out in ("one", "two"))
        assert np.abs(one - two).max() <= 1
    code, text = call("convert", exported, source, tmp_path / "clip", "--sequence")
    assert code == 2 and "exported model" in text


def test_a_dry_run_prints_what_it_would_do(call: Any, folders: Path, tmp_path: Path):
    code, text = call("convert", "identity", folders / "testA", tmp_path / "out", "--dry-run", "--format", "jpg")
    assert code == 0 and text.count(".jpg: to make") == 3 and "3 to translate" in text
    assert not (tmp_path / "out").exists()


def test_settings_of_convert_are_checked(call: Any, folders: Path, tmp_path: Path):
    trained = train(folders, "cycle", tmp_path, steps=1)
    for words, said in (
        (["--quality", "101"], "quality"),
        (["--tile", "some"], "tile"),
        (["--lock", "last"], "lock"),
        (["--report", "x.txt"], ".html"),
        (["--mask", "nowhere"], "no folder of masks"),
        (["--backend", "magic"], "Unknown backend"),
        (["--precision", "fp99"], "Unknown precision"),
    ):
        model = trained if words[0] in ("--backend", "--precision") else "identity"
        code, text = call("convert", model, folders / "testA", tmp_path / "out", "--device", "cpu", *words)
        assert code == 2 and said in text, text


def test_convert_names_a_bad_file_and_ends_with_1(call: Any, folders: Path, tmp_path: Path):
    model = train(folders, "cycle", tmp_path, steps=1)
    (folders / "testA" / "bad.png").write_bytes(b"nothing")
    code, text = call("convert", model, folders / "testA", tmp_path / "out", "--device", "cpu")
    assert code == 1
    assert "bad.png" in text and "3 translated" in text and "1 failed" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "{pairs}", "--mode", "pix2pixx"], "Unknown mode 'pix2pixx'. Did you mean 'pix2pix'?"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--set", "lambda=3"], "Unknown setting 'lambda'."),
        (["fit", "{pairs}", "--mode", "pix2pix", "--set", "save_evry=3"], "Did you mean 'save_every'?"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--set", "save_every"], "--set takes name=value"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--size", "3"], "greater than or equal to 4"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--direction", "BtoC"], "'AtoB' or 'BtoA'"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--device", "gpu"], "Unknown device 'gpu'"),
        (["fit", "{pairs}", "--mode", "pix2pix", "--resume"], "to resume"),
        (["fit", "{tmp}/empty", "--mode", "cycle"], "empty"),
        (["fit", "{tmp}/nowhere", "--mode", "cycle"], "nowhere"),
        (["fit", "{folders}", "--mode", "pix2pix"], "trainA0"),
        (["convert", "{tmp}/nowhere", "{pairs}", "{tmp}/out"], "no checkpoint"),
        (["info", "{tmp}/garbage.safetensors"], "not a model file, or is damaged"),
        (["import", "{tmp}/garbage.safetensors", "{tmp}/out.safetensors"], "garbage.safetensors"),
        (["datasets", "check", "{tmp}/nowhere"], "nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_do(
    call: Any,
    pairs: Path,
    folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "garbage.safetensors").write_bytes(b"\x01garbage" * 9)
    before = sorted(tmp_path.rglob("*"))
    code, text = call(*(word.format(pairs=pairs, folders=folders, tmp=tmp_path) for word in words))
    assert code == 2
    assert said in text
    assert "Traceback" not in text
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", [["fit"], ["fit", "x"], ["nothing"], ["convert", "x"]])
def test_missing_words_end_with_2(call: Any, words: list[str]):
    assert call(*words)[0] == 2


def test_modes_lists_and_prints_every_setting(call: Any):
    code, text = call("modes")
    assert code == 0 and all(mode in text for mode in METHODS)
    for mode, method in METHODS.items():
        code, text = call("modes", mode)
        assert code == 0 and all(name in text for name in method.settings.model_fields)
        assert "save_every" in text and "linear|cosine|step" in text


def test_a_saved_config_is_a_start(call: Any, pairs: Path, tmp_path: Path):
    first = train(pairs, "pix2pix", tmp_path, "first", steps=2, l1=7)
    words = [
        "fit",
        pairs,
        "--mode",
        "pix2pix",
        "--out",
        tmp_path,
        "--name",
        "second",
        "--config",
        first / "config.json",
    ]
    assert call(*words, "--seed", 5)[0] == 0
    assert '"l1": 7.0' in (tmp_path / "second" / "config.json").read_text()
    assert '"seed": 5' in (tmp_path / "second" / "config.json").read_text()


def test_a_drawn_set_is_made_when_asked_for_by_name(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code, text = call("fit", "drawn-seasons", "--mode", "cycle", "--steps", 1, *tiny("cycle"))
    assert code == 0, text
    assert (tmp_path / "checkpoints" / "drawn-seasons-cycle" / "model.safetensors").exists()
    assert "psnr" in text  # val has its true partners


def test_import_of_a_foreign_generator(call: Any, reference: Path, tmp_path: Path):
    name = "resnet_6blocks_bn_dropout_ngf16"
    code, text = call("import", reference / f"{name}.pth", tmp_path / "model.safetensors")
    assert code == 0 and "resnet" in text and "blocks=6" in text
    held = np.load(reference / f"{name}.npz")
    from translate import load

    output = load(tmp_path / "model.safetensors", "cpu")(torch.from_numpy(held["input"]))
    np.testing.assert_allclose(output.numpy(), held["output_eval"], atol=5e-5)
    code, text = call("import", reference / "patchgan_basic_in_3ch_ndf16.pth", tmp_path / "d.safetensors")
    assert code == 2 and "discriminator" in text


def test_import_of_an_evil_pickle_runs_nothing(call: Any, tmp_path: Path):
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"model.1.weight": torch.zeros(1), "evil": Evil()}, tmp_path / "evil.pth")
    code, text = call("import", tmp_path / "evil.pth", tmp_path / "out.safetensors")
    assert code == 2 and "evil.pth" in text
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out.safetensors").exists()


def test_import_of_a_missing_file(call: Any, tmp_path: Path):
    code, text = call("import", tmp_path / "absent.pth", tmp_path / "out.safetensors")
    assert code == 2 and "absent.pth" in text


def test_version(call: Any):
    code, text = call("--version")
    assert code == 0 and text.strip() == "0.1.0"


def test_an_image_is_converted_into_a_named_file(call: Any, folders: Path, tmp_path: Path):
    model = train(folders, "cycle", tmp_path, steps=1)
    Image.new("RGB", (20, 10), "red").save(tmp_path / "in.png")
    assert call("convert", model, tmp_path / "in.png", tmp_path / "new.jpg", "--direction", "BtoA")[0] == 0
    assert images.size(tmp_path / "new.jpg") == (10, 20)
