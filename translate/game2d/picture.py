"""Draws how a game stands: D's landscape, real points, samples, and where each sample is pulled."""

import cv2
import numpy as np
import torch
from torch import Tensor

from translate.game2d.playing import Scene

SIDE = 440
"""Pixels of the plane."""
BAND = 62
"""Pixels above it, for words."""
FINE = 2  # it is drawn at so many times the size, and shrunk: lines and letters become smooth
VIEW = 1.15
"""Half the side of the square that is shown; points beyond it are not."""
CELLS = 72
ARROWS = 70
LONGEST = 0.14  # of an arrow, in units of the plane

PAPER, INK, SOFT = (252, 251, 248), (38, 42, 52), (120, 124, 134)
FAKE, NEITHER, REAL = (126, 162, 206), (244, 241, 235), (245, 184, 128)
GOOD, BAD = (24, 122, 62), (186, 40, 40)
TRUE_POINT, MADE_POINT, PULL = (70, 62, 58), (122, 20, 138), (30, 92, 110)


def draw_scene(
    scene: Scene, left: tuple[str, str], right: tuple[str, str], health: tuple[str, bool | None] = ("", None)
) -> np.ndarray:
    """Draw `scene` as uint8 RGB (BAND + SIDE, SIDE, 3), with two lines of words at the `left` and the `right` above.

    Below them stands `health`, a verdict's name and whether it is a good one (None: there is none yet), and how many
    samples of the scene lie outside of what is shown.
    """
    plane = _landscape(scene)
    _points(plane, scene.real, TRUE_POINT, 2.0, 0.45)
    _arrows(plane, scene.made[:ARROWS], scene.pull[:ARROWS])
    _points(plane, scene.made, MADE_POINT, 2.3, 0.85)
    canvas = np.concatenate([np.full((BAND * FINE, SIDE * FINE, 3), PAPER, np.uint8), plane])
    for line, (first, second) in enumerate(zip(left, right, strict=True)):
        y = 18 + 18 * line
        _write(canvas, first, 8, y, INK)
        _write(canvas, second, SIDE - 8, y, INK, to_the_left=True)
    name, good = health
    _write(canvas, name, 8, 54, SOFT if good is None else GOOD if good else BAD)
    if outside := int((scene.made.abs() > VIEW).any(dim=1).sum()):
        _write(canvas, f"{outside} of {len(scene.made)} shown outside", SIDE - 8, 54, SOFT, to_the_left=True)
    return cv2.resize(canvas, (SIDE, SIDE + BAND), interpolation=cv2.INTER_AREA)


def _landscape(scene: Scene) -> np.ndarray:
    """What D answers everywhere, in ranks: colours then fill their range whatever an objective's scale."""
    ticks = torch.linspace(-VIEW, VIEW, CELLS)
    y, x = torch.meshgrid(-ticks, ticks, indexing="ij")
    answers = scene.judge(torch.stack([x.flatten(), y.flatten()], dim=1)).double()
    # Equal answers share a rank: a D that is flat is of one colour.
    _, places, counts = answers.unique(return_inverse=True, return_counts=True)
    ranks = ((counts.cumsum(0) - (counts + 1) / 2) / max(1, len(answers) - 1))[places]
    field = cv2.resize(
        ranks.view(CELLS, CELLS).numpy(), (SIDE * FINE, SIDE * FINE), interpolation=cv2.INTER_CUBIC
    ).clip(0, 1)
    colours = np.array([FAKE, NEITHER, REAL], dtype=np.float64)
    table = np.stack([np.interp(np.linspace(0, 1, 256), [0, 0.5, 1], colours[:, c]) for c in range(3)], axis=1)
    return np.rint(table).astype(np.uint8)[np.rint(field * 255).astype(np.uint8)]


def _points(plane: np.ndarray, points: Tensor, colour: tuple[int, int, int], radius: float, opacity: float) -> None:
    layer = plane.copy()
    for place in _pixels(points):
        cv2.circle(layer, place, round(radius * FINE * 16), colour, -1, cv2.LINE_AA, shift=4)
    cv2.addWeighted(layer, opacity, plane, 1 - opacity, 0, dst=plane)


def _arrows(plane: np.ndarray, points: Tensor, pull: Tensor) -> None:
    """Lengths say how strong the pull is beside that of the others in this picture; the strongest tenth are cut."""
    lengths = pull.norm(dim=1, keepdim=True)
    typical = lengths.quantile(0.9).clamp(min=1e-12)
    ends = points + LONGEST * pull / torch.maximum(lengths, typical)
    for start, end in zip(_pixels(points), _pixels(ends), strict=True):
        length = float(np.hypot(end[0] - start[0], end[1] - start[1])) / 16
        if length > 3 * FINE:
            cv2.arrowedLine(plane, start, end, PULL, FINE, cv2.LINE_AA, 4, min(0.4, 5 * FINE / length))


def _pixels(points: Tensor) -> list[tuple[int, int]]:
    """Places of points in 16ths of a fine pixel; those far outside are kept just outside."""
    near = (points.double() / VIEW).clamp(-1.5, 1.5)
    places = torch.stack([near[:, 0] + 1, 1 - near[:, 1]], dim=1) / 2 * SIDE * FINE * 16
    return [(round(x), round(y)) for x, y in places.tolist()]


def _write(
    canvas: np.ndarray, text: str, x: int, y: int, colour: tuple[int, int, int], *, to_the_left: bool = False
) -> None:
    scale = 0.42 * FINE
    width = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, 1)[0][0] if to_the_left else 0
    cv2.putText(canvas, text, (x * FINE - width, y * FINE), cv2.FONT_HERSHEY_DUPLEX, scale, colour, 1, cv2.LINE_AA)
