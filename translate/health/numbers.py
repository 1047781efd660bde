"""Verdicts on the numbers themselves: do they grow without bound, and do the images lie where networks expect them?"""

import math

from translate.health.reading import LEAST, Rows, domain, early, judged, kinds, lately, mean, mostly, span, values
from translate.health.verdict import Verdict

GROWTH = 300.0
"""Times that a gradient must have grown."""
GREATEST = 1e4
"""Size that no loss of a game that works comes to."""
HUGE, HUGEST = 1e5, 1e6
"""Norm of a gradient, and size of a weighted loss, that no game that works keeps to, from its first step or later."""


def exploding(rows: Rows) -> Verdict | None:
    """A loss or gradient that is not finite, or that has grown by orders of magnitude."""
    for name, value in rows[-1].items():
        if not math.isfinite(value):
            return Verdict("exploding", f"{name} is {value} at step {rows[-1]['step']:.0f}", _CALM)
    if len(rows) < 2 * LEAST:
        return None
    for name in rows[-1]:
        if name.startswith("gradient_"):
            before, now = max(values(early(rows), name), default=0.0), min(values(rows[-2:], name), default=0.0)
            if before > 0 and now > GROWTH * before:
                cause = f"{name.replace('_', ' of ')} has grown from {before:.3g} to {now:.3g}"
                return Verdict("exploding", cause, _CALM)
        if "/" in name:
            now = min((abs(value) for value in values(rows[-2:], name)), default=0.0)
            before = max((abs(value) for value in values(early(rows), name)), default=0.0)
            if now > GREATEST and now > GROWTH * before:
                return Verdict("exploding", f"{name} has grown from {before:.3g} to {now:.3g} in size", _CALM)
    return _huge(lately(rows))


def _huge(seen: Rows) -> Verdict | None:
    """What is too large in itself, though it may always have been.

    Of D's answers the sum counts, in which a Wasserstein critic's level, which is free, is not seen.
    """
    if not seen:
        return None
    for kind in kinds(seen, "accuracy"):
        sums = [{"D's loss": own} for row in seen if (own := judged(row, kind)) is not None]
        if mostly(sums, "D's loss", GREATEST):
            return _too_large(f"D's loss{domain(kind)}", sums[-1]["D's loss"], seen)
    for name in seen[-1]:
        answers = name.startswith(("D/real", "D/fake", "D/pairs"))
        bound = HUGE if name.startswith("gradient_") else HUGEST if "/" in name and not answers else math.inf
        if mostly(seen, name, bound):
            return _too_large(name.replace("gradient_", "gradient of "), seen[-1][name], seen)
    return None


def _too_large(what: str, value: float, seen: Rows) -> Verdict:
    return Verdict("exploding", f"{what} has been far too large {span(seen)}, and is {value:.3g}", _CALM)


_CALM = "Halve learning_rate, and learning_rate_d where it is set, or bound the gradients with clip"


def wrong_range(rows: Rows) -> Verdict | None:
    """Real images that are not spread over [-1, 1]."""
    seen = lately(rows, 100)
    for kind in kinds(seen, "low"):
        low, high = mean(seen, f"low{kind}"), mean(seen, f"high{kind}")
        if low is None or high is None:
            continue
        cause = f"the real images{domain(kind)} lie in [{low:.3g}, {high:.3g}], not in [-1, 1]"
        if low < -1.1 or high > 1.1 or min(values(seen, f"low{kind}")) >= -0.02 or high - low < 0.02:
            return Verdict("wrong range", cause, _SCALE)
    return None


_SCALE = (
    "Bring them to [-1, 1] (pixels / 127.5 - 1) where they are read: G's images lie there, and D sees the difference"
)
