"""Verdicts on the game between D and G: does D still learn, does it teach, and does either run away?"""

from itertools import pairwise
from statistics import fmean

from translate.health.reading import (
    Rows,
    domain,
    early,
    judged,
    kinds,
    lately,
    mean,
    middle,
    span,
    values,
)
from translate.health.verdict import Verdict

SURE = 0.98
"""Accuracy of a D that is hardly ever wrong."""
LEAD = 5.0
"""Times that G's gradient is D's where D has no more to learn, and G is pushed but does not get on."""
VERY_SURE, VANISHED = 0.995, 0.05
"""Accuracy of a D that leaves G nothing to learn by, and what is left of G's gradient."""
PACE = 3.0
"""Times that D's weights move as far as G's."""
FAST = 0.01
"""Share of its own length that a step moves D by, if it is too long."""
FOOLED = 0.3
SWINGS = 3


def dead(rows: Rows) -> Verdict | None:
    """A D that gives one answer, whatever it is shown."""
    seen = lately(rows, 75)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        scores = list(zip(values(seen, f"score_real{kind}"), values(seen, f"score_fake{kind}"), strict=True))
        same = all(abs(real - fake) <= 1e-6 * max(abs(real), 1e-3) for real, fake in scores)
        if seen and scores and same and all(abs(value - 0.5) < 1e-6 for value in accuracy):
            cause = f"D{domain(kind)} answers {scores[-1][0]:.3g} to every image, real or made, {span(seen)}"
            return Verdict(
                "dead discriminator",
                cause,
                "Its units have died: begin anew with a lower --set learning_rate_d=1e-4, or --set spectral_norm=true",
            )
    return None


def frozen(rows: Rows) -> Verdict | None:
    """A D whose weights stand still though its loss has a gradient."""
    seen = lately(rows, 75)
    moves = values(seen, "update_D")
    skipped = mean(seen, "skipped_D") or 0.0
    gradient = middle(seen, "gradient_D") or 0.0
    if len(moves) < 2 or any(moves) or gradient <= 1e-12 or skipped > 0.5:
        return None
    return Verdict(
        "frozen discriminator",
        f"D's weights have not moved {span(seen)}, though its gradient is {gradient:.3g}",
        "Give D a rate above 0 (--set learning_rate_d=2e-4), and let its parameters be trained",
    )


def swapped(rows: Rows) -> Verdict | None:
    """A D that is content with calling made images real and real ones made."""
    seen = lately(rows, 100)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        first, last = ([judged(row, kind) for row in part] for part in (early(rows), seen[-2:]))
        before, now = ([loss for loss in part if loss is not None] for part in (first, last))
        if accuracy and max(accuracy) < 0.1 and before and now and max(now) < max(before):
            return Verdict(
                "inverted",
                f"D{domain(kind)} calls the made image the real one in {1 - accuracy[-1]:.0%} of pairs {span(seen)}, "
                f"while its loss fell from {max(before):.3g} to {now[-1]:.3g}",
                "Labels of real and made are exchanged in D's loss: look at the objective, and set label_flip=0",
            )
    return None


def saturated(rows: Rows) -> Verdict | None:
    """A D that is right at once and always, and drags its answers about faster than G can follow."""
    seen = lately(rows, 100)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        if not accuracy or fmean(accuracy) < SURE or min(accuracy) < SURE - 0.03 or getting_better(rows):
            continue
        d, g, move_d, move_g = (
            middle(seen, name) or 0.0 for name in ("gradient_D", "gradient_G", "update_D", "update_G")
        )
        first = max(values(rows, "gradient_G"), default=0.0)
        surely = f"D{domain(kind)} tells real from made in {min(accuracy):.0%} of pairs or more {span(seen)}"
        if move_d > FAST and move_d > PACE * move_g and g > LEAD * d:
            cause = (
                f"{surely}, moves its weights by {move_d:.1%} a step (G: {move_g:.1%}), and G's gradient is "
                f"{g / max(d, 1e-12):.0f} times its own"
            )
            return Verdict(
                "saturated discriminator", cause, "Lower D's rate: --set learning_rate_d=1e-4, or add --set r1=1"
            )
        if 0 < g < VANISHED * first and fmean(accuracy) > VERY_SURE:
            cause = f"{surely}, and G's gradient fell from {first:.3g} to {g:.3g}"
            return Verdict(
                "saturated discriminator",
                cause,
                "Let D be less sure: --set smooth_real=0.1 or --set r1=1, or objective=vanilla",
            )
    return None


def runaway(rows: Rows) -> Verdict | None:
    """A G that fools D for long, and a D that does not catch up."""
    seen = lately(rows)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        if accuracy and max(accuracy) < FOOLED + 0.1 and sum(accuracy) < FOOLED * len(accuracy):
            return Verdict(
                "runaway generator",
                f"D{domain(kind)} finds the real image more real in only {sum(accuracy) / len(accuracy):.0%} of pairs "
                f"{span(seen)}",
                "Strengthen D: --set n_critic=2, or raise learning_rate_d above learning_rate",
            )
    return None


def oscillating(rows: Rows) -> Verdict | None:
    """Players that overtake each other by turns."""
    seen = lately(rows, 500)
    for kind in kinds(seen, "accuracy"):
        ahead = [value > 0.5 for value in values(seen, f"accuracy{kind}") if not 0.3 < value < 0.7]
        turns = sum(one != other for one, other in pairwise(ahead))
        if turns >= SWINGS:
            return Verdict(
                "oscillating",
                f"D{domain(kind)} and G have overtaken each other {turns} times {span(seen)}",
                "Lower both rates (--set learning_rate=1e-4), or hold D with --set r1=1",
            )
    return None


def getting_better(rows: Rows) -> bool:
    """Whether made images have surely come closer to real ones between the last two looks at them."""
    looks = [row for row in rows if "kid_random_high" in row and "kid_random_low" in row]
    return len(looks) > 1 and looks[-1]["kid_random_high"] < looks[-2]["kid_random_low"]
