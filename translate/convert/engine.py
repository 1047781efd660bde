"""What computes a folder: chosen once and kept in the manifest, so that a run taken up again gives the same bytes."""

import contextlib
import heapq
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor

from translate import distributed, engines, images
from translate.config import Direction
from translate.convert.clip import chosen_frames
from translate.convert.manifest import Manifest
from translate.convert.plan import Job, Plan
from translate.errors import ConfigError, DataError, TranslateError
from translate.translator import Translator

_CALIBRATION, _HELD_OUT, _LARGEST = 32, 8, 512


def settle(
    translator: Translator, plan: Plan, direction: Direction, manifest: Manifest | None, notice: Callable[[str], None]
) -> Translator:
    """The translator that converts: its statistics locked for a clip, its engine chosen and made.

    Says what it decides through `notice`. Raises ConfigError for a model that cannot do what was asked.
    """
    if plan.settings.sequence:
        translator = translator.locked(_frames(plan), direction)
    if translator.precision == "int8":
        return _quantised(translator, plan, direction, manifest, notice)
    if "auto" in (translator.backend, translator.precision):
        return _chosen(translator, direction, manifest, notice)
    translator.engine(direction)
    return translator


def _frames(plan: Plan) -> list[np.ndarray]:
    """The frames that statistics are locked to; one that cannot be read is left out, for the report to name."""
    jobs, frames = list(plan.jobs()), list[np.ndarray]()
    while jobs and not frames:
        for job in chosen_frames(jobs, plan.settings.lock):
            with contextlib.suppress(TranslateError):
                frames.append(_pixels(job, plan))
        jobs = jobs[1:]
    if not frames:
        raise DataError(f"No frame of {plan.source} can be read.")
    return frames


def _chosen(
    translator: Translator, direction: Direction, manifest: Manifest | None, notice: Callable[[str], None]
) -> Translator:
    """Settle what is "auto": as the first run into this folder did, as the first process does."""
    asked = [translator.backend, translator.precision, translator.device.type, translator.fingerprint(direction)]
    kept = manifest.noted("engine") if manifest else None
    if kept and kept["asked"] == asked:
        backend, precision = kept["got"]
        again = translator.using(backend=backend, precision=precision)
        try:
            again.engine(direction)
        except ConfigError as error:
            notice(f"The folder was begun with {backend} {precision}, which is not to be had now: {error}")
        else:
            return again
    if distributed.is_main():
        translator.engine(direction)
    engine = translator.engine(direction) if distributed.is_main() else None
    got = distributed.gather([engine.backend, engine.precision] if engine else None)[0]
    if manifest and distributed.is_main():
        manifest.note("engine", {"asked": asked, "got": got})
    return translator if engine else translator.using(backend=got[0], precision=got[1])


def _quantised(
    translator: Translator,
    plan: Plan,
    direction: Direction,
    manifest: Manifest | None,
    notice: Callable[[str], None],
) -> Translator:
    """int8, calibrated on the user's own images, if it is close enough to fp32 on others of them; else bf16 or fp32."""
    if manifest is None:
        raise ConfigError("int8 is calibrated on a folder of images: convert a folder, or use --precision auto.")
    cache = manifest.folder / f"int8-{translator.fingerprint(direction)[:16]}"
    engine, score = None, float("nan")
    # The first process quantises, the others then find what it kept.
    for turn in (True, False):
        if distributed.is_main() == turn:
            calibration, held_out = _samples(translator, plan, direction)
            engine, score = engines.quantise(
                translator.network(direction),
                calibration,
                held_out,
                least=plan.settings.int8_psnr,
                cache=cache,
                streams=translator.streams,
            )
        distributed.barrier()
    compared = f"{score:.1f} dB from fp32 on images of this folder that it was not calibrated on"
    if engine:
        notice(f"int8 is {compared}.")
        return translator.with_engine(engine, direction)
    notice(f"int8 is only {compared}, less than {plan.settings.int8_psnr:g} dB: it is not used.")
    return _chosen(translator.using(precision="auto"), direction, manifest, notice)


def _samples(translator: Translator, plan: Plan, direction: Direction) -> tuple[list[Tensor], list[Tensor]]:
    """Images to calibrate on and others to check with, chosen by a hash of their names; large ones are cropped."""
    wanted = 2 * (_CALIBRATION + _HELD_OUT)  # some may not be readable
    names = heapq.nsmallest(wanted, plan.jobs(), key=lambda job: zlib.crc32(os.fsencode(job.name)))
    tensors: list[Tensor] = []
    for job in names:
        try:
            pixels = translator.seen(_pixels(job, plan), direction)
        except TranslateError:
            continue
        tensors.append(images.to_tensor(_middle(pixels))[None])
        if len(tensors) == _CALIBRATION + _HELD_OUT:
            break
    if len(tensors) < 4:
        raise ConfigError(
            f"int8 needs at least 4 readable images to calibrate on and to check with, not {len(tensors)}."
        )
    checked = max(2, min(_HELD_OUT, len(tensors) // 4))
    return tensors[checked:], tensors[:checked]


def _middle(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    top, left = max(0, height - _LARGEST) // 2, max(0, width - _LARGEST) // 2
    return pixels[top : top + _LARGEST, left : left + _LARGEST]


def _pixels(job: Job, plan: Plan) -> np.ndarray:
    return images.to_model(images.read(Path(job.source), most_pixels=plan.settings.max_pixels))
