"""Train: from a folder of images to a run folder that `translate.load` takes."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from translate import checkpoint, distributed, settings
from translate.checkpoint import About
from translate.config import near_miss
from translate.data import ImageDataset, Layout, catalogue, detect, loader, open_split
from translate.data.batch import Batch
from translate.display import Display
from translate.errors import CheckpointError, ConfigError, DataError
from translate.methods import Method, find_method
from translate.run import HeldOut, Run
from translate.settings import Settings
from translate.trainer import Trainer, choose_device, configure_backends
from translate.version import __version__


def fit(
    dataset: str | PathLike[str],
    *,
    mode: str,
    name: str | None = None,
    out: str | PathLike[str] = "checkpoints",
    resume: bool = False,
    config: str | PathLike[str] | None = None,
    quiet: bool = False,
    **asked: Any,
) -> Path:
    """Train `mode` on `dataset` and return the run folder, OUT/NAME.

    `dataset` is a folder or a name in `datasets/`. `asked` are settings by name (`translate modes MODE` lists them):
    `fit("photos", mode="cycle", epochs=100, size=128, identity=0)`. `config` is a saved config.json to start from.
    `resume` goes on exactly where the run of that name stopped. Ctrl-C and SIGTERM save and return.
    Raises TranslateError (DataError, ConfigError, CheckpointError, TrainingError); what was saved stays good.
    """
    display = Display(quiet)
    find_method(mode)
    root = catalogue.find(str(dataset))
    folder = Path(out) / (f"{root.resolve().name}-{mode}" if name is None else _plain(name))
    chosen = _settings(root, mode, folder, resume, config, asked)
    device = choose_device(_local(chosen.training.device))
    configure_backends(chosen.training, device)
    distributed.start(device.type)
    try:
        return _fit(chosen, folder, device, display if distributed.is_main() else Display(quiet=True))
    finally:
        distributed.stop()


def _plain(name: str) -> str:
    if not name or name.startswith(".") or Path(name).name != name:
        raise ConfigError(
            f"--name {name!r} will not do: it is the name of a folder in --out, without / and leading dot."
        )
    return name


def _local(device: str) -> str:
    """The device of this process, where a launcher started several on one machine."""
    place = os.environ.get("LOCAL_RANK")
    on_gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return f"cuda:{place}" if place is not None and on_gpu else device


def _settings(
    root: Path, mode: str, folder: Path, resume: bool, config: str | PathLike[str] | None, asked: dict[str, Any]
) -> Settings:
    """Merge the settings and hold them against a run that stands at `folder` already."""
    saved_at = folder / checkpoint.CONFIG
    if resume and not saved_at.exists():
        runs = [path.parent.name for path in folder.parent.glob(f"*/{checkpoint.CONFIG}")]
        hint = near_miss(folder.name, runs) if runs else " There are no runs there."
        raise CheckpointError(f"There is no run {folder} to resume.{hint}")
    if saved_at.exists() and not resume:
        raise CheckpointError(f"There is a run {folder} already: --resume goes on with it, --name makes another.")
    if resume:
        saved = checkpoint.load_config(saved_at)
        settings.refuse_other_mode(folder, saved, mode)
    else:
        saved = checkpoint.load_config(Path(config)) if config else {}
    chosen = settings.resolve(mode, str(root.resolve()), asked, saved)
    if resume:
        settings.refuse_changes(folder, saved, chosen)
    return chosen


def _fit(chosen: Settings, folder: Path, device: torch.device, display: Display) -> Path:
    data, training = chosen.data, chosen.training
    kind = find_method(chosen.mode)
    layout = detect(Path(chosen.dataset), kind.source)
    for text in (layout.name, *layout.warnings):
        display.note(text)
    train = _open(layout, "train", kind, chosen, display)
    held_out = _held_out(layout, train, kind, chosen, display)
    channels = _two_channels(train)
    total, per_epoch = _length(train, chosen)

    torch.manual_seed(training.seed)
    method = kind(chosen.method, channels, data.size, data.direction)
    for text in method.notices:
        display.note(text)
    trainer = Trainer(method, training, total, per_epoch, device)
    about = About(
        mode=chosen.mode,
        direction=data.direction,
        channels=channels,
        size=data.size,
        statistics=_statistics(method, data.batch_size),
        data=layout.name,
        licence=training.licence,
        version=__version__,
    )
    folder.mkdir(parents=True, exist_ok=True)
    if distributed.is_main():
        checkpoint.save_config(folder, chosen.to_json(channels))
    distributed.barrier()
    run = Run(folder, trainer, training, about, held_out, _fingerprint(train))
    _train(run, trainer, train, chosen, display)
    distributed.barrier()  # no process goes on, or ends, before the main one has written all
    return folder


def _train(run: Run, trainer: Trainer, train: ImageDataset, chosen: Settings, display: Display) -> None:
    """Play all steps that are left, unless a signal asks to stop; save in either case."""
    try:
        run.open()
        _say_begin(run, trainer, chosen, display)
        with asked_to_stop() as stop, closing(_stream(train, chosen, trainer)) as batches:
            while trainer.step < trainer.total and not distributed.any_true(stop()):
                began = time.perf_counter()
                taken = [next(batches) for _ in range(chosen.training.accumulate)]
                waited = time.perf_counter() - began
                losses = trainer.advance(taken)
                report = run.after_step(losses, chosen.data.batch_size * len(taken), waited)
                display.step(trainer.step)
                if report:
                    display.report(report, trainer.total)
            run.close()
    finally:
        display.stop()
        run.release()
    _say_end(run, trainer, chosen, display)


def _say_begin(run: Run, trainer: Trainer, chosen: Settings, display: Display) -> None:
    if run.changed_data:
        display.note("The data set has changed since the run was saved: it goes on, but not exactly as it would have.")
    display.note(
        f"{chosen.mode} on {trainer.device}, precision {chosen.training.precision}: "
        f"step {trainer.step} of {trainer.total}, run folder {run.folder}"
    )
    display.start(trainer.step, trainer.total)


def _say_end(run: Run, trainer: Trainer, chosen: Settings, display: Display) -> None:
    scores = "  ".join(f"{name} {value:.4g}" for name, value in run.scores.items())
    if trainer.step < trainer.total:
        display.note(
            f"Stopped at step {trainer.step} of {trainer.total}, saved in {run.folder}. To go on: translate fit "
            f"{chosen.dataset} --mode {chosen.mode} --out {run.folder.parent} --name {run.folder.name} --resume"
        )
    else:
        display.note(f"Done: {run.folder}. {scores}\nUse it: translate convert {run.folder} INPUT OUTPUT")


def _open(layout: Layout, split: str, kind: type[Method], chosen: Settings, display: Display) -> ImageDataset:
    if split not in layout.splits:
        raise DataError(f"{layout.root} has no {split} images: {layout.name}.")
    dataset = open_split(layout, split, kind.source, chosen.data, chosen.training.seed)
    with display.preparing(f"reading {split}") as progress:
        notices = dataset.prepare(progress)
    for text in notices:
        display.note(text)
    return dataset


def _held_out(
    layout: Layout, train: ImageDataset, kind: type[Method], chosen: Settings, display: Display
) -> HeldOut | None:
    """Held-out images for samples and validation: val, else test, else none (then samples come from train)."""
    split = next((split for split in ("val", "test") if split in layout.splits), None)
    if split is None:
        display.note("There is no val or test split: no validation; samples show training images.")
        return HeldOut(lambda: loader.held_out(train, 1), truth=False)
    truth = kind.source == "paired" or split in layout.truth
    if not truth:
        display.note("No validation: the held-out images have no known truth.")
    dataset = _open(layout, split, kind, _uncached(chosen), display)
    return HeldOut(lambda: loader.held_out(dataset, 1), truth)


def _uncached(chosen: Settings) -> Settings:
    """The same settings without a cache: held-out images are decoded anew, whole."""
    return replace(chosen, data=chosen.data.model_copy(update={"cache": 0}))


def _two_channels(train: ImageDataset) -> tuple[int, int]:
    a, b = train.channels
    return (a, a if b is None else b)


def _length(train: ImageDataset, chosen: Settings) -> tuple[int, int]:
    """Optimizer steps in all, and an epoch."""
    batches = loader.batches_per_epoch(train, chosen.data.batch_size)
    per_epoch = batches // chosen.training.accumulate
    if per_epoch == 0:
        raise ConfigError(
            f"accumulate={chosen.training.accumulate} batches of {chosen.data.batch_size} are more than the "
            f"{len(train)} images of an epoch: lower one of them."
        )
    return chosen.training.steps or (chosen.training.epochs or 0) * per_epoch, per_epoch


def _stream(train: ImageDataset, chosen: Settings, trainer: Trainer) -> Generator[Batch, None, None]:
    # On a CPU the training itself takes all cores: processes that decode beside it would only be in its way.
    usual = 0 if trainer.device.type == "cpu" else loader.default_workers()
    yield from loader.stream(
        train,
        batch_size=chosen.data.batch_size,
        seed=chosen.training.seed,
        start=trainer.step * chosen.training.accumulate,
        workers=usual if chosen.data.workers is None else chosen.data.workers,
        rank=distributed.rank(),
        world=distributed.world(),
        pin=trainer.device.type == "cuda",
    )


def _statistics(method: Method, batch_size: int) -> Any:
    """With batches of one, batch norm has learned from each image's own statistics: go on so when translating."""
    batch_norm = any(isinstance(m, torch.nn.BatchNorm2d) for g in method.generators().values() for m in g.modules())
    return "image" if batch_norm and batch_size == 1 else "running"


def _fingerprint(train: ImageDataset) -> str:
    """Changes when files come, go or are renamed."""
    digest = hashlib.sha256()
    for index in range(len(train)):
        digest.update("\0".join(Path(file).name for file in train.files(index)).encode())
    return digest.hexdigest()


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Give a question that is true once Ctrl-C or SIGTERM came; a second one ends the process at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
