"""The health of training: every rule on windows made by hand, and what must not mislead it."""

import math
import re
from typing import Any

import pytest
import torch

from translate.config import DataSettings, TrainingSettings
from translate.health import HEALTHY, Monitor, Verdict, sure
from translate.health.reading import judged, kinds, lately, looks
from translate.health.rules import diagnose
from translate.methods import METHODS
from translate.methods.judge import Judge
from translate.methods.set_scores import gap

USUAL = {
    "accuracy": 0.8, "score_real": 1.0, "score_fake": -1.0, "low": -0.9, "high": 0.95, "spread": 0.6,
    "gradient_D": 2.0, "gradient_G": 3.0, "update_D": 0.002, "update_G": 0.003,
    "D/real": 0.4, "D/fake": 0.4, "G/gan": 1.2,
}  # fmt: skip
LOOK = {
    "kid_random": 1.0,
    "kid_random_low": 0.8,
    "kid_random_high": 1.2,
    "diversity": 0.7,
    "gap": 0.5,
    "gap_error": 0.04,
}

Rows = list[dict[str, float]]


def windows(count: int = 12, every: int = 25, **changed: Any) -> Rows:
    """Windows of a healthy run; what is `changed` is a figure, or one for each window."""
    rows = []
    for index in range(count):
        own = {name: value[index] if isinstance(value, list) else value for name, value in changed.items()}
        look = LOOK if (index + 1) % 4 == 0 else {}
        rows.append({"step": float((index + 1) * every)} | USUAL | look | own)
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def ramp(first: float, last: float, count: int = 12) -> list[float]:
    return [first * (last / first) ** (index / (count - 1)) for index in range(count)]


def at_looks(value: float) -> list[float | None]:
    """`value` at every fourth of 12 windows."""
    return [value if index % 4 == 3 else None for index in range(12)]


SICK: dict[str, tuple[str, Rows]] = {
    "a loss that is not finite": ("exploding", windows(3, **{"G/gan": math.nan})),
    "gradients that grow a thousandfold": ("exploding", windows(gradient_G=ramp(1, 1e4))),
    "a loss that runs away": ("exploding", windows(**{"D/real": ramp(1, 1e6)})),
    "a loss that was always huge": ("exploding", windows(**{"D/fake": 7e12, "D/real": 3e11})),
    "a critic without bounds": ("exploding", windows(**{"D/fake": -5e5, "D/real": -4e5}, score_real=4e5)),
    "a gradient that was always huge": ("exploding", windows(gradient_G=8e5)),
    "reals in [0, 1]": ("wrong range", windows(low=0.0, high=1.0)),
    "reals in 0 to 255": ("wrong range", windows(low=0.0, high=255.0)),
    "reals divided twice": ("wrong range", windows(low=-1.0, high=-0.99)),
    "one domain of two in [0, 1]": ("wrong range", windows(low_a=-1.0, high_a=1.0, low_b=0.0, high_b=1.0)),
    "one answer to everything": (
        "dead discriminator",
        windows(accuracy=0.5, score_real=0.3, score_fake=0.3, gradient_G=0.0, update_D=0.0, gradient_D=1e-9),
    ),
    "weights that stand still": ("frozen discriminator", windows(update_D=0.0)),
    "exchanged labels": (
        "inverted", windows(accuracy=0.0, **{"D/real": ramp(0.7, 0.01), "D/fake": ramp(0.7, 0.01)})
    ),
    "exchanged labels of a critic": (
        "inverted", windows(accuracy=0.0, **{"D/real": [-0.1 * i for i in range(12)], "D/fake": 0.1})
    ),
    "one image for all noise": ("collapse", windows(spread=0.0)),
    "images hardly different": ("collapse", windows(spread=0.01)),
    "diversity that fell": ("collapse", windows(diversity=[None] * 3 + [0.8, *[None] * 3, 0.1, *[None] * 3, 0.1])),
    "outputs that are flat": (
        "ignoring its input", windows(dependence_AtoB=at_looks(0.0), luminance_AtoB=at_looks(0.0))
    ),
    "one picture for all inputs": (
        "ignoring its input", windows(12, 100, dependence_AtoB=at_looks(0.01), luminance_AtoB=at_looks(0.6))
    ),
    "light and dark exchanged": ("inverted", windows(luminance_BtoA=at_looks(-0.9))),
    "a D that runs ahead": (
        "saturated discriminator",
        windows(accuracy=1.0, update_D=0.03, gradient_D=0.5, gradient_G=100.0),
    ),
    "a gradient that has vanished": ("saturated discriminator", windows(accuracy=1.0, gradient_G=ramp(3, 0.003))),
    "a D that had won at once": (
        "saturated discriminator",
        windows(accuracy=1.0, gradient_D=1e-7, coverage=at_looks(0.0), kid_random_low=at_looks(331.0),
                kid_random_high=at_looks(336.0), **{"D/real": 1e-30, "D/fake": 1e-9, "G/gan": 17.0}),
    ),
    "a D that has won, without a look": (
        "saturated discriminator", windows(accuracy=1.0, gradient_D=1e-7, **{"D/real": 0.0, "D/fake": 1e-9})
    ),
    "answers that are far apart": (
        "saturated discriminator", windows(accuracy=0.98, **{"D/real": 1.5, "D/fake": 1.4, "G/gan": [35.0, 60.0] * 6})
    ),
    "diversity of nothing": ("collapse", windows(diversity=at_looks(0.01))),
    "a G that ran away from a D that knows no more": (
        "runaway generator",
        windows(accuracy=0.02, gradient_D=1e-4, **{"D/real": -0.5, "D/fake": [0.52] * 4 + [0.500001] * 8}),
    ),
    "a G that ran away from losses that were large": (
        "runaway generator", windows(accuracy=0.02, **{"D/real": ramp(9, 0.9), "D/fake": ramp(9, 0.9)})
    ),
    "a D that is fooled": ("runaway generator", windows(accuracy=0.1, **{"D/real": ramp(0.7, 2)})),
    "players that take turns": ("oscillating", windows(20, accuracy=[0.95, 0.9, 0.1, 0.05] * 5)),
    "images known by heart": ("overfitted discriminator", windows(gap=0.99)),
}  # fmt: skip


@pytest.mark.parametrize("case", SICK)
def test_what_is_sick_is_named_with_figures_and_a_remedy(case: str):
    name, rows = SICK[case]
    verdict = diagnose(rows)
    assert verdict.name == name
    assert re.search(r"\d|nan|inf", verdict.cause)
    assert verdict.remedy
    assert "\n" not in verdict.line


@pytest.mark.parametrize("case", [case for case in SICK if "finite" not in case])
def test_nothing_is_said_of_the_first_windows(case: str):
    assert diagnose(SICK[case][1][:2]).healthy


WELL: dict[str, Rows] = {
    "no window yet": [],
    "a usual run": windows(40),
    "a critic trained to the end": windows(accuracy=1.0, score_real=40.0, score_fake=-40.0, gradient_D=9.0),
    "losses through zero": windows(**{"D/real": [(-1) ** index * 10.0**index for index in range(-8, 4)]}),
    "a loss that is large from the start": windows(**{"G/l1": 5e4}),
    "a D that sits turns out": windows(update_D=None, skipped_D=1.0),
    "a D fooled at first": windows(accuracy=[0.1] * 3 + [0.7] * 9),
    "images still alike at first": windows(spread=[0.001] * 3 + [0.3] * 9),
    "a bright data set": windows(low=-0.3, high=1.0),
    "rounding beyond the range": windows(low=-1.02, high=1.03),
    "no window with a turn of G": windows(update_G=None),
    "fast D, well matched": windows(accuracy=0.9, update_D=0.1, gradient_D=5.0, gradient_G=30.0),
    "few images held out, by chance": windows(gap=1.0, gap_error=0.45),
    "outputs that do not follow yet": windows(8, dependence_AtoB=(at_looks(0.0)), luminance_AtoB=at_looks(0.1)),
    "pairs that are negatives": windows(luminance_AtoB=at_looks(-0.95), luminance_truth_AtoB=at_looks(-1.0)),
    "one odd look": windows(8, diversity=[None] * 3 + [0.8] + [None] * 3 + [0.1]),
    "a critic of hundreds": windows(
        accuracy=1.0, score_real=900.0, score_fake=-400.0, **{"D/real": -900.0, "D/fake": -400.0, "G/gan": 400.0}
    ),
    "a critic whose level floats": windows(
        accuracy=0.9, score_real=-5e4, score_fake=-5e4, **{"D/real": 5e4, "D/fake": -50007.0, "G/gan": 50007.0}
    ),
    "a D that wins while G learns": windows(
        accuracy=1.0, coverage=at_looks(0.0), **{"D/real": 1e-4, "D/fake": 1e-4, "G/gan": 9.0},
        kid_random_low=[None] * 3 + [5.0] + [None] * 3 + [3.0] + [None] * 3 + [1.0],
        kid_random_high=[None] * 3 + [6.0] + [None] * 3 + [4.0] + [None] * 3 + [2.0],
    ),
    "turns of a few steps": windows(60, 2, accuracy=[0.95, 0.9, 0.1, 0.05] * 15),
    "looks that follow at once": windows(4, 2, diversity=0.01, spread=0.1),
    "a sure D beside a G that gets better": windows(
        accuracy=1.0, update_D=0.03, gradient_D=0.5, gradient_G=100.0,
        kid_random_low=[None] * 3 + [5.0] + [None] * 3 + [3.0] + [None] * 3 + [1.0],
        kid_random_high=[None] * 3 + [6.0] + [None] * 3 + [4.0] + [None] * 3 + [2.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WELL)
def test_what_is_well_is_left_alone(case: str):
    assert diagnose(WELL[case]).line == "healthy"


@pytest.mark.parametrize("every", [1, 5, 25, 100, 500])
def test_verdicts_hold_however_often_they_are_made(every: int):
    count = min(max(400 // every, 6), 64)
    assert diagnose(windows(count, every, low=0.0, high=1.0)).name == "wrong range"
    assert diagnose(windows(count, every)).healthy


def test_remedies_name_settings_that_there_are():
    known = {*DataSettings.model_fields, *TrainingSettings.model_fields}
    for kind in METHODS.values():
        known |= set(kind.settings.model_fields)
    remedies = " ".join(diagnose(rows).remedy for _, rows in SICK.values())
    named = set(re.findall(r"\b(\w+_\w+|\w+(?==)|[a-z]\d)\b", remedies))
    assert len(named) > 8
    assert named <= known
    assert not re.search(r"=\d", remedies)  # a figure may be above or below what the run has


@pytest.mark.parametrize("case", SICK)
def test_a_verdict_is_a_line_to_stand_after_a_step(case: str):
    verdict = diagnose(SICK[case][1])
    assert verdict.line == f"{verdict.name}: {verdict.cause}. {verdict.remedy}"
    assert verdict.remedy[0].isupper()
    assert not verdict.cause.endswith(".")
    assert not verdict.remedy.endswith(".")
    assert "images named" not in verdict.line


def test_a_verdict_without_a_remedy_or_with_full_stops_is_a_line_too():
    assert Verdict("exploding", "a loss is nan.", "").line == "exploding: a loss is nan"
    assert Verdict("exploding", "a loss is nan.", "Halve it.").line == "exploding: a loss is nan. Halve it"
    assert HEALTHY.line == "healthy"


@pytest.mark.parametrize(("every", "least"), [(25, 20), (100, 8), (1000, 8), (1, 48)])
def test_it_is_too_early_to_tell_before_all_rules_can_speak(every: int, least: int):
    assert not sure([])
    assert not sure(windows(least - 1, every))
    assert sure(windows(least, every))


def test_looks_lie_apart():
    rows = windows(12)
    assert [row["step"] for row in looks(rows, "diversity")] == [200, 300]
    assert [row["step"] for row in looks(rows, "diversity", 150)] == [100, 200, 300]
    assert looks(rows[:7], "diversity") == []
    assert looks(windows(10, 2), "accuracy") == []


def test_the_signs_have_values_worked_by_hand():
    judge = Judge(METHODS["dcgan"].settings.checked({}))
    seen, judged_, real = torch.tensor([3.0, 0.0]), torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    signs = judge.signals(seen, judged_, real, 0.25 * real)
    assert signs["accuracy"] == pytest.approx(0.75)  # one pair is right, one is a tie
    assert (signs["score_real"], signs["score_fake"]) == (1.5, 0.5)
    assert (signs["low"], signs["high"]) == (-1, 1)
    assert signs["spread"] == pytest.approx(0.25)
    assert "spread" not in judge.signals(seen[:1], judged_[:1], real[:1], real[:1])


def test_the_balance_of_began_is_its_tie():
    judge = Judge(METHODS["dcgan"].settings.checked({"objective": "began", "gamma": 0.5}))
    image = torch.zeros(2, 1, 1, 1)
    energies = torch.tensor([0.4, 0.4])
    assert judge.signals(energies, torch.tensor([0.2, 0.2]), image, image)["accuracy"] == 0.5
    assert judge.signals(energies, torch.tensor([0.3, 0.3]), image, image)["accuracy"] == 1


def test_the_gap_has_its_error():
    found = gap(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 2.0]))
    assert found["gap"] == pytest.approx((3 + 1 + 0.5) / 6)
    assert found["gap_error"] == pytest.approx(math.sqrt(6 / 72))  # (n + m + 1) / 12 n m


def test_windows_are_read_by_steps():
    assert len(lately(windows(12), 100)) == 4
    assert lately(windows(3), 100) == []
    assert [row["step"] for row in lately(windows(6, 100), 150)] == [300, 400, 500, 600]
    assert len(lately(windows(40, 1), 150)) == 0
    assert set(kinds([{"score_real_a": 1.0, "score_real_b": 1.0, "score_realm": 0.0}], "score_real")) == {"_a", "_b"}
    assert judged({"D/real_a": 1.0, "D/fake_a": 2.0, "D/penalty_a": 9.0}, "_a") == 3
    assert judged({"G/gan": 1.0}, "") is None


def test_a_resumed_monitor_judges_as_one_that_was_never_stopped():
    whole, first = Monitor(), Monitor()
    scalars = {f"health/{name}": torch.tensor(value) for name, value in USUAL.items() if "/" not in name}
    scalars |= {"health/update_D": torch.tensor(0.0)}
    for step in range(1, 151):
        for monitor in (whole, first):
            monitor.observe(scalars)
            if step % 25 == 0:
                monitor.judge(step, {})
        if step == 60:
            state, first = first.state(), Monitor()
            first.restore(state)
    assert first.verdict == whole.verdict
    assert whole.verdict.name == "frozen discriminator"
    assert list(first.rows) == list(whole.rows)


def test_few_kinds_made_well_for_long_are_a_collapse_and_a_young_generator_is_none():
    def seen(*coverage: float) -> str:
        looked = [None if (index + 1) % 10 else coverage[index // 10] for index in range(10 * len(coverage))]
        precise = [None if share is None else 0.97 for share in looked]
        return diagnose(windows(len(looked), coverage=looked, precision=precise)).line

    assert seen(0.08, 0.08, 0.09, 0.08, 0.08).startswith(
        "collapse: made images look real (precision 0.97 and more) and"
    )
    assert seen(0.06, 0.11, 0.25, 0.52, 0.72) == "healthy"
    assert seen(0.08, 0.08, 0.08) == "healthy"
