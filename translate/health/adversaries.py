"""Verdicts on the game between D and G: does D still learn, does it teach, and does either run away?"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from translate.health.reading import (
    LATELY,
    LONGEST,
    Row,
    Rows,
    domain,
    early,
    judged,
    kinds,
    lately,
    looks,
    mean,
    middle,
    mostly,
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
FALL = 0.1
"""By how much, at least, D's loss falls where labels are exchanged; to a fifth or, if it has no floor, below -FALL."""
NOTHING, FADED = 1e-3, 1e-5
"""Loss and gradient of a D that has nothing left to learn."""
APART = 20.0
"""G's loss under a D whose answers are far apart: a chance of e^-20 that the made image is real."""
EMPTY = 0.02
"""coverage of made images that are nowhere near real ones."""
GROWN = 200
"""Steps before which G may not have made anything that is."""


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
                "Its units have died: begin anew with learning_rate_d halved, or with spectral_norm=true",
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
        "Set learning_rate_d higher, and let D's parameters be trained",
    )


def swapped(rows: Rows) -> Verdict | None:
    """A D that is content with calling made images real and real ones made.

    A G that fools an honest D is none: that one's loss does not fall below what a D loses that knows nothing.
    """
    seen = lately(rows, 100)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        first, last = ([judged(row, kind) for row in part] for part in (early(rows), seen[-2:]))
        before, now = ([loss for loss in part if loss is not None] for part in (first, last))
        if accuracy and max(accuracy) < 0.1 and before and now and _content(seen[-1], kind, max(before), now):
            return Verdict(
                "inverted",
                f"D{domain(kind)} calls the made image the real one in {1 - accuracy[-1]:.0%} of pairs {span(seen)}, "
                f"while its loss fell from {max(before):.3g} to {now[-1]:.3g}",
                "Labels of real and made seem exchanged in D's loss: look at the objective, and switch label_flip off",
            )
    return None


def _content(row: Row, kind: str, before: float, now: Sequence[float]) -> bool:
    """Whether D's loss, `now` in the last windows, fell from `before` so far that D has what it wants."""
    terms = [row[name] for name in (f"D/real{kind}", f"D/fake{kind}", f"D/pairs{kind}") if name in row]
    floor = 0.2 * min(before, 1.0) if terms and min(terms) >= 0 else -FALL
    return now[-1] < floor and max(now) < before - FALL


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
            return Verdict("saturated discriminator", cause, _SLOWER)
        if 0 < g < VANISHED * first and fmean(accuracy) > VERY_SURE:
            cause = f"{surely}, and G's gradient fell from {first:.3g} to {g:.3g}"
            return Verdict(
                "saturated discriminator",
                cause,
                "Let D be less sure: set smooth_real or r1 higher, or take objective=vanilla",
            )
    return won(rows)


_SLOWER = "Halve learning_rate_d (unset it is learning_rate), or set r1 higher"


def won(rows: Rows) -> Verdict | None:
    """A D that has won, maybe from the start: there is nothing left for it to learn, or its answers are far apart."""
    seen = lately(rows, GROWN)
    for kind in kinds(seen, "accuracy"):
        accuracy = values(seen, f"accuracy{kind}")
        losses = [loss for row in seen if (loss := judged(row, kind)) is not None]
        if not accuracy or not losses or fmean(accuracy) < SURE - 0.03 or getting_better(rows):
            continue
        surely = f"D{domain(kind)} tells real from made in {fmean(accuracy):.0%} of pairs {span(seen)}"
        least = min(losses) >= 0 and max(losses) < NOTHING
        gradient = max(values(seen, "gradient_D"), default=1.0)
        if fmean(accuracy) >= SURE and (least or gradient < FADED):
            last = values(looks(rows, "coverage"), "coverage")
            if (last and max(last) < EMPTY and rows[-1]["step"] >= GROWN) or (least and gradient < FADED):
                cause = (
                    f"{surely}, its loss is {losses[-1]:.2g} and its gradient {middle(seen, 'gradient_D') or 0.0:.2g}"
                )
                return Verdict("saturated discriminator", cause, f"Begin anew. {_SLOWER}")
        # Where all is above 0 D gives chances or margins: a Wasserstein critic's loss, which may be any, is below.
        if min(losses) >= 0 and mostly(seen, f"G/gan{kind}", APART):
            cause = f"{surely}, and G's loss is {middle(seen, f'G/gan{kind}') or 0.0:.3g}: its answers are far apart"
            return Verdict("saturated discriminator", cause, _SLOWER)
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
                "Strengthen D: set learning_rate_d above learning_rate, or n_critic higher (dcgan)",
            )
    return None


def oscillating(rows: Rows) -> Verdict | None:
    """Players that overtake each other by turns."""
    seen = lately(rows, LONGEST)
    if not seen or seen[-1]["step"] - seen[0]["step"] < 2 * LATELY:
        return None  # windows of a few steps swing by chance
    for kind in kinds(seen, "accuracy"):
        ahead = [value > 0.5 for value in values(seen, f"accuracy{kind}") if not 0.3 < value < 0.7]
        turns = sum(one != other for one, other in pairwise(ahead))
        if turns >= SWINGS:
            return Verdict(
                "oscillating",
                f"D{domain(kind)} and G have overtaken each other {turns} times {span(seen)}",
                "Halve learning_rate, and learning_rate_d where it is set, or set r1 higher",
            )
    return None


def getting_better(rows: Rows) -> bool:
    """Whether made images have surely come closer to real ones between the last two looks at them."""
    looks = [row for row in rows if "kid_random_high" in row and "kid_random_low" in row]
    return len(looks) > 1 and looks[-1]["kid_random_high"] < looks[-2]["kid_random_low"]
