"""Look a data set through before training on it: layout, sizes, damaged files, duplicates, leaks between splits."""

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from translate import images
from translate.data.labels import read_labels
from translate.data.layout import Kind, Layout, detect
from translate.errors import DataError, ImageError

Progress = Callable[[int, int], None]
_NAMED = 5
_SPLIT = re.compile(r"(train|val|test)[AB]?")


@dataclass(frozen=True)
class Report:
    """What `check` found. `sizes` counts (width, height); `troubles` forbid training, `warnings` do not.

    `classes` are counted over all splits, where the pictures of a single folder lie in one folder a class.
    """

    root: Path
    layout: str | None
    folders: dict[str, int]
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.troubles


class _File(NamedTuple):
    path: Path
    error: str | None
    size: tuple[int, int] = (0, 0)
    channels: int = 0
    depth: str = ""
    digest: bytes = b""


def check(root: Path, *, progress: Progress | None = None) -> Report:
    """Decode every image under `root` in full and compare them; `progress(done, total)` is called after each.

    Raises DataError if `root` is missing, no folder, or holds no images.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder." if root.exists() else f"There is no folder {root}.")
    paths = images.list_images(root)
    if not paths:
        raise DataError(f"{root} holds no images.")
    files = _decode_all(paths, progress)
    good = [file for file in files if file.error is None]
    layout, troubles, warnings = _layout(root, good)
    report = Report(
        root,
        layout.name if layout else None,
        dict(sorted(Counter(_folder(path, root) for path in paths).items())),
        Counter(file.size for file in good),
        Counter(file.channels for file in good),
        Counter(file.depth for file in good),
        troubles,
        warnings,
        _classes(layout) if layout else {},
    )
    bad = [file for file in files if file.error is not None]
    if bad:
        shown = "; ".join(f"{_name(file.path, root)} ({file.error})" for file in bad[:_NAMED])
        report.troubles.append(f"{len(bad)} unreadable: {shown}{_and_more(bad)}.")
    if layout:
        _check_partners(layout, good, report)
    _compare(good, report)
    _check_channels(good, report)
    _check_uniformity(report)
    return report


def _decode_all(paths: list[Path], progress: Progress | None) -> list[_File]:
    files = []
    # Decoders leave the interpreter's lock; more than a few threads only wait for the disk.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for file in pool.map(_decode, paths):
            files.append(file)
            if progress:
                progress(len(files), len(paths))
    return files


def _decode(path: Path) -> _File:
    try:
        pixels = images.read(path).pixels
    except ImageError as error:
        return _File(path, str(error).removeprefix(f"{path}: ").rstrip("."))
    height, width, channels = pixels.shape
    digest = hashlib.blake2b(repr((pixels.shape, pixels.dtype.str)).encode(), digest_size=16)
    digest.update(pixels.tobytes())
    return _File(path, None, (width, height), channels, str(pixels.dtype), digest.digest())


def _layout(root: Path, files: Sequence[_File]) -> tuple[Layout | None, list[str], list[str]]:
    """The layout, and the troubles and warnings that come with it."""
    kind = _expected_kind(root)
    found = _attempt(root, kind)
    if kind == "paired" and _alone(root, files, seam=isinstance(found, Layout) and not found.warnings):
        found = _attempt(root, "single")
    elif isinstance(found, DataError) and kind == "paired" and (unpaired := _strangers(root)):
        return unpaired, [], ["No image of A has the name of one of B: no pairs, good for --mode cycle only."]
    return (found, [], list(found.warnings)) if isinstance(found, Layout) else (None, [str(found)], [])


def _attempt(root: Path, kind: Kind) -> Layout | DataError:
    try:
        return detect(root, kind)
    except DataError as error:
        return error


def _alone(root: Path, files: Sequence[_File], seam: bool) -> bool:
    """Whether the pictures of train are no pairs A|B: by their folders, as of classes, or by their shape.

    Two squares side by side are twice as wide as high. A seam in their middle tells pairs of another shape, and pairs
    that lie in folders.
    """
    train = root / "train"
    if not train.is_dir() or (root / "A").is_dir() or (root / "B").is_dir():
        return False
    inside = [file.path.relative_to(train).parts for file in files if file.path.is_relative_to(train)]
    folders = {parts[0] for parts in inside if len(parts) > 1}
    if not inside or (folders and folders <= {"A", "B"}):
        return False
    double = 2 * sum(abs(width / height - 2) < 0.1 for width, height in (file.size for file in files)) >= len(files)
    if all(len(parts) > 1 for parts in inside):
        return not (double and seam)
    return not double and not seam


def _classes(layout: Layout) -> dict[str, int]:
    """How many pictures each class has; none where folders name no classes, or the layout has two domains."""
    if any(split.b is not None for split in layout.splits.values()):
        return {}
    try:
        labels = read_labels(layout)
    except DataError:
        return {}
    counts = Counter(labels.of.values())
    return {name: counts[number] for number, name in enumerate(labels.names)}


def _expected_kind(root: Path) -> Kind:
    """What the names of the subfolders promise; pairs that do not match must not pass as something else."""
    names = {path.name for path in root.iterdir() if path.is_dir()}
    if names & {"trainA", "trainB"}:
        return "unpaired"
    if names & {"A", "B", "train"}:
        return "paired"
    return "single"


def _strangers(root: Path) -> Layout | None:
    """The layout as two unpaired folders, if no name of the one occurs in the other."""
    try:
        layout = detect(root, "unpaired")
    except DataError:
        return None
    for split in layout.splits.values():
        if split.b is None or {s.path.stem for s in split.a} & {s.path.stem for s in split.b}:
            return None
    return layout


def _check_partners(layout: Layout, files: list[_File], report: Report) -> None:
    """Partners in two folders must have one size."""
    sizes = {file.path: file.size for file in files}
    unequal = []
    for split in layout.splits.values():
        if split.matched and split.b is not None:
            for a, b in zip(split.a, split.b, strict=True):
                if a.path in sizes and b.path in sizes and sizes[a.path] != sizes[b.path]:
                    names = _name(a.path, report.root), _name(b.path, report.root)
                    unequal.append(
                        "{} ({}x{}) and {} ({}x{})".format(names[0], *sizes[a.path], names[1], *sizes[b.path])
                    )
    if unequal:
        shown = "; ".join(unequal[:_NAMED])
        report.troubles.append(f"{len(unequal)} pairs of unequal size: {shown}{_and_more(unequal)}.")


def _compare(files: list[_File], report: Report) -> None:
    """Find equal images: training on what one is tested on is trouble, the rest a warning."""
    groups: dict[bytes, list[_File]] = defaultdict(list)
    for file in files:
        groups[file.digest].append(file)
    leaks: list[list[_File]] = []
    repeats: list[list[_File]] = []
    for group in groups.values():
        if len(group) > 1:
            splits = {_split(file.path, report.root) for file in group}
            (leaks if "train" in splits and len(splits) > 1 else repeats).append(group)
    if leaks:
        report.troubles.append(f"{len(leaks)} images of train also in val or test: {_list_groups(leaks, report.root)}.")
    if repeats:
        report.warnings.append(f"{len(repeats)} images more than once: {_list_groups(repeats, report.root)}.")


def _check_channels(files: list[_File], report: Report) -> None:
    """Within a folder of the layout grey among RGB will do, any other mixture will not."""
    found: dict[str, set[int]] = defaultdict(set)
    for file in files:
        found[_folder(file.path, report.root)].add(file.channels)
    for folder, channels in sorted(found.items()):
        if len(channels) > 1 and channels != {1, 3}:
            report.troubles.append(f"{folder} mixes images of {', '.join(map(str, sorted(channels)))} channels.")


def _check_uniformity(report: Report) -> None:
    if len(report.depths) > 1:
        report.warnings.append(f"Depths are mixed: {', '.join(sorted(report.depths))}.")
    smallest = min((min(size) for size in report.sizes), default=0)
    if 0 < smallest < 16:
        report.warnings.append(f"The smallest side is {smallest} pixels, too small for most networks.")


def _split(path: Path, root: Path) -> str:
    """train, val or test by the first folder that says so, else the empty string."""
    matches = (_SPLIT.fullmatch(part) for part in path.relative_to(root).parts[:-1])
    return next((match[1] for match in matches if match), "")


def _folder(path: Path, root: Path) -> str:
    """The folders of the layout that hold `path`, such as trainA or A/train; folders nested below count with it."""
    parts = [part for part in path.relative_to(root).parts[:-1] if _SPLIT.fullmatch(part) or part in ("A", "B")]
    return "/".join(parts) or "."


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _list_groups(groups: list[list[_File]], root: Path) -> str:
    shown = "; ".join(" = ".join(_name(file.path, root) for file in group[:3]) for group in groups[:_NAMED])
    return shown + _and_more(groups)


def _and_more(things: Iterable[object]) -> str:
    more = len(list(things)) - _NAMED
    return f" and {more} more" if more > 0 else ""
