"""Endless batches, the same for any number of workers and processes, and able to start anywhere."""

import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, groupby
from multiprocessing import get_context, parent_process, resource_tracker
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils import data

from translate.data.batch import Batch
from translate.data.dataset import ORDER, ImageDataset, Key, Sample, collate
from translate.errors import ConfigError, DataError, TranslateError


def default_workers() -> int:
    """One fewer than the cores this process may use, at most 4."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(4, cores - 1)


def batches_per_epoch(dataset: ImageDataset, batch_size: int) -> int:
    """Whole batches in one pass; the images left over join in other epochs, whose order differs."""
    if batch_size > len(dataset):
        raise DataError(
            f"--batch-size {batch_size} is larger than the data set, which has {len(dataset)} images: "
            f"use --batch-size {len(dataset)} or less, or add images."
        )
    return len(dataset) // batch_size


def stream(
    dataset: ImageDataset,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    workers: int,
    rank: int = 0,
    world: int = 1,
    pin: bool = False,
) -> Generator[Batch, None, None]:
    """Global batches number `start`, start + 1, ... for ever; batch k is a function of (seed, k) alone.

    Of each, process `rank` of `world` gets its contiguous equal share. `workers` processes decode and augment ahead;
    0 does it in this one. `pin` puts batches where a GPU can copy them from at once. Close the iterator to end the
    workers. Raises ConfigError, DataError; what fails in a worker is raised here.
    """
    keys = Keys(dataset, batch_size, seed, start, rank, world)
    return _run(dataset, keys, workers, pin and torch.cuda.is_available())


def held_out(dataset: ImageDataset, batch_size: int, most: int | None = None) -> Iterator[Batch]:
    """Every image once, in order and without randomness; images of one batch have one shape.

    At most `most` of them, spread evenly: the first ones of a folder by classes would be of one class.
    """
    count = len(dataset) if most is None else min(most, len(dataset))
    samples = (dataset.plain(place * len(dataset) // count) for place in range(count))
    for _, group in groupby(samples, key=_shapes):
        while batch := [sample for _, sample in zip(range(batch_size), group, strict=False)]:
            yield collate(batch)


class Keys:
    """The keys of every batch in turn, for one process; raises ConfigError, DataError for batches that cannot be."""

    def __init__(self, dataset: ImageDataset, batch_size: int, seed: int, start: int, rank: int, world: int) -> None:
        if batch_size % world:
            raise ConfigError(
                f"--batch-size {batch_size} cannot be shared equally by {world} processes: use a multiple of {world}."
            )
        self.images = len(dataset)
        self.batches = batches_per_epoch(dataset, batch_size)
        self.batch_size = batch_size
        self.seed = seed
        self.start = start
        share = batch_size // world
        self.share = slice(rank * share, (rank + 1) * share)

    def __iter__(self) -> Iterator[list[Key]]:
        first, within = divmod(self.start, self.batches)
        for epoch in count(first):
            order = np.random.default_rng([self.seed, epoch, 0, ORDER]).permutation(self.images)
            for batch in range(within, self.batches):
                positions = order[batch * self.batch_size : (batch + 1) * self.batch_size][self.share]
                yield [(epoch, int(position)) for position in positions]
            within = 0


def _run(dataset: ImageDataset, keys: Keys, workers: int, pin: bool) -> Generator[Batch, None, None]:
    if workers == 0:
        for batch_keys in keys:
            batch = collate([dataset[key] for key in batch_keys])
            yield _pinned(batch) if pin else batch
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than cores is the user's choice
        # Started by the server's start, it would let go the signals that are held for the server and the workers.
        resource_tracker.ensure_running()
        with _main_left_alone(), _signals_held():
            iterator = iter(_loader(dataset, keys, workers, pin))
    try:
        yield from _received(iterator)
    finally:
        # Dropping the iterator would do, but an exception that is still looked at keeps it alive.
        iterator._shutdown_workers()  # type: ignore[attr-defined]


def _loader(dataset: ImageDataset, keys: Keys, workers: int, pin: bool) -> data.DataLoader:
    # Processes are forked from a server that has imported this module and done nothing else. Forking this process
    # would be unsound: the threads of torch, OpenCV, CUDA and the progress display may hold locks at that moment, and
    # Python 3.12 warns of it. The server imports once for all; the cache is in memory that the workers map.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # albumentations would ask the network when imported
    context = get_context("forkserver")
    jitters = bool(dataset.settings.jitter)
    context.set_forkserver_preload(["translate.data.loader", *(["albumentations"] if jitters else [])])
    return data.DataLoader(
        _Fetcher(dataset),
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_as_is,
        pin_memory=pin,
        worker_init_fn=_begin_worker,
        multiprocessing_context=context,
        generator=torch.Generator(),
        prefetch_factor=2,
    )


def _received(iterator: Iterator[Any]) -> Iterator[Batch]:
    while True:
        try:
            got = next(iterator)
        except (RuntimeError, OSError, EOFError) as error:  # the last two: it died while it handed a batch over
            if isinstance(error, RuntimeError) and ("DataLoader worker" not in str(error) or "Trace" in str(error)):
                raise
            raise TranslateError(
                "A data-loading process ended unexpectedly, perhaps for want of memory: use fewer --workers or a "
                "smaller cache."
            ) from None
        if isinstance(got, _Failure):
            raise got.kind(got.message)
        a, b, names, labels = got
        yield Batch(a, b, tuple(names), labels)  # where batches are pinned, torch makes lists of tuples


class _Failure:
    """An error on its way out of a worker; torch would wrap it in a traceback of the worker."""

    def __init__(self, error: TranslateError) -> None:
        self.kind = type(error)
        self.message = str(error)


class _Fetcher(data.Dataset):
    """Makes whole batches from lists of keys."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, key: Key) -> Sample:
        return self.dataset[key]

    def __getitems__(self, keys: list[Key]) -> Any:
        try:
            batch = collate([self.dataset[key] for key in keys])
        except TranslateError as error:
            return _Failure(error)
        return batch.a, batch.b, batch.files, batch.labels


def _as_is(batch: Any) -> Any:
    return batch


def _begin_worker(_: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # both may reach the whole group; the main process decides
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """torch watches the process that forked the worker; that is the server, which lives as long as any worker does."""
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _pinned(batch: Batch) -> Batch:
    b, labels = (None if part is None else part.pin_memory() for part in (batch.b, batch.labels))
    return replace(batch, a=batch.a.pin_memory(), b=b, labels=labels)


def _shapes(sample: Sample) -> tuple[Any, Any]:
    return sample.a.shape, None if sample.b is None else sample.b.shape


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back while processes start: they would end them half-made; this process gets them after.

    The server and the workers inherit the hold: a signal to the whole group is for this process to decide on.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """Keep the workers from importing the user's script, which would run it again if it has no `__main__` guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
