"""The rounds of a run: play what is left of it, tell how it goes, and deal with trouble."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from shlex import quote

from translate import distributed
from translate.data import ImageDataset, loader, resident
from translate.data.batch import Batch
from translate.display import Display
from translate.errors import ConfigError, TrainingError, TranslateError
from translate.health import EARLY, NOT_FINITE, Verdict, sure
from translate.methods import find_method
from translate.run import ROLLBACKS, Run
from translate.settings import Settings
from translate.stopping import asked_to_stop
from translate.training.trainer import Trainer


def play(run: Run, trainer: Trainer, train: ImageDataset, chosen: Settings, display: Display) -> None:
    """Play all steps that are left, unless a signal asks to stop or trouble does; save in any case.

    Raises TrainingError, what was saved being good, if a loss or gradient is not finite and settings.on_trouble does
    not help, or if training stays sick after it went back as often as it may.
    """
    try:
        run.open(chosen.to_json(run.about.channels))
        _say_begin(run, trainer, train, chosen, display)
        stopped = None
        with asked_to_stop() as stop:
            while not distributed.any_true(stop() or run.over) and trainer.step < trainer.total:
                trouble = _stretch(run, trainer, train, chosen, display, stop)
                if trouble is None:
                    break
                if chosen.training.on_trouble == "stop":
                    stopped = trouble
                    break
                _go_back(run, trainer, trouble, display)
        run.close()
    finally:
        display.stop()
        run.release()
    _say_end(run, trainer, chosen, display, stopped)


def stream(
    train: ImageDataset, chosen: Settings, *, start: int, workers: int, pin: bool = False
) -> Generator[Batch, None, None]:
    """This process's share of the global batches from number `start` on."""
    return loader.stream(
        train,
        batch_size=chosen.data.batch_size,
        seed=chosen.training.seed,
        start=start,
        workers=workers,
        rank=distributed.rank(),
        world=distributed.world(),
        pin=pin,
    )


def _stretch(
    run: Run,
    trainer: Trainer,
    train: ImageDataset,
    chosen: Settings,
    display: Display,
    stop: Callable[[], bool],
) -> Verdict | None:
    """Play until the end, a wish to stop (None), or trouble that the settings want something done about."""
    acts = chosen.training.on_trouble != "warn"
    with closing(training_stream(train, chosen, trainer)) as batches:
        while trainer.step < trainer.total and not distributed.any_true(stop() or run.over):
            began = time.perf_counter()
            taken = _taken(batches, chosen.training.accumulate, run)
            waited = time.perf_counter() - began
            try:
                losses = trainer.advance(taken)
                report = run.after_step(losses, chosen.data.batch_size * len(taken), waited)
            except TrainingError as error:
                run.watch.write({"step": trainer.step, "verdict": NOT_FINITE.name, "cause": str(error)})
                if chosen.training.on_trouble != "act":
                    raise
                display.note(str(error))
                return NOT_FINITE
            display.step(trainer.step)
            if report:
                display.report(report, trainer.total)
            _tell(run, trainer, display)
            if acts and run.watch.due(trainer.step) and distributed.any_true(not run.watch.finding.healthy):
                return run.watch.finding
    return None


def _tell(run: Run, trainer: Trainer, display: Display) -> None:
    """Say each new verdict, and what the trainer has to say, once."""
    for text in trainer.take_notices():
        display.note(text)
    for verdict in run.troubles:
        display.note(f"Step {trainer.step}: {verdict.line}" + " again" * verdict.healthy)
    run.troubles.clear()


def _go_back(run: Run, trainer: Trainer, trouble: Verdict, display: Display) -> None:
    sick = trainer.step
    if not run.roll_back(trouble):
        raise TrainingError(
            f"Step {sick}: {trouble.line}. {_why_not_back(run)}; {run.folder} keeps the last checkpoint. "
            f"`translate health {quote(str(run.folder))}` draws what happened."
        )
    display.note(
        f"Step {sick}: {trouble.name}. Back to step {trainer.step}, the last healthy checkpoint, with the learning "
        f"rates times {trainer.rate_scale:g} (time {run.rollbacks} of {ROLLBACKS})."
    )


def _why_not_back(run: Run) -> str:
    if run.rollbacks >= ROLLBACKS:
        return f"Going back {run.rollbacks} times with lower rates did not help"
    return "There is no healthy checkpoint to go back to"


def _taken(batches: Iterator[Batch], count: int, run: Run) -> list[Batch]:
    """The next batches; if a file has become unreadable meanwhile, what was learned is saved before that is said."""
    try:
        return [next(batches) for _ in range(count)]
    except TranslateError:
        run.close()
        raise


def training_stream(train: ImageDataset, chosen: Settings, trainer: Trainer) -> Generator[Batch, None, None]:
    on_gpu = trainer.device.type == "cuda"
    start = trainer.step * chosen.training.accumulate
    if not _why_not_resident(train, chosen, trainer):
        return resident.resident_stream(
            train,
            batch_size=chosen.data.batch_size,
            seed=chosen.training.seed,
            start=start,
            rank=distributed.rank(),
            world=distributed.world(),
            device=trainer.device,
        )
    # On a CPU the training itself takes all cores: processes that decode beside it would only be in its way.
    usual = loader.default_workers() if on_gpu else 0
    workers = usual if chosen.data.workers is None else chosen.data.workers
    return stream(train, chosen, start=start, workers=workers, pin=on_gpu)


def _why_not_resident(train: ImageDataset, chosen: Settings, trainer: Trainer) -> str:
    """Why the images do not lie on the device, "" if they do; raises ConfigError if they should and cannot."""
    wanted = chosen.data.resident
    if wanted is False or (wanted is None and trainer.device.type != "cuda"):
        return "nobody asked for it"
    reason = resident.why_not_resident(train, trainer.device)
    if reason and wanted:
        raise ConfigError(f"Setting resident=True: {reason}. Use --set resident=False, or leave it out.")
    return reason


def _say_begin(run: Run, trainer: Trainer, train: ImageDataset, chosen: Settings, display: Display) -> None:
    if chosen.data.resident is not False and trainer.device.type == "cuda":
        reason = _why_not_resident(train, chosen, trainer)
        where = f"in the host's memory or on disk: {reason}" if reason else f"on {trainer.device}, augmented there"
        display.note(f"Images lie {where}.")
    for text in (*run.notices, *trainer.take_notices()):
        display.note(text)
    display.note(
        f"{chosen.mode} on {trainer.device}, {trainer.execution}: step {trainer.step} of {trainer.total}, "
        f"run folder {run.folder}"
    )
    display.start(trainer.step, trainer.total)


def _say_end(run: Run, trainer: Trainer, chosen: Settings, display: Display, stopped: Verdict | None) -> None:
    scores = "  ".join(f"{name} {value:.4g}" for name, value in run.scores.items())
    if stopped is not None:
        display.note(f"Stopped at step {trainer.step} of {trainer.total}, as on_trouble=stop asks: {stopped.line}")
    elif trainer.step < trainer.total and not distributed.any_true(run.over):
        place = {"out": run.folder.parent, "name": run.folder.name, "dataset": chosen.dataset, "mode": chosen.mode}
        values = {key: quote(str(value)) for key, value in (chosen.method.model_dump() | place).items()}
        again = find_method(chosen.mode).again.format(**values)
        display.note(f"Stopped at step {trainer.step} of {trainer.total}, saved in {run.folder}. To go on: {again}")
    else:
        if trainer.step < trainer.total:
            display.note(
                f"The held-out images got no better: ended at step {trainer.step} of {trainer.total}, with the best."
            )
        use = find_method(chosen.mode).use.format(run=quote(str(run.folder)))
        health = f"\nHealth: {_health(run)}" if chosen.training.health_every else ""
        display.note(f"Done: {run.folder}. {scores}{health}\nUse it: {use}")


def _health(run: Run) -> str:
    verdict = run.watch.verdict
    return EARLY if verdict.healthy and not sure(run.watch.monitor.rows) else verdict.line
