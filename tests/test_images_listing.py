"""Folders of images as they come: loops, patterns, folders that cannot be looked into."""

import os
from pathlib import Path

import pytest

from translate import images
from translate.errors import ConfigError, ImageError


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def walked(folder: Path, **options) -> set[str]:
    found = [path.relative_to(folder).as_posix() for path in images.walk_images(folder, **options)]
    assert len(found) == len(set(found))
    return set(found)


def test_files_come_before_the_subfolders(tmp_path: Path):
    made(tmp_path, "b/2.PNG", "b/10.jpg", "a.tif", ".hidden.png", ".cache/x.png", "b/note.txt", "b/c/d/e.npy", "z.webp")
    found = [path.relative_to(tmp_path).as_posix() for path in images.walk_images(tmp_path)]
    assert set(found[:2]) == {"a.tif", "z.webp"} and set(found[2:4]) == {"b/2.PNG", "b/10.jpg"}
    assert found[4:] == ["b/c/d/e.npy"]
    assert sorted(found) == [path.relative_to(tmp_path).as_posix() for path in images.list_images(tmp_path)]


def test_loops_end(tmp_path: Path):
    made(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "over").symlink_to(tmp_path / "a")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert walked(tmp_path) == {"a/1.png", "b/2.png", "b/over/1.png", "round.png", "gone.png"}


@pytest.mark.parametrize(("include", "exclude", "expected"), [
    ((), (), "a.jpg b.png sub/c.jpg sub/d.png sub/deep/e.jpg other/f.jpg"),
    (("*.jpg",), (), "a.jpg sub/c.jpg sub/deep/e.jpg other/f.jpg"),
    (("**/*.jpg",), (), "a.jpg sub/c.jpg sub/deep/e.jpg other/f.jpg"),
    (("sub/*",), (), "sub/c.jpg sub/d.png"),
    (("sub/**",), (), "sub/c.jpg sub/d.png sub/deep/e.jpg"),
    (("sub/**/*.jpg",), (), "sub/c.jpg sub/deep/e.jpg"),
    (("?.png", "f.*"), (), "b.png sub/d.png other/f.jpg"),
    (("[ac].jpg",), (), "a.jpg sub/c.jpg"),
    (("[!a].jpg",), (), "sub/c.jpg sub/deep/e.jpg other/f.jpg"),
    ((), ("sub",), "a.jpg b.png other/f.jpg"),
    ((), ("sub/",), "a.jpg b.png other/f.jpg"),
    ((), ("deep/",), "a.jpg b.png sub/c.jpg sub/d.png other/f.jpg"),
    ((), ("./",), ""),
    (("sub/",), (), "sub/c.jpg sub/d.png sub/deep/e.jpg"),
    (("/sub/", "o*/"), (), "sub/c.jpg sub/d.png sub/deep/e.jpg other/f.jpg"),
    (("sub/deep/",), (), "sub/deep/e.jpg"),
    (("deep/",), (), "sub/deep/e.jpg"),
    (("/deep/", "su/"), (), ""),
    ((), ("sub/*",), "a.jpg b.png other/f.jpg"),
    ((), ("**/deep/**", "*.png"), "a.jpg sub/c.jpg other/f.jpg"),
    (("*.jpg",), ("a.*", "deep"), "sub/c.jpg other/f.jpg"),
    (("*.JPG",), (), ""),
])  # fmt: skip
def test_patterns(tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: str):
    made(tmp_path, "a.jpg", "b.png", "sub/c.jpg", "sub/d.png", "sub/deep/e.jpg", "other/f.jpg")
    assert walked(tmp_path, include=include, exclude=exclude) == set(expected.split())


def test_what_is_no_pattern_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"'\[z-a\]\*' is not a pattern"):
        images.walk_images(tmp_path, include=["*.png", "[z-a]*"])
    with pytest.raises(ConfigError, match=r"z-a"):
        images.matches("a.png", ["[z-a]*/"])


def test_what_cannot_be_looked_into_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made(tmp_path, "a/1.png", "closed/2.png", "z/3.png")
    scan = os.scandir

    def refuse(folder: Path):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)  # chmod does not stop root
    said: list[tuple[Path, str]] = []
    assert walked(tmp_path, on_error=lambda path, reason: said.append((path, reason))) == {"a/1.png", "z/3.png"}
    assert said == [(tmp_path / "closed", "cannot be looked into: Permission denied.")]
    for folder in (tmp_path / "closed", tmp_path / "missing", tmp_path / "a" / "1.png"):
        with pytest.raises(ImageError, match=folder.name):
            images.walk_images(folder)


def test_a_large_folder_is_not_held(tmp_path: Path):
    made(tmp_path, *(f"{index}.png" for index in range(500)))
    first = images.walk_images(tmp_path)
    next(first)
    made(tmp_path, "late/x.png")
    assert sum(1 for _ in first) in (499, 500)


def test_any_name_is_found(tmp_path: Path):
    names = {"森/木.png", "é/à b.jpg", "two\nlines/x\ty.png", "[x]/*.png"}
    made(tmp_path, *names)
    assert walked(tmp_path) == names
