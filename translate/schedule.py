"""Learning-rate schedules as pure functions of the place in the run: nothing to save, nothing to restore."""

import math
from collections.abc import Callable

from translate.config import TrainingSettings


def factor(settings: TrainingSettings, place: int, total: int) -> float:
    """What the base learning rate is multiplied by at `place` (counted from 0) of `total` epochs or steps.

    linear follows Isola et al. 2017 and Zhu et al. 2017: constant up to decay_start, then straight down, reaching
    zero one unit after the last. cosine goes from 1 to 0 without restarts (Loshchilov and Hutter 2017).
    inverse is what Keras called decay; its place is always a step.
    """
    return SCHEDULES[settings.schedule](settings, place, total)


def _linear(settings: TrainingSettings, place: int, total: int) -> float:
    constant = round(total * settings.decay_start)
    return 1 - max(0, place + 1 - constant) / (total - constant + 1)


def _cosine(settings: TrainingSettings, place: int, total: int) -> float:
    return (1 + math.cos(math.pi * place / total)) / 2


def _step(settings: TrainingSettings, place: int, total: int) -> float:
    every = max(1, round(total * settings.decay_every))
    return settings.decay_factor ** (place // every)


def _inverse(settings: TrainingSettings, place: int, total: int) -> float:
    return 1 / (1 + settings.decay * place)


def _constant(settings: TrainingSettings, place: int, total: int) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[TrainingSettings, int, int], float]] = {
    "linear": _linear,
    "cosine": _cosine,
    "step": _step,
    "constant": _constant,
    "inverse": _inverse,
}
