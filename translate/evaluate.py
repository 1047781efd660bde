"""Score a model on images whose truth is known: pairs for a translator, colour pictures for a colorizer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from translate import files, images
from translate.colour.monochrome import is_monochrome
from translate.colour.painting import paint
from translate.config import DataSettings, Direction
from translate.data import Layout, catalogue, detect, open_split
from translate.data.layout import listing
from translate.errors import ConfigError, DataError, ImageError
from translate.grid import draw_grid
from translate.metrics import COLOUR_METRICS, METRICS
from translate.metrics.colour_distance import distance, features
from translate.rendering import Colouring
from translate.translator import Translator

LARGEST = 1024
"""Pixels a side at which colours are compared: larger pictures are reduced."""
ROWS, ROW = 8, 256
WITHOUT_TRUTH = ("style", "adain")


class Example(NamedTuple):
    """An input and its truth, (H, W, C) each, and the file they came from."""

    given: np.ndarray
    truth: np.ndarray
    file: str


@dataclass
class Evaluation:
    """Mean of every measure over `count` images: of the model's outputs, and of their inputs, which did nothing."""

    scores: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, float] = field(default_factory=dict)
    count: int = 0
    notices: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.count, "scores": self.scores, "inputs": self.inputs, "notices": self.notices}


def evaluate(
    translator: Translator,
    dataset: str | PathLike[str],
    *,
    split: str | None = None,
    direction: Direction | None = None,
    grid: str | PathLike[str] | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Evaluation:
    """Translate every image of a split whose truth is known, at its own size, and measure how near it comes.

    `dataset` is a folder or a name in datasets/; `split` defaults to test, else val, else all there is. For a colorizer
    it is any folder of colour pictures: it sees them grey (those that are grey already are left out), and what is
    measured is colour. For other models it holds pairs. Files that cannot be read are left out; the notices name all
    that was. `grid` is a picture to write: input | ours | truth.
    Raises DataError for a folder that will not do, ConfigError for a model that does not fit it.
    """
    if translator.about.mode in WITHOUT_TRUTH:
        raise ConfigError(
            f"A picture painted by --mode {translator.about.mode} has no truth to be near to: `translate info` and the "
            "run's log.jsonl say how much content and style differ on held-out pictures."
        )
    if grid:
        _refuse_grid(Path(grid))
    colours = isinstance(translator.rendering, Colouring)
    layout = detect(catalogue.find(str(dataset)), "single" if colours else "paired")
    split = split or next(name for name in ("test", "val", "train") if name in layout.splits)
    if split not in layout.splits:
        raise DataError(f"{layout.root} has no split {split}; it has {', '.join(layout.splits)}.")
    found = Evaluation()
    direction = translator.checked(direction)
    examples = _in_colour(layout, split, found) if colours else _pairs(layout, split, direction, found)
    measured = _Measured(COLOUR_METRICS if colours else METRICS, colours)
    rows: list[dict[str, Tensor]] = []
    for example in examples:
        made = translator.translate([example.given], direction)[0]
        shown = [images.to_tensor(_in_channels(each, example.truth)) for each in (made, example.given, example.truth)]
        measured.add(*(each[None] for each in shown))
        found.count += 1
        if len(rows) < ROWS and grid:
            rows.append(dict(zip(("ours", "input", "truth"), map(_row_high, shown), strict=True)))
        progress(found.count, len(layout.splits[split].a))
    if not found.count:
        raise DataError(f"{layout.root} holds nothing to compare with:\n{listing(found.notices)}")
    found.scores, found.inputs = measured.means()
    if grid:
        columns = ("input", "ours", "truth")
        images.write(Path(grid), draw_grid([{name: row[name] for name in columns} for row in rows]))
    return found


class _Measured:
    """Measures of outputs and of inputs against truths, image by image."""

    def __init__(self, metrics: Any, colours: bool) -> None:
        self._metrics, self._colours = metrics, colours
        self._values: list[dict[str, list[float]]] = [{}, {}]
        self._features: list[list[Tensor]] = [[], [], []]

    @torch.no_grad()
    def add(self, made: Tensor, given: Tensor, truth: Tensor) -> None:
        for values, each in zip(self._values, (made, given), strict=True):
            if each.shape == truth.shape:
                for name, metric in self._metrics.items():
                    values.setdefault(name, []).append(metric(each, truth).item())
        if self._colours:
            for kept, each in zip(self._features, (made, given, truth), strict=True):
                kept.append(features(each))

    def means(self) -> tuple[dict[str, float], dict[str, float]]:
        made, given = ({name: float(np.mean(each)) for name, each in values.items()} for values in self._values)
        if self._colours and len(self._features[2]) > 1:
            outputs, inputs, truths = (torch.cat(each) for each in self._features)
            made["colour_distance"] = float(distance(outputs, truths, paired=True))
            given["colour_distance"] = float(distance(inputs, truths, paired=True))
        return made, given


def _in_colour(layout: Layout, split: str, found: Evaluation) -> Iterator[Example]:
    """Colour pictures made grey; those that are grey or cannot be read are left out, which `found` is told."""
    for source in layout.splits[split].a:
        try:
            truth = images.read_pixels(source.path)
        except ImageError as error:
            found.notices.append(f"Left out: {error}")
            continue
        if truth.shape[2] != 3 or is_monochrome(truth):
            found.notices.append(f"{source.path} is grey and was left out.")
            continue
        height, width = truth.shape[:2]
        scale = min(1.0, LARGEST / max(height, width))
        truth = images.resize(truth, max(1, round(height * scale)), max(1, round(width * scale)))
        grey = paint(truth, np.zeros((1, 1, 2), np.float32))
        yield Example(grey[..., :1], truth, str(source.path))


def _pairs(layout: Layout, split: str, direction: Direction, found: Evaluation) -> Iterator[Example]:
    settings = DataSettings.checked({"preprocess": "none", "cache": 0, "skip_bad": True})
    dataset = open_split(layout, split, "paired", settings, 0)
    found.notices += dataset.prepare()
    for index in range(len(dataset)):
        a, b, file, _ = dataset.plain(index)
        assert b is not None
        yield Example(a, b, file) if direction == "AtoB" else Example(b, a, file)


def _refuse_grid(path: Path) -> None:
    """Raise now if the grid cannot be written once everything is measured."""
    if path.suffix.lower() not in images.SUFFIXES:
        raise ConfigError(
            f"{path}: cannot write {path.suffix or 'a file without suffix'}. A grid is a .png, as a rule."
        )
    files.make_folder(path.parent)


def _in_channels(pixels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return images.match_channels(pixels, truth.shape[2]) if {pixels.shape[2], truth.shape[2]} == {1, 3} else pixels


def _row_high(image: Tensor) -> Tensor:
    """An image (C, H, W) at the height of a row of the grid."""
    pixels = images.to_array(image, np.float32)
    return images.to_tensor(images.resize(pixels, ROW, max(1, round(pixels.shape[1] * ROW / pixels.shape[0]))))
