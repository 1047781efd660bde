"""Which planes are kept, and in which order the passes over the picture compute them.

Each norm by the statistics of the whole plane is a barrier: nothing behind it can be computed before a pass has seen
all of its input. What is kept is not computed again behind the barrier; what is too wide to keep (the first and last
layers at full resolution) is computed again from the nearest plane that is kept, a small part of the work.
"""

import math
from dataclasses import dataclass, field

from translate.tiling.operations import Box, Norm, Pointwise, Span, Transposed, Window
from translate.tiling.trace import Node, refusal

Shape = tuple[int, int, int]
FLOAT = 4


@dataclass(eq=False)
class Job:
    """One pass over the plane of `target`: `steps` are computed, tile by tile, from the planes `sources`."""

    target: Node
    steps: list[Node]
    sources: list[Node]
    keep: bool
    measure: bool
    """Whether mean and variance of the target are wanted."""
    replaces: Node | None = None
    """A source whose place the target takes, as nothing else reads it."""
    done_with: list[Node] = field(default_factory=list)


def shapes_of(nodes: list[Node], channels: int, height: int, width: int) -> dict[Node, Shape]:
    """Channels, height and width of each plane for a picture of this shape."""
    shapes: dict[Node, Shape] = {nodes[0]: (channels, height, width)}
    for node in nodes[1:]:
        inputs = [shapes[each] for each in node.inputs]
        if len({shape[1:] for shape in inputs}) > 1:
            raise refusal(f"planes of sizes {sorted({shape[1:] for shape in inputs})} added or joined")
        rows, columns = (node.operation.side(inputs[0][1 + axis], axis) for axis in (0, 1))
        shapes[node] = (node.operation.channels([shape[0] for shape in inputs]), rows, columns)
    return shapes


def jobs_of(nodes: list[Node], shapes: dict[Node, Shape], memory: int) -> list[Job]:
    """The passes in order, the last one making the output; wide planes are kept where that takes no more than `memory`.

    Or no more, at its worst, than the narrow ones do, which are kept in any case.
    """
    narrow, *others = (_jobs(nodes, shapes, _kept(nodes, shapes, limit)) for limit in (16.0, 32.0, math.inf))
    allowed = max(memory, _stored(narrow, shapes))
    return [jobs for jobs in (narrow, *others) if _stored(jobs, shapes) <= allowed][-1]


def boxes(job: Job, shapes: dict[Node, Shape], box: Box) -> dict[Node, Box]:
    """The part of each plane that `box` of the target is computed from."""
    wanted = {job.target: box}
    for node in reversed(job.steps):
        for each in node.inputs:
            rows, columns = (node.operation.need(wanted[node][axis], shapes[each][1 + axis], axis) for axis in (0, 1))
            if each in wanted:
                rows, columns = _union(rows, wanted[each][0]), _union(columns, wanted[each][1])
            wanted[each] = (rows, columns)
    return wanted


def last_uses(steps: list[Node]) -> dict[Node, int]:
    """The step after which each plane is not needed any more."""
    return {each: place for place, node in enumerate(steps) for each in node.inputs}


def tile_bytes(job: Job, shapes: dict[Node, Shape], side: int) -> int:
    """The most bytes of values that live at once while a tile of `side` pixels of the target is computed."""
    spans = [_middle(side, size) for size in shapes[job.target][1:]]
    wanted = boxes(job, shapes, (spans[0], spans[1]))
    size = {node: FLOAT * shapes[node][0] * math.prod(b - a for a, b in box) for node, box in wanted.items()}
    last = last_uses(job.steps)
    live: set[Node] = set()
    most = size[job.target]
    for place, node in enumerate(job.steps):
        live |= {node, *node.inputs}
        most = max(most, sum(size[each] for each in live))
        live = {each for each in live if last.get(each, len(job.steps)) > place}
    return most


def work_of(job: Job, shapes: dict[Node, Shape]) -> int:
    """Multiply-adds, or values moved, of the whole pass without what neighbouring tiles share."""
    return sum(_work(node, shapes) for node in job.steps) + math.prod(shapes[job.target])


def untiled_bytes(nodes: list[Node], shapes: dict[Node, Shape]) -> int:
    """The most bytes of values that live at once in an untiled forward.

    What is handed to a module lives until the module returns, as its caller holds it.
    """
    ends = {module: place for place, node in enumerate(nodes) for module in node.depth}
    last = {nodes[0]: len(nodes)}
    for place, node in enumerate(nodes):
        for each in node.inputs:
            entered = [ends[module] for module in node.depth if module not in each.depth]
            last[each] = max(last.get(each, 0), place, *entered)
    live: set[Node] = set()
    most = 0
    for place, node in enumerate(nodes):
        live.add(node)
        most = max(most, sum(math.prod(shapes[each]) for each in live))
        live = {each for each in live if last.get(each, len(nodes)) > place}
    return FLOAT * most


def plane_bytes(shape: Shape) -> int:
    return FLOAT * math.prod(shape)


def _kept(nodes: list[Node], shapes: dict[Node, Shape], limit: float) -> set[Node]:
    """What convolutions make, if no more than `limit` floats a pixel of the picture or else too much to repeat; sums.

    A sum takes the place of what it sums up: a chain of residual blocks would otherwise lead back to its first one.
    """
    pixels = math.prod(shapes[nodes[0]][1:])
    total = sum(_work(node, shapes) for node in nodes[1:])
    kept: set[Node] = set()
    trails: dict[Node, set[Node]] = {nodes[0]: set()}
    last = nodes[-1]
    while isinstance(last.operation, Pointwise) and len(last.inputs) == 1:
        last = last.inputs[0]
    for node in nodes[1 : nodes.index(last)]:
        trail = {node}.union(*(trails[each] for each in node.inputs))
        floats = math.prod(shapes[node]) / pixels
        convolves = isinstance(node.operation, Window | Transposed)
        adds = isinstance(node.operation, Pointwise) and len(node.inputs) > 1 and not node.operation.joins
        long = sum(_work(each, shapes) for each in trail) > total / 8
        leads_back = any(each in kept for step in trail for each in step.inputs)
        if (convolves and (floats <= limit or long)) or (adds and (leads_back or long)):
            kept.add(node)
            trail = set()
        trails[node] = trail
    return kept


def _jobs(nodes: list[Node], shapes: dict[Node, Shape], kept: set[Node]) -> list[Job]:
    measured = {node.inputs[0] for node in nodes if isinstance(node.operation, Norm) and node.operation.running is None}
    known = kept | {nodes[0]}
    jobs = []
    for node in nodes:
        if node in kept or node in measured or node is nodes[-1]:
            steps = _steps(nodes, node, known)
            sources = {each for step in steps for each in step.inputs if each in known} or {node}
            in_order = [each for each in nodes if each in sources]
            jobs.append(Job(node, steps, in_order, node in kept, node in measured))
    last = {source: job for job in jobs for source in job.sources}
    for job in jobs:
        job.done_with = [source for source in job.sources if last[source] is job and source in kept]
        if job.keep and all(isinstance(step.operation, Pointwise | Norm) for step in job.steps):
            fitting = [source for source in job.done_with if shapes[source] == shapes[job.target]]
            job.replaces = next(iter(fitting), None)
    return jobs


def _steps(nodes: list[Node], target: Node, known: set[Node]) -> list[Node]:
    """What is to be computed for `target`, in order, where the planes `known` are there already."""
    if target is nodes[0]:
        return []
    wanted = {target}
    for node in reversed(nodes):
        if node in wanted:
            wanted |= {each for each in node.inputs if each not in known}
    return [node for node in nodes if node in wanted]


def _stored(jobs: list[Job], shapes: dict[Node, Shape]) -> int:
    """The most bytes of kept planes at once."""
    live = most = 0
    for job in jobs:
        live += plane_bytes(shapes[job.target]) * (job.keep and job.replaces is None)
        most = max(most, live)
        live -= sum(plane_bytes(shapes[each]) for each in job.done_with if each is not job.replaces)
    return most


def _work(node: Node, shapes: dict[Node, Shape]) -> int:
    return int(node.operation.work * math.prod(shapes[node]))


def _middle(side: int, size: int) -> Span:
    length = min(side, size)
    first = (size - length) // 2
    return first, first + length


def _union(one: Span, other: Span) -> Span:
    return min(one[0], other[0]), max(one[1], other[1])
