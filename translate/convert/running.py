"""A conversion while it runs: this process' share through the threads, counted, stopped, or only rehearsed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock, Thread

from translate import distributed
from translate.config import Direction
from translate.convert.engine import settle
from translate.convert.manifest import Manifest, State, consulted
from translate.convert.pipeline import Outcome, Pipeline, Threads
from translate.convert.plan import Job, Plan
from translate.convert.report import Gallery
from translate.convert.summary import Summary
from translate.convert.work import Seen, Worker
from translate.errors import TranslateError
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


def run(
    translator: Translator, plan: Plan, direction: Direction, manifest: Manifest | None, watch: Watch
) -> tuple[Summary, Gallery]:
    """Convert this process' share."""
    summary, gallery = Summary(), Gallery()
    key = _key(translator, plan, direction)
    worker = _worker(translator, plan, direction, manifest, key, summary, gallery)
    engine = translator.engine(direction)
    jobs = plan.jobs(_unreadable(summary), distributed.rank(), distributed.world())
    threads = _threads(engine.streams, plan.settings.batch or engine.batch)
    if translator.rendering and translator.rendering.alone:
        chained = translator.rendering.chained and plan.settings.sequence
        threads = replace(threads, streams=1, batch=1, chained=chained)
    pipeline = Pipeline(jobs, worker.read, worker.compute, worker.write, threads, worker.weigh)
    with ExitStack() as stack:
        total = stack.enter_context(_counting(plan))
        asked = stack.enter_context(asked_to_stop())

        def look() -> None:
            if asked() and not summary.stopped:
                summary.stopped = True
                pipeline.stop()
                watch.notice("Stopping: what is being computed is finished. Once more to end at once.")

        first = last = 0.0
        for outcome in pipeline.run(look):
            _count(summary, outcome)
            last = time.monotonic()
            first = first or last
            watch.progress(_done(summary), total())
            look()
    summary.per_second = (summary.translated - 1) / (last - first) if summary.translated > 1 and last > first else 0.0
    return summary, gallery


def _worker(
    translator: Translator,
    plan: Plan,
    direction: Direction,
    manifest: Manifest | None,
    key: str,
    summary: Summary,
    gallery: Gallery,
) -> Worker:
    report, noting = plan.settings.report, Lock()

    def seen(work: Seen) -> None:
        notes = list(work.notes)
        if report and report.suffix.lower() == ".html":
            try:
                gallery.add(work.job.name, work.before, work.after)
            except Exception as error:  # the output stands already
                notes.append(f"no thumbnail: {error}")
        with noting:
            for text in notes:
                summary.note(text, work.job.name)

    return Worker(translator, direction, plan.settings, key, manifest, (plan.source, plan.folder), seen)


def _unreadable(summary: Summary) -> Callable[[Path, str], None]:
    return lambda folder, reason: summary.failed.update({str(folder): f"{folder}: {reason}"})


def _done(summary: Summary) -> int:
    return summary.translated + summary.skipped + len(summary.failed)


def _count(summary: Summary, outcome: Outcome[Job]) -> None:
    job, error = outcome.task, outcome.error
    if error is not None:
        text = str(error)
        if not isinstance(error, TranslateError):
            text = f"{type(error).__name__}: {text}"
        summary.failed[str(job.source)] = text if str(job.source) in text else f"{job.source}: {text}"
    elif outcome.needed:
        summary.translated += 1
    else:
        summary.skipped += 1


def _key(translator: Translator, plan: Plan, direction: Direction) -> str:
    """All that an output depends on besides its input."""
    engine = translator.engine(direction)
    chosen = plan.settings.model_dump(mode="json", include=set(_OUTPUT))
    mask = plan.settings.mask and str(plan.settings.mask.resolve())
    facts = [translator.fingerprint(direction), engine.backend, engine.precision, chosen, mask]
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


def rehearse(translator: Translator, plan: Plan, direction: Direction, watch: Watch) -> Summary:
    """Say what would be done, and do nothing; `Summary.translated` counts what would be made."""
    summary = Summary()
    if not distributed.is_main():
        return summary
    with consulted(plan.folder) as manifest:
        key = ""
        if manifest and not plan.single:
            translator = settle(translator, plan, direction, manifest, watch.notice)
            key = _key(translator, plan, direction)
        known = None if plan.single else manifest
        worker = _worker(translator, plan, direction, known, key, summary, Gallery())
        for job in plan.jobs(_unreadable(summary)):
            try:
                state = worker.state(job)
            except TranslateError as error:
                summary.failed[str(job.source)] = str(error)
                continue
            watch.listed(job, state)
            if plan.settings.overwrite or state in (State.MISSING, State.STALE):
                summary.translated += 1
            elif state is State.DONE:
                summary.skipped += 1
            else:
                summary.failed[str(job.source)] = f"{job.source}: {job.target} {state.value}."
    return summary
