"""translate datasets: the verbs, their exit codes, and that importing them is cheap."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from translate.cli import datasets
from translate.data import download as download_module
from translate.data.catalogue import KNOWN
from translate.data.drawn import DRAWN
from translate.errors import ConfigError, DataError


def run(*arguments: object):
    return CliRunner().invoke(datasets.app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_list_names_all_and_what_is_here(tmp_path):
    (tmp_path / "horse2zebra").mkdir()
    (tmp_path / "my-own").mkdir()
    lines = run("list", "--root", tmp_path).output.splitlines()
    names = [line.split()[0] for line in lines[1:]]
    assert names == [*DRAWN, *KNOWN, "my-own"]
    assert {name for name, line in zip(names, lines[1:], strict=True) if " yes" in line} == {"horse2zebra", "my-own"}


def test_make_then_check(tmp_path):
    made = run("make", "drawn-seasons", tmp_path / "set", "--count", 4, "--size", 16, "--seed", 2)
    assert made.exit_code == 0
    assert "unpaired, 4 images" in made.output
    checked = run("check", tmp_path / "set")
    assert checked.exit_code == 0
    assert "Fine." in checked.output
    assert "trainA 4" in checked.output
    assert "16x16" in checked.output


def test_trouble_is_exit_code_1(tmp_path):
    run("make", "drawn-facades", tmp_path / "set", "--count", 2, "--size", 16)
    (tmp_path / "set" / "train" / "bad.png").write_bytes(b"garbage")
    checked = run("check", tmp_path / "set")
    assert checked.exit_code == 1
    assert "trouble: 1 unreadable: train/bad.png" in checked.output


def test_errors_are_left_to_the_command_line(tmp_path):
    assert isinstance(run("check", tmp_path / "missing").exception, DataError)
    assert isinstance(run("check", tmp_path).exception, DataError)
    assert isinstance(run("make", "drawn-facade", tmp_path / "x").exception, ConfigError)
    assert isinstance(run("download", "horse2zebras", "--root", tmp_path).exception, DataError)


def test_download_says_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "download", lambda name, root, progress: root / name)
    result = run("download", "horse2zebra", "--root", tmp_path)
    assert result.exit_code == 0
    assert KNOWN["horse2zebra"].description in result.output.replace("\n", " ")


@pytest.mark.parametrize("verb", [[], ["list"], ["check"], ["make"], ["download"]])
def test_help(verb):
    assert "Usage" in run(*verb, "--help").output


def test_importing_the_verbs_is_cheap():
    """The file on its own: what the package around it imports is another test's matter."""
    code = (
        "import sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location('verbs', {datasets.__file__!r})\n"
        "spec.loader.exec_module(u.module_from_spec(spec))\n"
        "heavy = ('torch', 'cv2', 'numpy', 'pydantic', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
