"""How a data set lies on disk: find out, name it, and refuse what does not fit together."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from translate import images
from translate.errors import DataError, ImageError

Kind = Literal["paired", "unpaired", "single"]
Half = Literal["left", "right"]

SPLITS = ("train", "val", "test")
LISTED = 10
"""How many offenders an error names; it gives the number of all."""

_UNDERSTOOD = (
    "Understood are: trainA/ and trainB/; A/ and B/; train/ with A|B side by side in one image; "
    "for pairs also one folder of such images."
)


class Source(NamedTuple):
    """Where one image comes from: a file, or one half of it."""

    path: Path
    half: Half | None = None


@dataclass(frozen=True)
class Split:
    """The images of one split. `b` is None for a single domain; `matched`: a[i] and b[i] belong together."""

    a: tuple[Source, ...]
    b: tuple[Source, ...] | None = None
    matched: bool = False


@dataclass(frozen=True)
class Layout:
    """A data set as found: its splits (train, and val and test where they exist) and one line that says so.

    `truth` names the splits whose a[i] and b[i] are true partners, so that a translation can be scored.
    """

    root: Path
    name: str
    splits: dict[str, Split]
    truth: frozenset[str] = frozenset()
    warnings: list[str] = field(default_factory=list)


def detect(root: Path, kind: Kind) -> Layout:
    """Find out how the data set in `root` lies, for methods that take `kind`.

    Raises DataError if it is missing, empty, of no known layout, or if its pairs do not match.
    """
    try:
        return _detect(root, kind)
    except OSError as error:
        raise DataError(f"{error.filename or root} cannot be looked into: {error.strerror}.") from error


def _detect(root: Path, kind: Kind) -> Layout:
    if not root.is_dir():
        raise DataError(
            f"{root} is a file, not a folder of images." if root.exists() else f"There is no folder {root}."
        )
    if kind == "single":
        return _single(root)
    folders = _two_folders(root)
    if folders:
        return _from_folders(root, kind, *folders)
    if (root / "train").is_dir():
        return _side_by_side(root, kind, {name: root / name for name in SPLITS if (root / name).is_dir()})
    if not _has_images(root):
        raise DataError(f"{root} holds no layout that is understood: {_contents(root)}. {_UNDERSTOOD}")
    if kind == "unpaired":
        raise DataError(
            f"{root} is one folder of images, and unpaired training needs two: put one domain into {root / 'A'}, "
            f"the other into {root / 'B'}."
        )
    return _side_by_side(root, kind, {"train": root})


def match(a: Path, b: Path) -> tuple[list[Path], list[Path]]:
    """The images of folders `a` and `b` in pairs of equal relative stem; raises DataError listing those without."""
    stems_a, trouble_a = _by_stem(a)
    stems_b, trouble_b = _by_stem(b)
    trouble = trouble_a + trouble_b
    trouble += [f"{stems_a[stem]} has no partner in {b}" for stem in sorted(stems_a.keys() - stems_b.keys())]
    trouble += [f"{stems_b[stem]} has no partner in {a}" for stem in sorted(stems_b.keys() - stems_a.keys())]
    if trouble:
        raise DataError(
            f"The images of {a} and {b} do not match:\n{listing(trouble)}\n"
            "A pair has the same name in both folders. For two folders that are no pairs use --mode cycle."
        )
    stems = sorted(stems_a)
    return [stems_a[stem] for stem in stems], [stems_b[stem] for stem in stems]


def listing(lines: Sequence[str]) -> str:
    """The first ten of `lines`, indented, and how many there are."""
    shown = "\n".join(f"  {line}" for line in lines[:LISTED])
    return shown if len(lines) <= LISTED else f"{shown}\n  ... {len(lines)} in all"


# Two folders


def _two_folders(root: Path) -> tuple[str, dict[str, tuple[Path, Path]]] | None:
    """The name of the layout and the folders (A, B) of every split, if the domains lie in two folders."""
    styles: list[tuple[str, Callable[[str], tuple[Path, Path]]]] = [
        ("trainA and trainB", lambda split: (root / f"{split}A", root / f"{split}B")),
        ("A and B inside train", lambda split: (root / split / "A", root / split / "B")),
        ("train inside A and B", lambda split: (root / "A" / split, root / "B" / split)),
    ]
    for name, place in styles:
        if any(folder.is_dir() for folder in place("train")):
            return name, {split: place(split) for split in SPLITS if any(folder.is_dir() for folder in place(split))}
    if (root / "A").is_dir() or (root / "B").is_dir():
        return "A and B", {"train": (root / "A", root / "B")}
    return None


def _from_folders(root: Path, kind: Kind, name: str, folders: dict[str, tuple[Path, Path]]) -> Layout:
    for a, b in folders.values():
        for folder, other in ((a, b), (b, a)):
            if not folder.is_dir():
                raise DataError(f"{other} has no partner folder {folder}: both domains are needed.")
            if not images.list_images(folder):
                raise DataError(f"{folder} holds no images: {_contents(folder)}. Fill it or remove it.")
    declared = _declared_truth(root, folders)
    splits = {split: _two(a, b, kind == "paired" or split in declared) for split, (a, b) in folders.items()}
    truth = frozenset(splits) if kind == "paired" else declared
    return Layout(root, _line(root, name, splits), splits, truth)


def _two(a: Path, b: Path, matched: bool) -> Split:
    files_a, files_b = match(a, b) if matched else (images.list_images(a), images.list_images(b))
    return Split(tuple(map(Source, files_a)), tuple(map(Source, files_b)), matched)


def _by_stem(folder: Path) -> tuple[dict[str, Path], list[str]]:
    named = defaultdict(list)
    for path in images.list_images(folder):
        named[path.relative_to(folder).with_suffix("").as_posix()].append(path)
    trouble = [
        f"{' and '.join(path.name for path in paths)} in {paths[0].parent} share a name"
        for paths in named.values()
        if len(paths) > 1
    ]
    return {stem: paths[0] for stem, paths in named.items()}, trouble


def _declared_truth(root: Path, known: Iterable[str]) -> frozenset[str]:
    """The splits that dataset.json declares to hold true partners: {"truth": ["test"]}."""
    path = root / "dataset.json"
    if not path.exists():
        return frozenset()
    try:
        names = json.loads(path.read_text(encoding="utf-8")).get("truth", [])
        return frozenset(names) & frozenset(known)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(f'{path} cannot be read ({error}). It may say {{"truth": ["val", "test"]}}.') from None


# A|B side by side


def _side_by_side(root: Path, kind: Kind, folders: dict[str, Path]) -> Layout:
    files = {split: _some_images(folder) for split, folder in folders.items()}
    _refuse_odd_widths([path for paths in files.values() for path in paths])
    splits = {
        split: Split(
            tuple(Source(path, "left") for path in paths), tuple(Source(path, "right") for path in paths), matched=True
        )
        for split, paths in files.items()
    }
    line = _line(root, "A|B side by side in one image", splits)
    return Layout(root, line, splits, frozenset(splits), _seam_warnings(root, files["train"]))


def _refuse_odd_widths(paths: Sequence[Path]) -> None:
    with ThreadPoolExecutor(4) as pool:
        widths = list(pool.map(_width, paths))
    odd = [f"{path} is {width} pixels wide" for path, width in zip(paths, widths, strict=True) if width % 2]
    if odd:
        raise DataError(
            f"{odd[0]}: an A|B pair has an even width ({len(odd)} of {len(paths)} images are odd). Are these ordinary "
            "photographs? For two unpaired folders use --mode cycle."
        )


def _width(path: Path) -> int:
    try:
        return images.size(path)[1]
    except ImageError:
        return 0  # preparing the data set decodes every file and names this one with the others that are damaged


def _seam_warnings(root: Path, paths: Sequence[Path], sample: int = 16) -> list[str]:
    step = max(1, len(paths) // sample)
    seams = []
    for path in paths[::step][:sample]:
        try:
            seams.append(_seam(images.read_pixels(path)))
        except ImageError:
            continue
    if not seams or np.median(seams) >= 1.5:
        return []
    return [
        f"The images of {root} show no seam at their middle, where A should end and B begin. If these are ordinary "
        "photographs, pairs go into folders A and B; for two unpaired folders use --mode cycle."
    ]


def _seam(pixels: np.ndarray) -> float:
    """How much stronger the step between the two middle columns is than between neighbouring columns nearby."""
    middle = pixels.shape[1] // 2
    reach = min(middle, 24)
    near = pixels[:, middle - reach : middle + reach].astype(np.float32)
    steps = cv2.absdiff(near[:, 1:], near[:, :-1]).reshape(near.shape[0], 2 * reach - 1, -1).mean(axis=(0, 2))
    return float(steps[reach - 1] / max(float(np.delete(steps, reach - 1).mean()), 1e-6)) if reach > 1 else np.inf


# One folder


def single_folders(root: Path) -> dict[str, list[Path]]:
    """The folders of every split of a data set whose images stand alone; `root` itself where there are no splits."""
    folders: dict[str, list[Path]] = {}
    for split in SPLITS:
        places = (root / split, root / f"{split}A", root / f"{split}B", root / "A" / split, root / "B" / split)
        if found := [place for place in places if place.is_dir()]:
            folders[split] = found
    return folders if "train" in folders else {"train": [root]}


def _single(root: Path) -> Layout:
    splits = {
        split: Split(tuple(Source(path) for place in places for path in _some_images(place)))
        for split, places in single_folders(root).items()
    }
    return Layout(root, _line(root, "one folder of images", splits), splits)


def _some_images(folder: Path) -> list[Path]:
    found = images.list_images(folder)
    if not found:
        raise DataError(f"{folder} holds no images: {_contents(folder)}. Known suffixes: {_suffixes()}.")
    return found


# Words


def _line(root: Path, what: str, splits: dict[str, Split]) -> str:
    counts = [f"{_count(split)} {name}" for name, split in splits.items()]
    return f"{root.resolve().name}: {what}, {', '.join(counts)}"


def _count(split: Split) -> str:
    return str(len(split.a)) if split.b is None or split.matched else f"{len(split.a)} + {len(split.b)}"


def _has_images(folder: Path) -> bool:
    return any(path.suffix.lower() in images.SUFFIXES and path.name[0] != "." for path in folder.iterdir())


def _suffixes() -> str:
    return " ".join(sorted(images.SUFFIXES))


def _contents(folder: Path) -> str:
    """What stands in `folder`, in a few words."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "it is empty"
    return f"found {', '.join(names[:6])}" + (f" and {len(names) - 6} more" if len(names) > 6 else "")
