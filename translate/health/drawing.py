"""A picture of a run's health: small charts over the steps, with bands where training was sick."""

from collections.abc import Sequence

import cv2
import numpy as np

from translate.health.charts import CHARTS, Chart, Curve, Scale, curves
from translate.health.history import Change, Line, changes, now, standing
from translate.health.rules import sure
from translate.images import Picture

WIDTH, HEIGHT = 1200, 216
"""Pixels of the picture and of a chart, titles included."""
MARGIN, LEFT, RIGHT, TOP, BOTTOM = 20, 58, 12, 34, 24
FINE = 2
"""Times finer than it is shown the picture is drawn: letters and curves come out smooth."""
INK, PALE, RULE, PAPER = (45, 45, 50), (120, 120, 128), (226, 226, 230), (255, 255, 255)
COLOURS = ((33, 102, 172), (214, 96, 30), (27, 138, 90), (150, 70, 160), (120, 90, 40), (90, 90, 95))
SICK, WARNING = (252, 224, 222), (253, 240, 212)
WELL, AILING, GRAVELY, UNSURE = (190, 226, 200), (243, 190, 86), (222, 98, 90), (212, 212, 216)
GRAVE = frozenset({"exploding", "collapse", "dead discriminator", "frozen discriminator", "inverted", "wrong range"})

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]


def draw(lines: Sequence[Line], title: str) -> Picture:
    """The charts for which `lines` of health.jsonl, at least one, have figures, 1200 pixels wide.

    What was undone by going back is not drawn; dashes mark the step that the run went on from.
    """
    kept = standing(lines)
    charts = [(chart, found) for chart in CHARTS if (found := curves(chart, kept))]
    told = [change for change in changes(lines) if change.verdict != "healthy"][-6:]
    head = 84 + 19 * len(told)
    rows = (len(charts) + 1) // 2
    canvas = np.full(((head + rows * HEIGHT + MARGIN) * FINE, WIDTH * FINE, 3), PAPER, np.uint8)
    steps = Scale.of([float(line["step"]) for line in lines] + [0.0], tight=True)
    _head(canvas, title, lines, told, steps)
    for place, (chart, found) in enumerate(charts):
        half = (WIDTH - 3 * MARGIN) // 2
        x, y = MARGIN + place % 2 * (half + MARGIN), head + place // 2 * HEIGHT
        box = (x + LEFT, y + TOP, x + half - RIGHT, y + HEIGHT - BOTTOM)
        _chart(canvas, box, chart, found, lines, steps)
        for back in sorted({line["back_to"] for line in lines if "back_to" in line}):
            _dashes(canvas, box, _across(box, steps, back))
    return Picture(pixels=cv2.resize(canvas, None, fx=1 / FINE, fy=1 / FINE, interpolation=cv2.INTER_AREA))


def _head(canvas: np.ndarray, title: str, lines: Sequence[Line], told: Sequence[Change], steps: Scale) -> None:
    """The title, a bar of all verdicts, grey where it is too early for one, and the last of them in words."""
    step, verdict = now(lines)
    _text(canvas, title, MARGIN, 30, size=0.62)
    _text(canvas, f"step {step}: {verdict}", WIDTH - MARGIN, 30, size=0.5, align=1.0)
    bar = (MARGIN, 44, WIDTH - MARGIN, 56)
    _fill(canvas, bar, WELL)
    if young := unsure(lines):
        _fill(canvas, (bar[0], bar[1], _across(bar, steps, young), bar[3]), UNSURE)
    for start, end, verdict in sick_spans(lines):
        deep = GRAVELY if verdict in GRAVE else AILING
        _fill(canvas, (_across(bar, steps, start), bar[1], _across(bar, steps, end), bar[3]), deep)
    for place, change in enumerate(told):
        text = f"step {change.step}: {change.verdict}{change.back}" + (f": {change.cause}" if change.cause else "")
        _text(canvas, _fitted(text, WIDTH - 2 * MARGIN, 0.42), MARGIN, 76 + 19 * place, size=0.42)


def sick_spans(lines: Sequence[Line]) -> list[tuple[float, float, str]]:
    """From which step to which training was sick, and how; a window begins where the one before ended.

    What was undone by going back does not count.
    """
    found: list[tuple[float, float, str]] = []
    before = 0.0
    for line in standing(lines):
        step = float(line["step"])
        if line["verdict"] != "healthy":
            if found and found[-1][1:] == (before, line["verdict"]):
                found[-1] = (found[-1][0], step, line["verdict"])
            else:
                found.append((before, step, line["verdict"]))
        before = step
    return found


def unsure(lines: Sequence[Line]) -> float:
    """The last step until which it was too early to tell."""
    kept = standing(lines)
    first = next((count for count in range(len(kept)) if sure(kept[: count + 1])), len(kept))
    return float(kept[first - 1]["step"]) if first else 0.0


def _chart(
    canvas: np.ndarray, box: Box, chart: Chart, found: Sequence[Curve], lines: Sequence[Line], steps: Scale
) -> None:
    left, top, right, bottom = box
    scale = chart.scale(found)
    for start, end, verdict in sick_spans(lines):
        _fill(canvas, (_across(box, steps, start), top, _across(box, steps, end), bottom), _tint(verdict))
    for value, label in scale.ticks(5):
        y = _down(box, scale, value)
        _line(canvas, [(left, y), (right, y)], RULE)
        _text(canvas, label, left - 6, y + 4, size=0.36, colour=PALE, align=1.0)
    for value, label in steps.ticks(6):
        x = _across(box, steps, value)
        _line(canvas, [(x, bottom), (x, bottom + 4)], PALE)
        _text(canvas, label, x, bottom + 17, size=0.36, colour=PALE, align=0.5)
    if chart.guide is not None:
        _line(canvas, [(left, y := _down(box, scale, chart.guide)), (right, y)], PALE)
    for curve, colour in zip(found, COLOURS, strict=False):
        _curve(canvas, box, scale, steps, curve, colour)
    _line(canvas, [(left, top), (left, bottom), (right, bottom)], PALE)
    x = left + _text(canvas, chart.title, left, top - 10, size=0.46) + 18
    for curve, colour in zip(found, COLOURS, strict=False):
        _line(canvas, [(x, top - 14), (x + 14, top - 14)], colour, 2)
        x += 20 + _text(canvas, curve.name, x + 18, top - 10, size=0.38, colour=PALE) + 12


def _curve(canvas: np.ndarray, box: Box, scale: Scale, steps: Scale, curve: Curve, colour: Colour) -> None:
    """The values as a line, with their interval as a band where there is one."""
    xs = [_across(box, steps, step) for step in curve.steps]
    if curve.low and curve.high:
        edge = [_down(box, scale, value) for value in (*curve.high, *reversed(curve.low))]
        _band(canvas, list(zip([*xs, *reversed(xs)], edge, strict=True)), colour)
    points = [(x, _down(box, scale, value)) for x, value in zip(xs, curve.values, strict=True)]
    _line(canvas, points, colour, 1.5)
    if len(curve.steps) <= 40:
        for x, y in points:
            cv2.circle(canvas, (round(x * FINE), round(y * FINE)), 5, colour, -1, cv2.LINE_AA)


# Drawing, in pixels as they are shown


def _across(box: Box, scale: Scale, value: float) -> float:
    return box[0] + scale.place(value) * (box[2] - box[0])


def _down(box: Box, scale: Scale, value: float) -> float:
    return box[3] - scale.place(value) * (box[3] - box[1])


def _tint(verdict: str) -> Colour:
    return SICK if verdict in GRAVE else WARNING


def _fill(canvas: np.ndarray, box: tuple[float, float, float, float], colour: Colour) -> None:
    left, top, right, bottom = (round(value * FINE) for value in box)
    canvas[top:bottom, left : max(right, left + FINE)] = colour


def _line(canvas: np.ndarray, points: Sequence[tuple[float, float]], colour: Colour, width: float = 0.5) -> None:
    drawn = np.round(np.array(points) * FINE).astype(np.int32)
    cv2.polylines(canvas, [drawn], False, colour, max(round(width * FINE), 1), cv2.LINE_AA)


def _dashes(canvas: np.ndarray, box: Box, x: float) -> None:
    for top in range(box[1], box[3] - 3, 8):
        _line(canvas, [(x, top), (x, top + 4)], INK, 1.0)


def _band(canvas: np.ndarray, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    filled = canvas.copy()
    cv2.fillPoly(filled, [np.round(np.array(points) * FINE).astype(np.int32)], colour, cv2.LINE_AA)
    cv2.addWeighted(filled, 0.2, canvas, 0.8, 0, canvas)


def _text(
    canvas: np.ndarray, text: str, x: float, y: float, *, size: float, colour: Colour = INK, align: float = 0.0
) -> int:
    """Write on the line `y`, `align` of the width to the left of `x`; returns the width."""
    width = _width(text, size)
    place = (round((x - align * width) * FINE), round(y * FINE))
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, size * FINE, colour, FINE, cv2.LINE_AA)
    return width


def _width(text: str, size: float) -> int:
    return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size * FINE, FINE)[0][0] // FINE


def _fitted(text: str, width: int, size: float) -> str:
    if _width(text, size) <= width:
        return text
    while _width(text + " ...", size) > width:
        text = text[:-1]
    return text + " ..."
