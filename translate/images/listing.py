"""Which files of a folder are images: as a sorted list, or as they come."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from translate.errors import ConfigError, ImageError
from translate.images.formats import SUFFIXES

Report = Callable[[Path, str], None]


def list_images(folder: Path) -> list[Path]:
    """Every image below `folder`, sorted by its relative path; hidden files and folders are left out.

    Raises ImageError for a folder that cannot be looked into.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back up
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(here, name) for name in names if _is_image(name)]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def walk_images(
    folder: Path, include: Iterable[str] = (), exclude: Iterable[str] = (), on_error: Report | None = None
) -> Iterator[Path]:
    """Every image below `folder` as the disk gives them: the files of a folder, then its subfolders; nothing is sorted.

    No listing is held in memory. Hidden files and folders are left out, a link that leads back up is not followed.
    `include` and `exclude` are patterns on the relative path: `*` stays within a folder, `**` does not, one without a
    slash matches names, one that ends with a slash a folder and all in it; a folder that `exclude` matches is not
    entered. A subfolder that cannot be looked into goes to `on_error` with the reason; for `folder` itself that raises
    ImageError, at once, and ConfigError for what is no pattern.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        _refuse(error)
    return _walk(Path(folder), "", (), _patterns(include), _patterns(exclude), on_error)


def matches(relative: str, patterns: Iterable[str]) -> bool:
    """Whether one of `patterns`, as `walk_images` takes them, matches the path `relative`."""
    return _matches(_patterns(patterns), relative)


def _walk(
    folder: Path,
    inside: str,
    above: tuple[tuple[int, int], ...],
    include: Sequence[re.Pattern[str]],
    exclude: Sequence[re.Pattern[str]],
    on_error: Report | None,
) -> Iterator[Path]:
    folders = []
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                relative = inside + entry.name
                if entry.name.startswith(".") or _matches(exclude, relative):
                    continue
                if _is_folder(entry):
                    folders.append(entry.name)
                elif _is_image(entry.name) and (not include or _matches(include, relative)):
                    yield folder / entry.name
    except OSError as error:
        if on_error:
            on_error(folder, f"cannot be looked into: {error.strerror}.")
    else:
        above = (*above, (status.st_dev, status.st_ino))
    for name in folders:
        yield from _walk(folder / name, f"{inside}{name}/", above, include, exclude, on_error)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # whoever reads it will name it


def _patterns(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    return [_compiled(pattern) for pattern in patterns]


def _compiled(pattern: str) -> re.Pattern[str]:
    named = pattern.rstrip("/")
    if not named.removeprefix("."):  # the folder that is walked
        expression = ".*" if pattern.endswith("/") else _expression(pattern)
    else:
        expression = _expression(named) + ("(?:/.*)?" if pattern.endswith("/") else "")
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as error:
        raise ConfigError(f"{pattern!r} is not a pattern of file names: {error.msg}.") from None


def _expression(pattern: str) -> str:
    """The regular expression of a glob; one without a slash may begin in any folder."""
    pattern = pattern.removeprefix("./")
    parts, rest = ([] if "/" in pattern else ["(?:.*/)?"]), pattern.removeprefix("/")
    while rest:
        for mark, meaning in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
            if rest.startswith(mark):
                parts.append(meaning)
                rest = rest[len(mark) :]
                break
        else:
            group = re.match(r"\[([!^]?)(\]?[^\]]*)\]", rest)
            text = group[0] if group else rest[0]
            inner = group[2].replace("\\", "\\\\").replace("[", "\\[") if group else ""
            parts.append(f"[{'^' if group[1] else ''}{inner}]" if group else re.escape(text))
            rest = rest[len(text) :]
    return "".join(parts)


def _matches(patterns: Sequence[re.Pattern[str]], relative: str) -> bool:
    return any(pattern.fullmatch(relative) for pattern in patterns)


def _refuse(error: OSError) -> None:
    raise ImageError(f"{error.filename}: cannot be looked into: {error.strerror}.") from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
