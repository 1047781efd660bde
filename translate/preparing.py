"""All that a run begins with, before its folder exists: settings, images, a method, a trainer."""

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from translate import checkpoint, distributed, machine, rounds, settings
from translate.checkpoint import About, Model
from translate.config import near_miss
from translate.data import ImageDataset, Labels, Layout, catalogue, detect, hold_out, loader, open_split, read_labels
from translate.data.batch import Batch
from translate.data.resident import refuse_what_cannot_be
from translate.display import Display
from translate.errors import CheckpointError, ConfigError, DataError
from translate.log import import_board
from translate.methods import Method, find_method
from translate.networks.blocks import Generator
from translate.settings import Settings
from translate.training.counting import count_step
from translate.training.execution import WORTH_BF16, choose_device, configure_backends, depends_on_work
from translate.training.trainer import Trainer
from translate.validation import HeldOut
from translate.version import __version__

MOST_MEETINGS = 64
"""Operations that a weight takes part in for each pixel of a step, at most: twice in some passes, thrice a pass."""


@dataclass(frozen=True)
class Prepared:
    """A run as it stands before anything is written.

    `total` is in steps, `batches` are those of an epoch; `first` is this process's share of one.
    """

    chosen: Settings
    folder: Path
    device: torch.device
    display: Display
    layout: Layout
    labels: Labels | None
    train: ImageDataset
    held: HeldOut
    total: int
    batches: int
    first: Batch

    def method(self, display: Display | None = None) -> Method:
        """The method as it begins; what it has to say goes to `display`, by default the run's."""
        chosen, channels = self.chosen, _two_channels(self.train)
        torch.manual_seed(chosen.training.seed)
        kind = find_method(chosen.mode).suited(chosen.method)
        more: dict[str, Any] = {"labels": self.labels.names} if self.labels else {}
        more |= load_models(kind, chosen.method)
        method = kind(chosen.method, channels, chosen.data.size, chosen.data.direction, **more)
        for text in method.notices:
            (display or self.display).note(text)
        method.begin(lambda most: loader.held_out(self.train, 1, most))
        if chosen.training.checkpointing:
            _checkpoint(method, chosen.mode)
        return method

    def trainer(self, display: Display | None = None) -> Trainer:
        """A trainer of `method`, at its first step."""
        method = self.method(display)
        operations = self.operations(method)
        one_size = self.chosen.data.preprocess != "none"
        return Trainer(method, self.chosen.training, self.total, self.batches, self.device, operations, one_size)

    def operations(self, method: Method) -> float:
        """Operations of the first step; 0 where how it is executed does not depend on them."""
        if not depends_on_work(self.chosen.training, method, self.device):
            return 0.0
        pixels = sum(part.numel() // part.shape[1] for part in (self.first.a, self.first.b) if part is not None)
        most = MOST_MEETINGS * pixels * sum(p.numel() for p in method.parameters())
        if most * self.chosen.training.accumulate < WORTH_BF16:
            return 0.0
        return count_step(method, self.first) * self.chosen.training.accumulate

    def about(self, method: Method) -> About:
        """What model files say of themselves."""
        data = self.chosen.data
        return About(
            mode=self.chosen.mode,
            direction="noise" if "noise" in method.generators() else data.direction,
            channels=method.channels,
            size=method.side(data),
            statistics=_statistics(method, data.batch_size),
            data=self.layout.name,
            licence=self.chosen.training.licence,
            version=__version__,
            **method.described(),
        )

    @property
    def fingerprint(self) -> str:
        """Says which data is trained on."""
        return _fingerprint(self.train, self.layout.root, self.labels)


@contextmanager
def prepared(
    dataset: str | PathLike[str],
    *,
    mode: str,
    name: str | None,
    out: str | PathLike[str],
    resume: bool,
    config: str | PathLike[str] | None,
    quiet: bool,
    asked: dict[str, Any],
) -> Iterator[Prepared]:
    """What `fit` does before it writes, all processes joined meanwhile; raises what `fit` raises."""
    display = Display(quiet)
    find_method(mode)
    root = catalogue.find(str(dataset))
    folder = Path(out) / (f"{root.resolve().name}-{mode}" if name is None else _plain(name))
    chosen, notices = _settings(root, mode, folder, resume, config, asked)
    device = choose_device(distributed.own_device(chosen.training.device))
    configure_backends(chosen.training, device, chosen.data.preprocess != "none")
    began = not distributed.started()
    distributed.start(device.type)
    try:
        display = display if distributed.is_main() else Display(quiet=True)
        for text in notices:
            display.note(text)
        yield _prepared(chosen, folder, device, display)
    finally:
        machine.give_back_memory()
        if began:
            distributed.stop()


def _plain(name: str) -> str:
    if not name or name.startswith(".") or Path(name).name != name:
        raise ConfigError(
            f"--name {name!r} will not do: it is the name of a folder in --out, without / and leading dot."
        )
    return name


def _settings(
    root: Path, mode: str, folder: Path, resume: bool, config: str | PathLike[str] | None, asked: dict[str, Any]
) -> tuple[Settings, list[str]]:
    """Merge the settings and hold them against what stands at `folder` already; also says what resuming changes."""
    saved_at = folder / checkpoint.CONFIG
    if resume and not saved_at.exists():
        runs = [path.parent.name for path in folder.parent.glob(f"*/{checkpoint.CONFIG}")]
        hint = near_miss(folder.name, runs) if runs else " There are no runs there."
        raise CheckpointError(f"There is no run {folder} to resume.{hint}")
    if resume:
        if (folder / checkpoint.MODEL).exists() and not (folder / checkpoint.LAST).exists():
            raise CheckpointError(
                f"{folder} has lost its {checkpoint.LAST}, so it cannot go on; its {checkpoint.MODEL} is still good. "
                "Choose another --name."
            )
        saved = checkpoint.load_config(saved_at)
        settings.refuse_other_mode(folder, saved, mode)
        chosen = settings.resolve(mode, str(root.resolve()), asked, saved)
        return chosen, settings.changes(folder, saved, chosen)
    if saved_at.exists():
        raise CheckpointError(f"There is a run {folder} already: --resume goes on with it, --name makes another.")
    held = [name for name in (checkpoint.LAST, checkpoint.MODEL, checkpoint.BEST) if (folder / name).exists()]
    if held:
        raise CheckpointError(f"{folder} holds {held[0]}, which would be overwritten: choose another --name.")
    saved = checkpoint.load_config(Path(config)) if config else {}
    return settings.resolve(mode, str(root.resolve()), asked, saved), []


def _prepared(chosen: Settings, folder: Path, device: torch.device, display: Display) -> Prepared:
    kind = find_method(chosen.mode).suited(chosen.method)
    layout = detect(Path(chosen.dataset), kind.source)
    labels = read_labels(layout, kind.label_file(chosen.method)) if kind.labelled(chosen.method) else None
    alone = kind.knows_truth and kind.source == "single"
    layout, held = hold_out(layout, kind.unfit) if alone else (layout, [])
    for text in (layout.name, *layout.warnings, *held, *(labels.notices if labels else ())):
        display.note(text)
    train = _open(layout, "train", kind, chosen, display, labels)
    held_out = _held_out(layout, train, kind, chosen, display, labels)
    total, batches = _length(train, chosen)
    first = _rehearse(train, chosen, device)
    return Prepared(chosen, folder, device, display, layout, labels, train, held_out, total, batches, first)


def load_models(kind: type[Method], settings: Any) -> dict[str, Model]:
    """The trained models that a method of `kind` learns from, by the keywords that it takes them by."""
    named = kind.models(settings).items()
    return {name: checkpoint.load_model(checkpoint.find_model(path)) for name, path in named}


def _open(
    layout: Layout, split: str, kind: type[Method], chosen: Settings, display: Display, labels: Labels | None
) -> ImageDataset:
    if split not in layout.splits:
        raise DataError(f"{layout.root} has no {split} images: {layout.name}.")
    dataset = open_split(layout, split, kind.source, chosen.data, chosen.training.seed, kind.unfit, labels=labels)
    with display.preparing(f"reading {split}") as progress:
        notices = _read(dataset, progress)
    a, b = dataset.channels
    if kind.in_colour and 1 in (a, b):
        dataset.take_channels((3 if a == 1 else a, 3 if b == 1 else b))
        notices = [*notices, f"Images of {split} are grey: taken as three equal channels."]
    for text in notices:
        display.note(text)
    return dataset


def _read(dataset: ImageDataset, progress: Callable[[int, int], None]) -> list[str]:
    cache = dataset.settings.cache
    try:
        return dataset.prepare(progress)
    except OSError as error:
        if error.errno != errno.ENOMEM or not cache:
            raise
        raise ConfigError(f"No room for a cache of {cache} MiB: use a smaller --set cache={cache // 4} or 0.") from None


def _held_out(
    layout: Layout, train: ImageDataset, kind: type[Method], chosen: Settings, display: Display, labels: Labels | None
) -> HeldOut:
    """Held-out images for samples and validation: val, else test, else none (then samples come from train)."""
    split = next((split for split in ("val", "test") if split in layout.splits), None)
    if split is None:
        display.note("There is no val or test split: no validation; samples show training images.")
        return HeldOut(lambda most: loader.held_out(train, 1, most), truth=False, count=len(train))
    truth = kind.source == "paired" or kind.knows_truth or split in layout.truth
    if not truth:
        display.note("No validation: the held-out images have no known truth.")
    if truth and split == "test":
        display.note("There is no val split: the best model is chosen by the test images.")
    dataset = _open(layout, split, kind, _one_by_one(chosen), display, labels)
    dataset.take_channels(train.channels)
    held, seen = (partial(loader.held_out, images, 1) for images in (dataset, train))
    return HeldOut(held, truth, seen, len(dataset))


def _one_by_one(chosen: Settings) -> Settings:
    """The same settings for held-out images: looked at one by one, decoded anew each time."""
    return replace(chosen, data=chosen.data.model_copy(update={"cache": 0, "batch_size": 1}))


def _two_channels(train: ImageDataset) -> tuple[int, int]:
    a, b = train.channels
    return (a, a if b is None else b)


def _length(train: ImageDataset, chosen: Settings) -> tuple[int, int]:
    """Optimizer steps in all, and batches in an epoch."""
    batches = loader.batches_per_epoch(train, chosen.data.batch_size)
    if batches < chosen.training.accumulate:
        raise ConfigError(
            f"accumulate={chosen.training.accumulate} batches of {chosen.data.batch_size} are more than the "
            f"{len(train)} images of an epoch: lower one of them."
        )
    if chosen.training.steps is not None:
        return chosen.training.steps, batches
    return (chosen.training.epochs or 0) * batches // chosen.training.accumulate, batches


def _rehearse(train: ImageDataset, chosen: Settings, device: torch.device) -> Batch:
    """Meet what can only be refused while training before a run folder exists: draw a batch, import the board."""
    if chosen.training.tensorboard:
        import_board()
    if chosen.data.resident:
        refuse_what_cannot_be(train, device)
    with closing(rounds.stream(train, chosen, start=0, workers=0)) as batches:
        return next(batches)


def _checkpoint(method: Method, mode: str) -> None:
    """Have the generators recompute what they can; raises ConfigError if they cannot."""
    for network in method.generators().values():
        if not isinstance(network, Generator):
            raise ConfigError(f"checkpointing=True is for translators: --mode {mode} keeps all inner values.")
        network.checkpointing = True


def _statistics(method: Method, batch_size: int) -> Any:
    """With batches of one, batch norm has learned from each image's own statistics: go on so when translating."""
    batch_norm = any(isinstance(m, torch.nn.BatchNorm2d) for g in method.generators().values() for m in g.modules())
    translates = "noise" not in method.generators()
    return "image" if batch_norm and batch_size == 1 and translates else "running"


def _fingerprint(train: ImageDataset, root: Path, labels: Labels | None) -> str:
    """Changes when files come, go, are renamed or change class, not when the whole data set moves."""
    digest = hashlib.sha256()
    for source in (source for domain in train.domains for source in domain):
        label = f" {labels.of[source.path]}" if labels else ""
        line = f"{source.path.relative_to(root).as_posix()} {source.half}{label}\0"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
