"""Verdicts on what comes out: do images differ from each other, follow their inputs, and does D know them by heart?"""

from translate.health.reading import Rows, domain, kinds, lately, looks, span, values
from translate.health.verdict import Verdict

SAME = 1e-4
ALIKE = 0.02
"""Spread of made images, as a share of the real ones'."""
FALLEN = 1 / 3
FREE = 0.05
"""dependence of outputs that do not follow their inputs."""
SOON = 50
"""Steps between looks that show plainly what is wrong."""
GROWN = 200
"""Steps before which a translator may not have begun to, nor a generator made its images differ."""
FEW_LOOKS, FEW_STEPS = 5, 1000
"""For how long few kinds of images are no sign of a young generator."""
KNOWN = 0.9
"""gap of a D that knows its images by heart."""


def collapse(rows: Rows) -> Verdict | None:
    """A G whose images are all alike, or become so."""
    for kind in kinds(rows, "spread"):
        for most, steps in ((SAME, 75), (ALIKE, 300)):
            seen = lately(rows, steps)
            spread = values(seen, f"spread{kind}")
            if spread and max(spread) < most:
                cause = f"made images{domain(kind)} differ {spread[-1]:.2g} times as much as real ones {span(seen)}"
                return Verdict("collapse", cause, _APART)
    found, last = values(rows, "diversity"), values(looks(rows, "diversity"), "diversity")
    if last and max(last) < min(0.3, FALLEN * max(found)):
        cause = f"diversity fell from {max(found):.2g} to {last[-1]:.2g} of the real images'"
        return Verdict("collapse", cause, _APART)
    if last and max(last) < ALIKE and rows[-1]["step"] >= GROWN:
        return Verdict("collapse", f"diversity is {last[-1]:.2g} of the real images' in {len(last)} looks", _APART)
    return _few_kinds(rows)


def _few_kinds(rows: Rows) -> Verdict | None:
    """A G that makes some kinds of images well and never the others; a young one learns them one after the other."""
    seen = [row for row in rows if "coverage" in row and "precision" in row][-FEW_LOOKS:]
    if len(seen) < FEW_LOOKS or seen[-1]["step"] - seen[0]["step"] < FEW_STEPS:
        return None
    most, least = max(row["coverage"] for row in seen), min(row["precision"] for row in seen)
    if most > 0.15 or least < 0.9:
        return None
    cause = f"made images look real (precision {least:.2g} and more) and cover {most:.0%} of the real ones at most"
    return Verdict("collapse", f"{cause}, in {len(seen)} looks {span(seen)}", _APART)


_APART = "Halve learning_rate, or begin anew with objective=wgan, or with relativistic and r1"


def ignoring(rows: Rows) -> Verdict | None:
    """A translator that makes the same of whatever it is given.

    dependence alone is 0 by chance now and then with the few images of a look, and while training is young: two looks
    are enough where the outputs are flat, too, and three otherwise, from step GROWN on.
    """
    for kind in kinds(rows, "dependence"):
        last = looks(rows, f"dependence{kind}", SOON)
        flat = all(abs(row.get(f"luminance{kind}", 1.0)) < 0.01 for row in last)
        grown = [row for row in rows if f"dependence{kind}" in row and row["step"] >= GROWN]
        seen = last if flat and last else grown[-3:] if len(grown) > 2 else []
        if seen and (most := max(row[f"dependence{kind}"] for row in seen)) < FREE:
            return Verdict(
                "ignoring its input",
                f"outputs{domain(kind)} have followed their inputs by {most:.2g} of 1 in {len(seen)} looks",
                "Halve learning_rate, or tie them together: set l1 (pix2pix) or cycle_a and cycle_b (cycle) higher",
            )
    return None


def inverted(rows: Rows) -> Verdict | None:
    """A translator that makes light of dark and dark of light, where the truth, if it is known, does not."""
    for kind in kinds(rows, "luminance"):
        found = values(looks(rows, f"luminance{kind}", SOON), f"luminance{kind}")
        wanted = max(values(rows, f"luminance_truth{kind}")[-2:], default=0.0)
        if len(found) > 1 and max(found) < min(-0.5, wanted - 0.5):
            return Verdict(
                "inverted",
                f"light and dark of outputs{domain(kind)} correlate {max(found):.2g} with those of inputs "
                f"in {len(found)} looks",
                "If the domains do not differ so, begin anew with another seed, and set identity (cycle) higher",
            )
    return None


def overfitted(rows: Rows) -> Verdict | None:
    """A D that finds images it was trained on more real than others, because it knows them."""
    found = [row for row in rows if "gap" in row][-2:]
    # One look is enough where many images were looked at; with few, chance repeats itself, and two are asked for.
    sure = [row["gap"] >= KNOWN and (row["gap"] - 0.5) / row.get("gap_error", 0.5) > 2 for row in found]
    plain = [row["gap"] >= KNOWN and (row["gap"] - 0.5) / row.get("gap_error", 0.5) > 4 for row in found]
    if found and (plain[-1] or (len(found) > 1 and all(sure))):
        return Verdict(
            "overfitted discriminator",
            f"D finds images it was trained on more real than held-out ones in {found[-1]['gap']:.0%} of pairs",
            "Give it more images, set r1 higher, or set diffaugment=color,translation,cutout (dcgan)",
        )
    return None
