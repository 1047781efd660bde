"""Runs the passes of a plan tile by tile; where memory runs out, with smaller tiles from there on."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from translate.errors import TranslateError
from translate.tiling.ends import Picture, Result
from translate.tiling.memory import ran_out
from translate.tiling.operations import Box, Norm, Padded, Pair, Span
from translate.tiling.plan import Job, Shape, boxes, jobs_of, last_uses, plane_bytes, tile_bytes, work_of
from translate.tiling.planes import InFile, InMemory, Plane
from translate.tiling.trace import Node

SMALLEST = 64
# Tiles begin where strips of a plane in a file do.
STEP = 32


class Statistics:
    """Mean and variance of each channel, tile by tile (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = self.deviations = torch.zeros((), dtype=torch.float64)

    def add(self, count: int, mean: Tensor, variance: Tensor) -> None:
        total = self.count + count
        step = mean - self.mean
        deviations = self.deviations + variance * count + step.square() * (self.count * count / total)
        self.mean, self.deviations, self.count = self.mean + step * (count / total), deviations, total

    def result(self) -> tuple[Tensor, Tensor]:
        return self.mean, self.deviations / self.count


class Engine:
    """Holds the planes that are kept while it runs; a context, as they are to be closed."""

    def __init__(self, nodes: list[Node], shapes: dict[Node, Shape], device: torch.device, memory: int) -> None:
        self.output = nodes[-1]
        self.input = nodes[0]
        # A thin picture is little of the plane that the network sees.
        padded = isinstance(nodes[1].operation, Padded)
        self.size: Pair = shapes[nodes[1 if padded else 0]][1:]
        self.shapes = shapes
        self.device = device
        self.memory = memory
        self.jobs = jobs_of(nodes, shapes, memory)
        self.planes: dict[Node, Plane] = {}
        self.known: dict[Node, tuple[Tensor, Tensor]] = {}

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for plane in self.planes.values():
            plane.close()

    def run(
        self, pixels: np.ndarray, corner: Pair, tile: int, progress: Callable[[int, int], None] | None
    ) -> np.ndarray:
        """Translate `pixels`; the result is the part, as large as they are, of the output's plane from `corner` on."""
        height, width = pixels.shape[:2]
        result = np.empty((height, width, self.shapes[self.output][0]), pixels.dtype)
        self.planes[self.input] = Picture(pixels)
        works = [work_of(job, self.shapes) for job in self.jobs]
        for number, job in enumerate(self.jobs):
            rows, columns = ((0, size) for size in self.shapes[job.target][1:])
            if job.target is self.output:
                rows, columns = (corner[0], corner[0] + height), (corner[1], corner[1] + width)

            def report(share: float, before: int = sum(works[:number]), own: int = works[number]) -> None:
                if progress:
                    progress(before + int(own * share), sum(works))

            plane = Result(result, corner) if job.target is self.output else self._place(job)
            tile = self._pass(job, (rows, columns), plane, tile, report)
        return result

    def _pass(self, job: Job, area: Box, plane: Plane | None, tile: int, report: Callable[[float], None]) -> int:
        """Compute `area` of the job's target; returns the size of tiles that memory suffices for."""
        statistics = Statistics() if job.measure else None
        side = self._side(job, tile)
        waiting = [area]
        done = 0
        while waiting:
            box = waiting.pop()
            parts = _parts(box, side)
            if len(parts) > 1:
                waiting.extend(reversed(parts))
                continue
            error = self._failure(job, box, plane, statistics)
            if error is None:
                done += _area(box)
                report(done / _area(area))
                continue
            if tile <= SMALLEST:
                raise TranslateError(
                    f"Memory does not suffice even for tiles of {tile} pixels ({error}). Close other programs, "
                    "translate a smaller picture, or do it on a machine with more memory."
                )
            tile = max(SMALLEST, tile // 2)
            side = self._side(job, tile)
            waiting.append(box)
        if statistics:
            self.known[job.target] = statistics.result()
        for source in job.done_with:
            if source is not job.replaces:
                self.planes.pop(source).close()
        if job.replaces:
            del self.planes[job.replaces]
        return tile

    def _failure(self, job: Job, box: Box, plane: Plane | None, statistics: Statistics | None) -> str | None:
        """Compute, write and measure a box; if memory runs out, say how, having written and measured nothing."""
        try:
            values = self._compute(job, box)
            host = values.cpu()
            measured = _statistics(values) if statistics else None
            # Nothing may fail behind this: the plane may have been the source, and what was counted stays counted.
            if plane:
                plane.write(box, host)
            if statistics and measured:
                statistics.add(*measured)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        else:
            return None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return reason

    def _compute(self, job: Job, box: Box) -> Tensor:
        wanted = boxes(job, self.shapes, box)
        if not job.steps:
            return self._read(job.target, box)
        last = last_uses(job.steps)
        values: dict[Node, Tensor] = {}
        for place, node in enumerate(job.steps):
            for each in node.inputs:
                if each not in values:
                    values[each] = self._read(each, wanted[each])
            values[node] = self._apply(node, values, wanted)
            for each in set(node.inputs):
                if last[each] == place:
                    del values[each]
        return values[job.target]

    def _apply(self, node: Node, values: dict[Node, Tensor], wanted: dict[Node, Box]) -> Tensor:
        """Compute the wanted box of a node from the boxes of its inputs."""
        operation, box = node.operation, wanted[node]
        if isinstance(operation, Norm) and operation.running is None:
            operation = replace(operation, running=self.known[node.inputs[0]])
        sizes: Pair = self.shapes[node.inputs[0]][1:]
        rows, columns = (operation.need(box[axis], sizes[axis], axis) for axis in (0, 1))
        inputs = []
        for each in node.inputs:
            top, left = (span[0] for span in wanted[each])
            inputs.append(values[each][..., rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left])
        return operation.run(inputs, (rows, columns), sizes, box)

    def _read(self, node: Node, box: Box) -> Tensor:
        return self.planes[node].read(box).to(self.device)

    def _place(self, job: Job) -> Plane | None:
        """Where the target of a job is written to, if it is kept."""
        if not job.keep:
            return None
        if job.replaces:
            self.planes[job.target] = self.planes[job.replaces]
            return self.planes[job.target]
        shape = self.shapes[job.target]
        if sum(plane.bytes for plane in self.planes.values()) + plane_bytes(shape) <= self.memory:
            try:
                self.planes[job.target] = InMemory(shape)
                return self.planes[job.target]
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
        self.planes[job.target] = InFile(shape)
        return self.planes[job.target]

    def _side(self, job: Job, tile: int) -> int:
        """Side of the tiles of a pass: that of `tile` pixels of the picture, or more while no other pass takes less."""
        budget = max(tile_bytes(each, self.shapes, self._scaled(each, tile)) for each in self.jobs)
        side = self._scaled(job, tile)
        while side < max(self.shapes[job.target][1:]) and tile_bytes(job, self.shapes, 2 * side) <= budget:
            side *= 2
        return side

    def _scaled(self, job: Job, tile: int) -> int:
        own = self.shapes[job.target][1:]
        return min(-(-tile * side // size) for side, size in zip(own, self.size, strict=True))


def _parts(box: Box, side: int) -> list[Box]:
    """Cut `box` into parts no longer than `side` and of about one size, row by row."""
    rows, columns = (_cuts(span, side) for span in box)
    return list(itertools.product(rows, columns))


def _cuts(span: Span, side: int) -> list[Span]:
    length = span[1] - span[0]
    even = -(-length // -(-length // side))
    step = min(side, -(-even // STEP) * STEP)
    return [(first, min(first + step, span[1])) for first in range(span[0], span[1], step)]


def _area(box: Box) -> int:
    return (box[0][1] - box[0][0]) * (box[1][1] - box[1][0])


def _statistics(values: Tensor) -> tuple[int, Tensor, Tensor]:
    """Count, mean and variance of each channel of `values` (1, C, H, W)."""
    if values.device.type == "cpu":  # a third of the time of var_mean
        mean, variance = torch.batch_norm_update_stats(values, None, None, 0.0)
    else:
        variance, mean = torch.var_mean(values, dim=(0, 2, 3), correction=0)
    return values[0, 0].numel(), mean.cpu().double(), variance.cpu().double()
