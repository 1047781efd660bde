"""Translate a file or a folder of files into a mirrored folder; a bad file is named and the others finish."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from translate import distributed, images
from translate.config import ConvertSettings, Direction
from translate.convert.clip import flicker
from translate.convert.engine import settle
from translate.convert.manifest import FOLDER, Manifest, State, opened, stamp
from translate.convert.pipeline import Outcome, Pipeline, Threads
from translate.convert.plan import Job, Plan
from translate.convert.report import Gallery, write_report
from translate.convert.summary import Summary, merged
from translate.convert.work import Seen, Worker
from translate.errors import ConfigError, DataError
from translate.machine import cores
from translate.stopping import asked_to_stop
from translate.translator import Translator

_HELD = 2**30
"""Bytes of pictures that may be in memory at once, besides what the network needs."""
_OUTPUT = ("format", "quality", "strip_metadata", "sequence", "lock", "side_by_side")
"""The settings that an output depends on."""


@dataclass
class Watch:
    """How a caller follows it: `progress` (done, total or None), `notice` (a sentence), `listed` (in a dry run)."""

    progress: Callable[[int, int | None], None] = lambda done, total: None
    notice: Callable[[str], None] = lambda text: None
    listed: Callable[[Job, State], None] = lambda job, state: None


def convert(
    translator: Translator,
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    direction: Direction | None = None,
    watch: Watch | None = None,
    **settings: Any,
) -> Summary:
    """Translate every image under `source` to the same relative path under `target`, at its own size.

    Transparency, colour profile, metadata and bit depth stay where the format can hold them. `settings` are those of
    ConvertSettings. Outputs that an earlier call made from the same input with the same model and settings stay.
    A translator of precision int8 is quantised on the user's own images. Under torchrun each process takes its share
    and returns the summary of all.

    Raises DataError if there is nothing to translate, ConfigError if the two places, a setting or the direction will
    not do, UnwritableError (a full disk: DiskFullError) at once. Any other error is of one file: `Summary.failed`.
    """
    chosen, watch = ConvertSettings.checked(settings), watch or Watch()
    direction = translator.checked(direction)
    plan = Plan(Path(source), Path(target), chosen, translator.channels(direction)[1])
    if next(plan.jobs(), None) is None:
        raise DataError(f"{source} holds no images to translate ({' '.join(sorted(images.SUFFIXES))}).")
    plan.refuse_collisions()
    if chosen.tile != "auto":
        translator = translator.using(tile="off" if chosen.tile == "off" else int(chosen.tile))
    if chosen.dry_run:
        return _rehearse(translator, plan, direction, watch)
    began = time.monotonic()
    with _manifest(plan) as manifest:
        translator = settle(translator, plan, direction, manifest, watch.notice)
        engine = translator.engine(direction)
        watch.notice(f"Computing with {engine.about}.")
        summary, gallery = _run(translator, plan, direction, manifest, watch)
    summary.seconds, summary.engine = time.monotonic() - began, engine.about
    whole = merged(distributed.gather(summary))
    for pairs in distributed.gather(gallery.pairs())[1:]:
        gallery.extend(pairs)
    if distributed.is_main():
        _finish(plan, whole, gallery, {"mode": translator.about.mode, "direction": direction})
    return whole


def _finish(plan: Plan, summary: Summary, gallery: Gallery, about: dict[str, Any]) -> None:
    settings = plan.settings
    if settings.sequence and not summary.stopped:
        summary.flicker = flicker(list(plan.jobs()), settings.side_by_side)
    if settings.report:
        places = {"input": str(plan.source), "output": str(plan.target)}
        chosen = {"settings": settings.model_dump(mode="json")}
        write_report(settings.report, summary, places | about | chosen, gallery)


@contextmanager
def _manifest(plan: Plan) -> Iterator[Manifest | None]:
    """The manifest of the output folder, ready in all processes; None for a single file."""
    if plan.single:
        target = next(plan.jobs()).target
        if target.exists() and not plan.settings.overwrite:
            raise ConfigError(f"{target} exists. --overwrite replaces it.")
        yield None
        return
    with opened(plan.target, distributed.rank()) as manifest:
        distributed.barrier()  # every process has its file
        manifest.look_around(first=distributed.is_main())
        distributed.barrier()
        yield manifest


def _run(
    translator: Translator, plan: Plan, direction: Direction, manifest: Manifest | None, watch: Watch
) -> tuple[Summary, Gallery]:
    """Convert this process' share."""
    summary, gallery = Summary(), Gallery()
    settings, noting = plan.settings, Lock()

    def seen(work: Seen) -> None:
        with noting:
            for text in work.notes:
                summary.note(text)
        if settings.report and settings.report.suffix.lower() == ".html":
            gallery.add(work.job.name, work.before, work.after)

    def unreadable(folder: Path, reason: str) -> None:
        summary.failed[str(folder)] = f"{folder}: {reason}"

    worker = Worker(translator, direction, settings, _key(translator, plan, direction), manifest, seen)
    engine = translator.engine(direction)
    jobs = plan.jobs(unreadable, distributed.rank(), distributed.world())
    threads = _threads(engine.streams, settings.batch or engine.batch)
    pipeline = Pipeline(jobs, worker.read, worker.compute, worker.write, threads)
    with ExitStack() as stack:
        total = stack.enter_context(_counting(plan))
        stop = stack.enter_context(asked_to_stop())
        first = last = 0.0
        for outcome in pipeline.run():
            _count(summary, outcome)
            last = time.monotonic()
            first = first or last
            watch.progress(_done(summary), total())
            if stop() and not summary.stopped:
                summary.stopped = True
                pipeline.stop()
    summary.per_second = (summary.translated - 1) / (last - first) if summary.translated > 1 and last > first else 0.0
    for text in translator.notices:
        summary.note(text)
    return summary, gallery


def _done(summary: Summary) -> int:
    return summary.translated + summary.skipped + len(summary.failed)


def _count(summary: Summary, outcome: Outcome[Job]) -> None:
    job, error = outcome.task, outcome.error
    if error is not None:
        text = str(error) or type(error).__name__
        summary.failed[str(job.source)] = text if str(job.source) in text else f"{job.source}: {text}"
    elif outcome.needed:
        summary.translated += 1
    else:
        summary.skipped += 1


def _key(translator: Translator, plan: Plan, direction: Direction) -> str:
    """All that an output depends on besides its input."""
    engine = translator.engine(direction)
    chosen = plan.settings.model_dump(mode="json", include=set(_OUTPUT))
    facts = [translator.fingerprint(direction), engine.backend, engine.precision, chosen, str(plan.settings.mask)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _threads(streams: int, batch: int) -> Threads:
    return Threads(readers=max(1, cores() // 2), streams=streams, writers=cores(), batch=batch, memory=_HELD)


@contextmanager
def _counting(plan: Plan) -> Iterator[Callable[[], int | None]]:
    """Count the inputs meanwhile; give the question how many this process has, None until that is known."""
    found: list[int] = []
    ended: list[bool] = []

    def count() -> None:
        total = plan.count(lambda: bool(ended))
        if not ended:
            found.append(-(-total // distributed.world()))

    thread = Thread(target=count, daemon=True)
    thread.start()
    try:
        yield lambda: found[0] if found else None
    finally:
        ended.append(True)
        thread.join()


def _rehearse(translator: Translator, plan: Plan, direction: Direction, watch: Watch) -> Summary:
    """Say what would be done, and do nothing; `Summary.translated` counts what would be made."""
    summary = Summary()
    with ExitStack() as stack:
        manifest, key = None, ""
        if not plan.single and (plan.target / FOLDER).is_dir():
            manifest = stack.enter_context(opened(plan.target, distributed.rank()))
            manifest.look_around(first=False)
            key = _key(settle(translator, plan, direction, manifest, watch.notice), plan, direction)
        for job in plan.jobs(lambda folder, reason: summary.failed.update({str(folder): f"{folder}: {reason}"})):
            state = State.FOREIGN if job.target.exists() else State.MISSING
            if manifest:
                state = manifest.state(job.name, job.target, stamp(job.source.stat()), key)
            if state is State.DONE and not plan.settings.overwrite:
                summary.skipped += 1
            else:
                summary.translated += 1
            watch.listed(job, state)
    return summary
