"""The threads of a conversion: everything comes through once, errors stay with their own, nothing waits for ever."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from translate.convert.pipeline import Outcome, Pipeline, Threads
from translate.errors import DiskFullError, ImageError

THREADS = Threads(readers=2, streams=2, writers=2, batch=4, memory=100)


@dataclass
class Piece:
    number: int
    kind: int = 0
    result: int = -1


class Ended(BaseException):
    """Nothing that a file could be blamed for."""


class Job:
    """Squares numbers; what goes wrong is chosen by number."""

    def __init__(self, **wrong: dict[int, BaseException]) -> None:
        self.wrong = wrong
        self.batches: list[list[int]] = []
        self.written: list[int] = []
        self.lock = threading.Lock()

    def _fail(self, where: str, number: int) -> None:
        if number in self.wrong.get(where, {}):
            raise self.wrong[where][number]

    def read(self, number: int) -> Piece | None:
        self._fail("read", number)
        return None if number % 10 == 9 else Piece(number, kind=number % 2)

    def compute(self, batch: list[Piece]) -> None:
        with self.lock:
            self.batches.append([piece.number for piece in batch])
        for piece in batch:
            self._fail("compute", piece.number)
        for piece in batch:
            piece.result = piece.number**2

    def write(self, piece: Piece) -> None:
        self._fail("write", piece.number)
        with self.lock:
            self.written.append(piece.result)

    def pipeline(self, numbers: Iterator[int], threads: Threads = THREADS) -> Pipeline[int, Piece]:
        return Pipeline(numbers, self.read, self.compute, self.write, threads, lambda number: 10)


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def run(job: Job, count: int = 100, threads: Threads = THREADS) -> dict[int, Outcome[int]]:
    outcomes = list(job.pipeline(iter(range(count)), threads).run())
    assert sorted(outcome.task for outcome in outcomes) == list(range(count))
    return {outcome.task: outcome for outcome in outcomes}


@pytest.mark.parametrize("batch", [1, 4, 64])
@pytest.mark.parametrize("memory", [1, 100, 10**9])
def test_everything_comes_through_once_in_batches_of_a_kind(batch: int, memory: int):
    job = Job()
    outcomes = run(job, threads=Threads(2, 2, 2, batch, memory))
    assert sorted(job.written) == [n**2 for n in range(100) if n % 10 != 9]
    assert [n for n, outcome in outcomes.items() if not outcome.needed] and not any(o.error for o in outcomes.values())
    assert all(len({number % 2 for number in numbers}) == 1 and len(numbers) <= batch for numbers in job.batches)


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_an_error_is_of_its_own_task(where: str):
    wrong = {5: ImageError("five"), 44: OSError("disk"), 71: MemoryError(), 80: ZeroDivisionError("a mistake")}
    outcomes = run(Job(**{where: wrong}))
    assert {number: outcome.error for number, outcome in outcomes.items() if outcome.error} == wrong


@pytest.mark.parametrize("where", ["read", "compute", "write"])
def test_what_nobody_foresaw_ends_it_all(where: str):
    job = Job(**{where: {30: Ended()}})
    with pytest.raises(Ended):
        list(job.pipeline(iter(range(10**6))).run())


def test_a_full_disk_ends_it_all():
    job = Job(write={40: DiskFullError("full")})
    with pytest.raises(DiskFullError):
        list(job.pipeline(iter(range(10**6))).run())
    assert len(job.written) < 200


def test_a_listing_that_fails_ends_it_all():
    def numbers() -> Iterator[int]:
        yield from range(10)
        raise ImageError("the folder has gone")

    with pytest.raises(ImageError, match="folder"):
        list(Job().pipeline(numbers()).run())


def test_stopping_finishes_what_is_being_computed_and_drops_the_rest():
    job = Job()
    pipeline = job.pipeline(iter(range(10**6)))
    done = 0
    for outcome in pipeline.run():
        done += outcome.needed
        if done == 20:
            pipeline.stop()
    assert 20 <= done == len(job.written) < 200


def test_idling_is_told():
    told, job = [], Job()
    slow = threading.Event()

    def compute(batch: list[Piece]) -> None:
        slow.wait(5)

    def look() -> None:
        told.append(1)
        slow.set()

    assert len(list(Pipeline(iter(range(3)), job.read, compute, job.write, THREADS).run(look))) == 3
    assert told


def test_leaving_early_leaves_no_thread():
    outcomes = Job().pipeline(iter(range(10**9))).run()
    next(outcomes)
    outcomes.close()


def test_tasks_are_taken_only_as_they_are_needed():
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(10**9):
            taken.append(number)
            yield number

    outcomes = Job().pipeline(numbers()).run()
    for _ in range(5):
        next(outcomes)
    assert len(taken) < 60
    outcomes.close()
