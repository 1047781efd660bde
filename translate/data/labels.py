"""Which class each picture of a single folder shows: by the folder it lies in, or by a CSV file."""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.data.layout import Layout, listing, single_folders
from translate.errors import DataError

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_HEADER = ("file", "label")
_UNDERSTOOD = (
    "Understood are: one folder a class below train/ (train/cat/1.png), or a CSV file of lines `file,label` "
    "(--set labels=FILE)."
)


@dataclass(frozen=True)
class Labels:
    """The classes of a data set: `names` in the order of their numbers, `of` every picture of every split its number.

    `notices` say what was passed over.
    """

    names: tuple[str, ...]
    of: Mapping[Path, int]
    notices: tuple[str, ...] = ()


def read_labels(layout: Layout, file: Path | None = None) -> Labels:
    """The classes of `layout`, a single folder as `detect` finds it; all its splits share one numbering.

    Without `file` a picture's class is the first folder below that of its split: train/cat/1.png is a cat, as is
    cat/1.png where there are no splits. With `file`, a CSV in UTF-8 of lines `file,label`, it is what stands there;
    files are named relative to the data set, to the folder of the CSV or of their split, or by their bare name where
    only one picture bears it. Names are sorted, as numbers where all are numbers. A split may lack a class. Raises
    DataError, listing the offenders, for pictures without a label or with two, a file that cannot be read, a class that
    is not in train, and fewer than two classes; lines on files that are not there are a notice.
    """
    pictures = [source.path for split in layout.splits.values() for source in split.a]
    if file is None:
        named = _by_folder(layout.root, pictures)
        notices: tuple[str, ...] = ()
    else:
        named, notices = _by_line(layout.root, pictures, file)
    names = _numbered(layout, named)
    numbers = {name: number for number, name in enumerate(names)}
    return Labels(names, {path: numbers[name] for path, name in named.items()}, notices)


def _numbered(layout: Layout, named: Mapping[Path, str]) -> tuple[str, ...]:
    classes = {split: {named[source.path] for source in part.a} for split, part in layout.splits.items()}
    trained = classes["train"]
    foreign = [
        f"{source.path} is of class {named[source.path]}"
        for split, part in layout.splits.items()
        if classes[split] - trained
        for source in part.a
        if named[source.path] not in trained
    ]
    if foreign:
        raise DataError(f"{layout.root} has classes that train has not:\n{listing(foreign)}\nAdd them to train.")
    if len(trained) < 2:
        raise DataError(f"All pictures of {layout.root} are of one class, {min(trained)}: labels need two or more.")
    numeric = all(_NUMBER.fullmatch(name) for name in trained)
    return tuple(sorted(trained, key=lambda name: (float(name) if numeric else 0.0, name)))


# Folders


def _by_folder(root: Path, pictures: Sequence[Path]) -> dict[Path, str]:
    insides = _insides(root, pictures)
    loose = [f"{path} lies in no folder of a class" for path, inside in insides.items() if len(inside) < 2]
    if loose:
        raise DataError(f"{len(loose)} of {len(pictures)} pictures have no label:\n{listing(loose)}\n{_UNDERSTOOD}")
    return {path: inside[0] for path, inside in insides.items()}


def _insides(root: Path, pictures: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """The parts of every path below the folder of its split."""
    folders = {folder.parts for places in single_folders(root).values() for folder in places}
    lengths = sorted({len(parts) for parts in folders}, reverse=True)
    insides = {}
    for path in pictures:
        parts = path.parts
        length = next((length for length in lengths if parts[:length] in folders), len(root.parts))
        insides[path] = parts[length:]
    return insides


# CSV


def _by_line(root: Path, pictures: Sequence[Path], file: Path) -> tuple[dict[Path, str], tuple[str, ...]]:
    find = _Finder(root, pictures, file.parent)
    named: dict[Path, str] = {}
    first: dict[Path, int] = {}
    absent, trouble = [], []
    for line, name, label in _lines(file):
        found = find(name)
        if not found:
            absent.append(f"line {line}: {name}")
        elif len(found) > 1:
            trouble.append(f"line {line}: {name} may be {found[0]} or {found[1]}")
        elif named.setdefault(found[0], label) != label:
            trouble.append(f"line {line}: {name} is {label}, and {named[found[0]]} in line {first[found[0]]}")
        else:
            first.setdefault(found[0], line)
    if trouble:
        raise DataError(f"{file} contradicts itself:\n{listing(trouble)}\nName each file once, with its folder.")
    bare = [str(path) for path in pictures if path not in named]
    if bare:
        wanted = listing(bare) + (f"\nIt does name files that are not there, as in {absent[0]}." if absent else "")
        raise DataError(f"{len(bare)} of {len(pictures)} pictures have no label in {file}:\n{wanted}")
    # In the order of the pictures, so that nothing hangs on that of the lines.
    ordered = {path: named[path] for path in pictures}
    if not absent:
        return ordered, ()
    return ordered, (f"{len(absent)} lines of {file} name files that are not there:\n{listing(absent)}",)


class _Finder:
    """Finds the pictures that a name in a CSV may mean: the one at that place, else those it fits less exactly."""

    def __init__(self, root: Path, pictures: Iterable[Path], beside: Path) -> None:
        self.bases = [os.path.abspath(root), os.path.abspath(beside)]  # noqa: PTH100  # links stay as they are
        self.placed: dict[str, Path] = {}
        self.inside: dict[str, list[Path]] = defaultdict(list)
        for path, inside in _insides(root, pictures).items():
            self.placed[os.path.abspath(path)] = path  # noqa: PTH100
            for name in dict.fromkeys(("/".join(inside), path.name)):
                self.inside[name].append(path)

    def __call__(self, name: str) -> list[Path]:
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):  # as written on Windows
            for base in self.bases:
                if path := self.placed.get(os.path.normpath(os.path.join(base, spelling))):  # noqa: PTH118
                    return [path]
            if found := self.inside.get(os.path.normpath(spelling).replace(os.sep, "/")):
                return found
        return []


def _lines(file: Path) -> list[tuple[int, str, str]]:
    """(number, file, label) of every line that is not blank, without the header."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(text, skipinitialspace=True, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no CSV file in UTF-8: {error}. It holds lines `file,label`.") from None
    if rows and tuple(cell.lower() for cell in rows[0][1]) == _HEADER:
        rows = rows[1:]
    wrong = [f"line {line}: {','.join(row)}" for line, row in rows if len(row) != 2 or not all(row)]
    if wrong or not rows:
        found = f"these do not:\n{listing(wrong)}" if wrong else "it has none."
        raise DataError(f"Lines of {file} read `file,label`; {found}")
    return [(line, row[0], row[1]) for line, row in rows]
