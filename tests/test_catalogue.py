"""The catalogue of public sets is sound, and a name that is not there leads to the command that brings it."""

import pytest

from translate.data import catalogue
from translate.data.catalogue import KNOWN, find
from translate.errors import DataError


@pytest.mark.parametrize("name", KNOWN)
def test_rows_are_sound(name):
    known = KNOWN[name]
    assert known.kind in ("paired", "unpaired")
    assert known.description
    assert known.terms
    if known.url:
        assert known.url.startswith("http://efrosgans.eecs.berkeley.edu/")
        assert known.archive.endswith((".zip", ".tar.gz"))
    if known.sha256:
        assert known.bytes
        assert len(bytes.fromhex(known.sha256)) == 32


def test_archives_do_not_share_a_name():
    archives = [known.archive for known in KNOWN.values() if known.url]
    assert len(set(archives)) == len(archives)


def test_a_path_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datasets" / "mine").mkdir(parents=True)
    assert find("mine") == catalogue.Path("datasets/mine")
    (tmp_path / "mine").mkdir()
    assert find("mine") == catalogue.Path("mine")
    assert find(str(tmp_path / "mine")) == tmp_path / "mine"


def test_a_file_is_no_data_set(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="is a file"):
        find(str(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("horse2zebra", "`translate datasets download horse2zebra --root "),
        ("drawn-seasons", "`translate datasets make drawn-seasons "),
        ("horse2zebr", "Did you mean 'horse2zebra'"),
        ("drawn-season", "Did you mean 'drawn-seasons'"),
        ("cityscapes", "https://www.cityscapes-dataset.com"),
        ("qqqqqqq", "`translate datasets list`"),
    ],
)
def test_what_is_missing_leads_to_the_next_command(name, advice, tmp_path):
    with pytest.raises(DataError) as error:
        find(name, tmp_path)
    assert advice in str(error.value)


def test_the_usual_root_needs_no_flag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="`translate datasets download horse2zebra` fetches"):
        find("horse2zebra")
