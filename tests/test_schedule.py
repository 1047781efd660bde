"""Learning-rate schedules against values worked by hand."""

import itertools

import pytest

from translate.config import TrainingSettings
from translate.schedule import SCHEDULES, factor


def rates(total: int, **settings: object) -> list[float]:
    chosen = TrainingSettings.checked({"steps": total, **settings})
    return [factor(chosen, place, total) for place in range(total)]


def test_linear_is_constant_and_then_falls_to_nearly_zero():
    assert rates(6, schedule="linear", decay_start=0.5) == pytest.approx([1, 1, 1, 0.75, 0.5, 0.25])


def test_cosine_never_climbs():
    assert rates(4, schedule="cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)


def test_step_multiplies():
    assert rates(4, schedule="step", decay_every=0.5, decay_factor=0.1) == pytest.approx([1, 1, 0.1, 0.1])


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_starts_at_the_base_rate_and_never_climbs(name: str):
    values = rates(50, schedule=name)
    assert values[0] == pytest.approx(1, abs=0.05)
    assert all(later <= earlier for earlier, later in itertools.pairwise(values))
    assert values[-1] > 0
