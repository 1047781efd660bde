"""What a student looks like: how wide it may be, and where it is compared with its teacher."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from translate import networks
from translate.errors import ConfigError
from translate.methods.distill_settings import DistillSettings
from translate.networks.blocks import Generator
from translate.networks.init import initialise
from translate.networks.operations import count_operations, stages

Lesson = tuple[tuple[str, int], tuple[str, int]]
"""Two stages that are compared, of the student and of the teacher: name and channels of each."""

SHARES = {"small": 10, "tiny": 30}
"""The teacher's operations are at least so many times the student's."""
STEPS = (16, 8, 4, 2, 1)
"""Widths are multiples of the first of these that the budget allows: 16 values fill a processor's register."""
ENDS = ("in_channels", "out_channels")


def make_student(settings: DistillSettings, teacher: Generator, size: int) -> nn.Module:
    """A fresh student whose operations, for `size` x `size`, are at most the share of `teacher`'s that it may have.

    Its width is the largest multiple of 16 for which that is so; where there is none, of 8, else of 4, 2 or 1. A width
    that is set is taken, whatever its share. Raises ConfigError if the teacher is too small to have such a student.
    """
    given = {name: teacher.arguments[name] for name in ENDS}
    given |= {name: getattr(settings, name) for name in ("blocks", "norm", "upsampling")}
    operations = count_operations(teacher, size)
    width = settings.width or _widest(given, operations // SHARES[settings.student], size)
    if not width:
        raise ConfigError(
            f"The teacher has so few operations that none is {SHARES[settings.student]} times smaller: it is fast "
            f"already. {_advice(given, operations, size)}"
        )
    student = networks.build("separable_resnet", given | {"width": width})
    initialise(student, settings.init, settings.init_gain)
    return student


def share(student: nn.Module, teacher: nn.Module, size: int) -> float:
    """How many operations `student` has to one of `teacher`, for `size` x `size`."""
    return count_operations(student, size) / count_operations(teacher, size)


def _advice(given: dict[str, Any], operations: int, size: int) -> str:
    """What would make a student of at most half of so many `operations`."""
    if width := _widest(given, operations // 2, size):
        return f"--set width={width} makes a student of at most half of its operations."
    less = f" of {given['blocks']} blocks" if given["blocks"] else ""
    hint = "; fewer --set blocks may help" if less else ": it cannot be made smaller"
    return f"Not even a student{less} and width 1 has half of its operations{hint}."


def _widest(given: dict[str, Any], budget: int, size: int) -> int:
    """The largest multiple of the first of STEPS that has any within the budget; 0: none has."""
    for step in STEPS:
        width = 0
        while _operations(given | {"width": width + step}, size) <= budget:
            width += step
        if width:
            return width
    return 0


def _operations(arguments: dict[str, Any], size: int) -> int:
    with torch.device("meta"):
        return count_operations(networks.build("separable_resnet", arguments), size)


def find_lessons(teacher: nn.Module, student: nn.Module, size: int, most: int) -> list[Lesson]:
    """Stages (name, channels) of the student and of the teacher, of one size, to be compared.

    They lie where the student's image is smallest: spread evenly from the first to the last stage there, in each of
    both, as the paper's four are (after the last halving, after a third, two thirds and all of the blocks).
    """
    mine, theirs = stages(student, size), stages(teacher, size)
    least = min(stage.height for stage in mine)
    mine, theirs = ([each for each in found if each.height == least] for found in (mine, theirs))
    count = min(most, len(mine), len(theirs))
    pairs = zip(_spread(mine, count), _spread(theirs, count), strict=True)
    return [((one.name, one.channels), (other.name, other.channels)) for one, other in pairs]


def _spread(found: Sequence[Any], count: int) -> list[Any]:
    return [found[round(place * (len(found) - 1) / max(1, count - 1))] for place in range(count)]
