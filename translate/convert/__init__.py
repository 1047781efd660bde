"""Translate a file or a folder of files into a mirrored folder; a bad file is named and the others finish."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from translate import distributed, images
from translate.config import ConvertSettings, Direction
from translate.convert.clip import flicker
from translate.convert.engine import settle
from translate.convert.manifest import Manifest, opened
from translate.convert.plan import Plan
from translate.convert.report import Gallery, write_report
from translate.convert.running import Watch, rehearse, run
from translate.convert.summary import Summary, merged
from translate.errors import ConfigError, DataError
from translate.stopping import asked_to_stop
from translate.translator import Translator


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
    not do, UnwritableError (a full disk: DiskFullError) at once. Errors of one file are in `Summary.failed`.
    """
    chosen, watch = ConvertSettings.checked(settings), watch or Watch()
    direction = translator.checked(direction)
    plan = Plan(Path(source), Path(target), chosen, translator.channels(direction)[1])
    if next(plan.jobs(), None) is None:
        patterns = " that --include and --exclude leave" if chosen.include or chosen.exclude else ""
        raise DataError(f"{source} holds no images{patterns} ({' '.join(sorted(images.SUFFIXES))}).")
    plan.refuse_collisions()
    if chosen.tile != "auto":
        translator = translator.using(tile="off" if chosen.tile == "off" else int(chosen.tile))
    if chosen.dry_run:
        return rehearse(translator, plan, direction, watch)
    began = time.monotonic()
    with _manifest(plan) as manifest:
        translator = settle(translator, plan, direction, manifest, watch.notice)
        engine = translator.engine(direction)
        watch.notice(f"Computing with {engine.about}.")
        summary, gallery = run(translator, plan, direction, manifest, watch)
    summary.seconds, summary.engine = time.monotonic() - began, engine.about
    whole = merged(distributed.gather(summary))
    for pairs in distributed.gather(gallery.pairs())[1:]:
        gallery.extend(pairs)
    if distributed.is_main():
        described = (translator.rendering or translator.told).described
        _finish(plan, whole, gallery, {"mode": translator.about.mode, "direction": direction, **described})
    distributed.barrier()  # a launcher ends the others when one ends with an error
    return whole


def _finish(plan: Plan, summary: Summary, gallery: Gallery, about: dict[str, Any]) -> None:
    settings = plan.settings
    if settings.sequence and not summary.stopped:
        with asked_to_stop() as stop:
            summary.flicker = flicker(list(plan.jobs()), settings, stop)
    if settings.report:
        places = {"input": str(plan.source), "output": str(plan.target)}
        chosen = {"settings": settings.model_dump(mode="json")}
        write_report(settings.report, summary, places | about | chosen, gallery)


@contextmanager
def _manifest(plan: Plan) -> Iterator[Manifest | None]:
    """The manifest of the output folder, ready in all processes; None for a single file."""
    if not plan.single:
        with opened(plan.target, distributed.rank(), distributed.barrier) as manifest:
            yield manifest
        return
    target = next(plan.jobs()).target
    exists = target.exists() and not plan.settings.overwrite
    distributed.barrier()  # before one of them makes it
    if exists:
        raise ConfigError(f"{target} exists. --overwrite replaces it.")
    yield None


__all__ = ["Summary", "Watch", "convert"]
