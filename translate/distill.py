"""Make a small generator of a big one: train it by the big one's pictures, then measure both side by side."""

import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor

from translate import files, images
from translate.checkpoint import CONFIG, LAST, MODEL, find_model, load_config, load_model, load_state, read_header
from translate.config import DataSettings, Direction
from translate.data import Layout, catalogue, detect, hold_out, open_split
from translate.data.layout import Kind
from translate.display import Display
from translate.engines import EXPORTED
from translate.errors import CheckpointError, ConfigError, DataError
from translate.fit import train
from translate.loading import load
from translate.methods.teachers import identity, refuse_other, refuse_unfit
from translate.metrics import METRICS
from translate.networks.operations import count_operations
from translate.translator import Translator

DISTILLED = "distilled.json"
Size = Literal["small", "tiny"]
IMAGES = 32
"""Held-out images that are compared, at most."""
ROUNDS = 5
FROM_TEACHER = ("preprocess", "load_size")
"""How the teacher's run prepared its images is how its student's does, unless it is asked for otherwise."""


@dataclass
class Side:
    """What is known of one of the two: operations of a picture of `size` pixels a side, and what they come to.

    `scores` are means over held-out images of the distance to the truth, where there is one; `teacher` of that to the
    teacher's pictures. `images_per_second` are of such pictures, one by one.
    """

    operations: int
    parameters: int
    bytes: int
    images_per_second: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    teacher: dict[str, float] = field(default_factory=dict)


@dataclass
class Distilled:
    """Teacher and student side by side, on `count` images of `split`, computed on `device` as `about` says.

    `teacher_file` is where the teacher lay; the student has learned for `steps`.
    """

    teacher: Side
    student: Side
    size: int
    split: str
    count: int
    about: str
    teacher_file: str
    steps: int
    direction: Direction
    device: str

    def table(self) -> list[str]:
        """The lines that say it to people."""
        both = (self.teacher, self.student)
        columns = [("", *("teacher", "student")), (f"GFLOP at {self.size} pixels", *_numbers(both, "operations", 1e9))]
        columns += [("million parameters", *_numbers(both, "parameters", 1e6)), ("MB", *_numbers(both, "bytes", 1e6))]
        columns.append(("images/s", *(f"{side.images_per_second:.3g}" for side in both)))
        for name in self.student.scores:
            columns.append((f"{name} to the truth", *(f"{side.scores[name]:.4g}" for side in both)))
        for name, value in self.student.teacher.items():
            columns.append((f"{name} to the teacher", "", f"{value:.4g}"))
        width = max(len(name) for name, *_ in columns)
        lines = [f"{name:<{width}}{one:>11}{other:>11}" for name, one, other in columns]
        return [*lines, f"({self.count} images of {self.split}; images/s: {self.about}, one at a time)"]


def distill(
    checkpoint: str | PathLike[str],
    dataset: str | PathLike[str],
    *,
    size: Size | None = None,
    name: str | None = None,
    out: str | PathLike[str] = "checkpoints",
    crop: int | None = None,
    direction: Direction | None = None,
    resume: bool = False,
    quiet: bool = False,
    **asked: Any,
) -> Path:
    """Train a student of the model `checkpoint` on `dataset`, compare the two, and return the run folder, OUT/NAME.

    `size` small (which None is) has at most a tenth of the teacher's operations, tiny a thirtieth. `crop` is the side
    in pixels of what training sees; default: what the teacher was trained on. `asked` are settings as in
    `translate.fit`, for mode distill. The comparison is printed, and stands in the run folder's distilled.json.
    A run that was stopped before its end is not compared; `resume` goes on with it. Raises TranslateError as
    `translate.fit` does, and ConfigError for a teacher that cannot be distilled.
    """
    if named := sorted({"teacher", "student"} & asked.keys()):
        raise ConfigError(f"{named[0]!r} is no setting of distill: checkpoint is the teacher, size says which student.")
    root = catalogue.find(str(dataset))
    name = name or f"{root.resolve().name}-{size or 'small'}"
    found = _find_teacher(Path(checkpoint), Path(out) / name if resume else None)
    header = read_header(found)
    refuse_unfit(header["mode"])
    given: dict[str, Any] = {"teacher": str(checkpoint), "student": size, "size": crop, "direction": direction}
    if not resume:
        usual = {"student": "small", "size": header["size"], "direction": header["direction"]}
        usual["domains"] = _domains(root, header["mode"])
        usual |= {} if crop else _prepared(found)
        given = usual | {key: value for key, value in given.items() if value is not None}
    given = {key: value for key, value in given.items() if value is not None} | asked
    folder, finished = train(
        root, mode="distill", name=name, out=out, resume=resume, config=None, quiet=quiet, asked=given
    )
    if finished and os.environ.get("RANK", "0") == "0":
        compared = compare(found, folder, root, device=load_config(folder / CONFIG)["training"]["device"])
        files.write_bytes(folder / DISTILLED, (json.dumps(asdict(compared), indent=2) + "\n").encode())
        display = Display(quiet)
        for line in compared.table():
            display.note(line)
    return folder


def compare(teacher: Path, run: Path, root: Path, *, device: str = "auto", most: int = IMAGES) -> Distilled:
    """Measure the model `teacher` beside its student in the folder `run`, on up to `most` held-out images of `root`."""
    config = load_config(run / CONFIG)
    direction, kind = cast(Direction, config["data"]["direction"]), cast(Kind, config["method"]["domains"])
    models = {"teacher": load(teacher, device), "student": load(run, device)}
    size = models["teacher"].about.size
    sides = {
        "teacher": _side(models["teacher"], direction, teacher, size),
        "student": _side(models["student"], direction, run / MODEL, size),
    }
    split, count = _score(models, sides, root, kind, direction, most)
    for name, rate in rates(models, direction, size).items():
        sides[name].images_per_second = rate
    return Distilled(
        **sides,
        size=size,
        split=split,
        count=count,
        about=models["teacher"].engine(direction).about,
        teacher_file=str(teacher.absolute()),
        steps=models["student"].about.step,
        direction=direction,
        device=str(models["teacher"].device),
    )


@torch.no_grad()
def rates(models: dict[str, Translator], direction: Direction, size: int, rounds: int = ROUNDS) -> dict[str, float]:
    """Images of `size` x `size` that each of `models` translates a second: medians, taken in turns."""
    picture = torch.randint(0, 256, (1, models["teacher"].channels(direction)[0], size, size), dtype=torch.uint8)
    spent: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            began = time.perf_counter()
            model.engine(direction)(picture)
            if turn:  # the first one prepares
                spent[name].append(time.perf_counter() - began)
    return {name: 1 / statistics.median(each) for name, each in spent.items()}


def _find_teacher(path: Path, run: Path | None) -> Path:
    """The model file that `path` stands for; `run` is the folder that is to go on learning from it, if one is.

    Raises CheckpointError if there is none, or if it is not the one that `run` has learned from.
    """
    if path.suffix.lower() in EXPORTED and not path.is_dir():
        raise CheckpointError(
            f"{path} is an exported model, which can only be run: a teacher is a run folder or a .safetensors file, "
            "as the one that it was made from."
        )
    config = load_config(run / CONFIG) if run and (run / CONFIG).exists() else {}
    former = config.get("method", {}).get("teacher")
    try:
        found = find_model(path)
    except CheckpointError as error:
        if not former:
            raise
        raise CheckpointError(
            f"{error} {run} learned from {former}, and needs it to go on: put it back, or give the place where it is."
        ) from None
    if run and former and (run / LAST).exists():
        # Before anything is made of the teacher: another one may not do at all, and that is not what is wrong.
        learned = load_state(run / LAST)["method"]["_extra_state"]
        refuse_other(learned, identity(load_model(found), config["data"]["direction"]), found)
    return found


def _prepared(teacher: Path) -> dict[str, Any]:
    """How the run of the teacher, if it is one of ours, prepared its images."""
    config = teacher.parent / CONFIG
    data = load_config(config).get("data", {}) if config.exists() else {}
    return {name: data[name] for name in FROM_TEACHER if data.get(name) is not None}


def _domains(root: Path, mode: str) -> Kind:
    """What a data set is for the student of a teacher of `mode`: pairs only where it is sure that they are some."""
    if mode in ("pix2pix", "style"):
        return "paired" if mode == "pix2pix" else "single"
    try:
        layout = detect(root, "unpaired")
    except DataError:
        return "single"
    return "paired" if "train" in layout.truth else "unpaired"


def _side(model: Translator, direction: Direction, path: Path, size: int) -> Side:
    network = model.network(direction)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Side(count_operations(network, size), parameters, path.stat().st_size)


def _score(
    models: dict[str, Translator], sides: dict[str, Side], root: Path, kind: Kind, direction: Direction, most: int
) -> tuple[str, int]:
    """Have both translate held-out images at their own size; returns the split and how many were compared."""
    layout = detect(root, kind)
    layout = hold_out(layout)[0] if kind == "single" else layout
    split = next(name for name in ("val", "test", "train") if name in layout.splits)
    true = kind == "paired" or split in layout.truth
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    count = 0
    for source, truth in _examples(layout, split, kind, direction, most):
        made = {name: images.to_tensor(model.translate([source], direction)[0]) for name, model in models.items()}
        if true and truth is not None:
            shown = images.to_tensor(images.match_channels(truth, made["teacher"].shape[0]))
            for name in models:
                _add(values.setdefault((name, "scores"), {}), made[name], shown)
        _add(values.setdefault(("student", "teacher"), {}), made["student"], made["teacher"])
        count += 1
    for (name, what), each in values.items():
        setattr(sides[name], what, {metric: float(np.mean(found)) for metric, found in each.items()})
    return split, count


def _examples(
    layout: Layout, split: str, kind: Kind, direction: Direction, most: int
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    settings = DataSettings.checked({"preprocess": "none", "cache": 0, "skip_bad": True})
    dataset = open_split(layout, split, kind, settings, 0)
    dataset.prepare()
    # Not len(dataset), which is that of the larger domain: an image would come, and count, again.
    there = len(dataset.domains[-1 if direction == "BtoA" else 0])
    count = min(most, there)
    for place in range(count):
        a, b, *_ = dataset.plain(place * there // count)
        yield (b, a) if b is not None and direction == "BtoA" else (a, b)


@torch.no_grad()
def _add(values: dict[str, list[float]], made: Tensor, wanted: Tensor) -> None:
    for name, metric in METRICS.items():
        values.setdefault(name, []).append(float(metric(made[None], wanted[None])))


def _numbers(sides: tuple[Side, ...], name: str, unit: float) -> list[str]:
    return [f"{getattr(side, name) / unit:.3g}" for side in sides]
