"""Going downhill on functions whose lowest point is known, and back where a step was too long."""

import math

import pytest
import torch

from translate.errors import NotFiniteError
from translate.stylize.descent import Measured, descend

GOAL = torch.linspace(-0.8, 0.8, 3 * 5 * 4).view(1, 3, 5, 4)


def bowl(image, step):
    return Measured({"style": float((image - GOAL).square().mean())}, 2 * (image - GOAL) / image.numel())


def silent(step, measured, picture):
    pass


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gd"])
def test_each_optimizer_reaches_the_lowest_point(optimizer):
    steps = {"adam": 150, "lbfgs": 10, "gd": 150}[optimizer]
    made = descend(bowl, torch.zeros_like(GOAL), optimizer=optimizer, steps=steps, average=0.5, told=silent)
    assert float((made - GOAL).abs().max()) < 0.01


def test_plain_descent_takes_the_same_step_everywhere():
    """x - goal shrinks by one factor a step, but for the falling rate: the direction stays."""
    made = descend(bowl, torch.zeros_like(GOAL), optimizer="gd", steps=3, average=0.0, told=silent)
    assert torch.allclose(made / GOAL, (made / GOAL)[0, 0, 0, 0].expand_as(GOAL), atol=1e-5)


def test_the_average_weighs_later_iterates_more():
    seen = []
    made = descend(
        bowl,
        torch.zeros_like(GOAL),
        optimizer="adam",
        steps=3,
        average=0.5,
        told=lambda step, measured, picture: seen.append(picture()),
    )
    last = descend(bowl, torch.zeros_like(GOAL), optimizer="adam", steps=3, average=0.0, told=silent)
    assert torch.equal(made, seen[-1])
    # Of iterates 1, 2, 3 by 1/7, 2/7, 4/7: the second average is of two by 1/3, 2/3.
    assert torch.allclose(made, seen[1] * 3 / 7 + last * 4 / 7, atol=1e-6)


def test_values_stay_in_range():
    def outwards(image, step):
        return Measured({"style": float(10 - image.mean())}, torch.full_like(image, -1 / image.numel()))

    made = descend(outwards, torch.zeros_like(GOAL), optimizer="adam", steps=200, average=0.0, told=silent)
    assert float(made.max()) == 1.0


def test_a_loss_that_blows_up_goes_back_and_halves_the_step():
    """Plain descent at a rate beyond 2 / curvature diverges; with the way back it arrives."""
    start = torch.zeros_like(GOAL)
    totals = []

    def told(step, measured, picture):
        totals.append(measured.total)

    made = descend(steep, start, optimizer="gd", steps=300, average=0.0, rate=5.0, told=told)
    assert max(totals) <= 3 * totals[0]
    assert bool(torch.isfinite(made).all()) and steep(made, 0).total < 0.1 * totals[0]


def steep(image, step):
    """Curved a hundred times as much in one value as in the others."""
    off = image - GOAL
    curve = torch.ones_like(GOAL)
    curve[0, 0, 0, 0] = 100
    return Measured({"style": float((curve * off.square()).mean())}, 2 * curve * off / off.numel())


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gd"])
def test_values_that_are_not_finite_are_left_again(optimizer):
    def cliff(image, step):
        measured = bowl(image, step)
        return measured if float(image.abs().max()) < 0.9 else Measured({"style": math.nan}, image * math.nan)

    made = descend(cliff, torch.zeros_like(GOAL), optimizer=optimizer, steps=40, average=0.0, rate=3.0, told=silent)
    assert bool(torch.isfinite(made).all())
    assert bowl(made, 0).total < bowl(torch.zeros_like(GOAL), 0).total


def test_a_loss_that_is_never_finite_is_an_error():
    def broken(image, step):
        return Measured({"style": math.nan}, image)

    with pytest.raises(NotFiniteError, match="not finite"):
        descend(broken, torch.zeros_like(GOAL), optimizer="adam", steps=3, average=0.0, told=silent)
