"""translate evaluate: figures against values worked by hand, what is left out is named, nothing is lost at the end."""

import json
import math
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import call  # noqa: F401 (a fixture)
from test_colorize import in_colour, photograph, saved, sepia

from translate.checkpoint import About
from translate.colour.lab import to_lab
from translate.config import Direction
from translate.errors import ConfigError, DataError
from translate.evaluate import evaluate
from translate.images import Picture, read, read_pixels, to_tensor, write
from translate.loading import load
from translate.metrics.colour_distance import features
from translate.rendering import Colouring

RED, BLUE = (80.11, 67.22), (79.19, -107.86)  # a* and b* as published


class StandIn:
    """Of a translator what evaluate uses: it gives the truth that its grey input was made from, or the input."""

    rendering = Colouring(32, 1)
    about = About("colorize", "AtoB", (1, 3), 32)

    def __init__(self, folder: Path, perfect: bool) -> None:
        self.truths = [read_pixels(path) for path in sorted(folder.glob("*.png"))]
        self.perfect = perfect
        self.seen: list[np.ndarray] = []

    def checked(self, direction: Direction | None) -> Direction:
        return direction or "AtoB"

    def translate(self, pixels: list[np.ndarray], direction: Direction | None = None) -> list[np.ndarray]:
        self.seen += pixels
        if not self.perfect:
            return [np.repeat(pixels[0], 3, axis=2)]
        return [self.truths[len(self.seen) - 1]]


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """Three pictures, of which the left part is red and the rest blue: half, a quarter and three quarters."""
    (tmp_path / "coloured").mkdir()
    for index, edge in enumerate((8, 4, 12)):
        pixels = np.full((16, 16, 3), (0, 0, 255), np.uint8)
        pixels[:, :edge] = (255, 0, 0)
        write(tmp_path / "coloured" / f"{index}.png", Picture(pixels))
    return tmp_path / "coloured"


def off_grey(colour: tuple[float, float]) -> float:
    """CIEDE2000 of a colour from the grey of its own light: only chroma differs."""
    c = math.hypot(*colour)
    g = 0.5 * (1 - math.sqrt((c / 2) ** 7 / ((c / 2) ** 7 + 25**7)))
    c = math.hypot((1 + g) * colour[0], colour[1])
    return c / (1 + 0.045 * c / 2)


def unbiased(x: np.ndarray, y: np.ndarray) -> float:
    """MMD^2 of the same pictures with the kernel (x . y / D + 1)^3, sum by sum."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    def within(rows: np.ndarray) -> float:
        pairs = [(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
        return sum(kernel(a, b) for a, b in pairs) / len(pairs)

    across = [kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(y) if i != j]
    return within(x) + within(y) - 2 * sum(across) / len(across)


def test_a_perfect_and_a_grey_model_by_hand(coloured: Path):
    perfect, grey = (evaluate(StandIn(coloured, each), coloured) for each in (True, False))  # type: ignore[arg-type]
    assert perfect.count == grey.count == 3 and perfect.notices == []
    assert perfect.scores["ab_psnr"] == 100 and perfect.scores["delta_e"] == 0
    assert perfect.scores["colourfulness_ratio"] == pytest.approx(1) and perfect.scores["near_grey"] == 0
    shares = (0.5, 0.25, 0.75)
    squares = [s * (RED[0] ** 2 + RED[1] ** 2) / 2 + (1 - s) * (BLUE[0] ** 2 + BLUE[1] ** 2) / 2 for s in shares]
    by_hand = {
        "ab_psnr": np.mean([10 * math.log10(220**2 / square) for square in squares]),
        "delta_e": np.mean([s * off_grey(RED) + (1 - s) * off_grey(BLUE) for s in shares]),
        "colourfulness_ratio": 0,
        "near_grey": 1,
    }
    for scores in (grey.scores, grey.inputs, perfect.inputs):
        assert {name: scores[name] for name in by_hand} == pytest.approx(by_hand, abs=0.02)
    truths = np.concatenate([features(to_tensor(read_pixels(path))[None]).double() for path in coloured.glob("*.png")])
    assert perfect.scores["colour_distance"] == pytest.approx(unbiased(truths, truths), abs=1e-6)
    assert perfect.scores["colour_distance"] < grey.scores["colour_distance"] == grey.inputs["colour_distance"]


def test_a_colorizer_sees_light_alone(coloured: Path):
    model = StandIn(coloured, perfect=False)
    evaluate(model, coloured)  # type: ignore[arg-type]
    for seen, truth in zip(model.seen, model.truths, strict=True):
        assert seen.shape == (16, 16, 1)
        one, two = (
            to_lab(to_tensor(np.repeat(each, 4 - each.shape[2], 2)[..., :3])[None])[0] for each in (seen, truth)
        )
        assert (one - two).abs().max() < 0.25


def test_one_picture_has_no_distance_between_sets(coloured: Path):
    for path in sorted(coloured.glob("*.png"))[1:]:
        path.unlink()
    assert "colour_distance" not in evaluate(StandIn(coloured, True), coloured).scores  # type: ignore[arg-type]


def test_what_is_grey_or_broken_is_left_out_and_named(call: Any, coloured: Path, tmp_path: Path):  # noqa: F811
    model = saved(tmp_path / "model.safetensors")
    alone = evaluate(load(model, "cpu"), coloured)
    write(coloured / "grey.png", Picture(photograph()))
    write(coloured / "sepia.png", Picture(sepia(photograph())))
    (coloured / "broken.png").write_bytes(b"nothing")
    (coloured / "cut.png").write_bytes((coloured / "0.png").read_bytes()[:60])
    found = evaluate(load(model, "cpu"), coloured)
    assert found.scores == alone.scores and found.count == 3 and len(found.notices) == 4
    code, text = call("evaluate", model, coloured, "--device", "cpu", "--report", tmp_path / "new" / "report.json")
    assert code == 0 and "3 images" in text, text
    for name in ("grey.png", "sepia.png", "broken.png", "cut.png"):
        assert name in text
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert report["images"] == 3 and report["scores"] == found.scores and report["inputs"] == found.inputs
    for path in [*coloured.glob("[0-9].png")]:
        path.unlink()
    code, text = call("evaluate", model, coloured, "--device", "cpu")
    assert code == 2 and "nothing to compare with" in text and "grey.png" in text


def test_a_grid_shows_input_ours_and_truth(call: Any, tmp_path: Path):  # noqa: F811
    model = saved(tmp_path / "model.safetensors")
    for seed in range(10):
        (tmp_path / "photos").mkdir(exist_ok=True)
        write(tmp_path / "photos" / f"{seed}.png", Picture(in_colour(seed=seed)))
    grid = tmp_path / "new" / "grid.png"
    code, text = call("evaluate", model, tmp_path / "photos", "--device", "cpu", "--grid", grid)
    assert code == 0 and "10 images" in text and "colour_distance" in text and f"Look: {grid}" in text
    pixels, width = read(grid).pixels, round(56 * 256 / 40)
    assert pixels.shape == (18 + 8 * (256 + 4), 3 * width + 2 * 4, 3)
    first, last = pixels[18 : 18 + 256, :width], pixels[18 : 18 + 256, -width:]
    assert np.ptp(first.astype(int), axis=2).max() <= 1 < np.ptp(last.astype(int), axis=2).max()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grid", "{tmp}/grid.xyz"], "grid.xyz"),
        (["--grid", "{tmp}/grid"], "without suffix"),
        (["--report", "{tmp}/report.txt"], ".json"),
        (["--split", "val"], "no split val"),
        (["--direction", "BtoA"], "not BtoA"),
        (["--backend", "magic"], "magic"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_computed(
    call: Any,  # noqa: F811
    coloured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
):
    def never(*args: Any, **more: Any) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr("translate.rendering.colouring.Colouring.run", never)
    given = [word.format(tmp=tmp_path) for word in words]
    code, text = call("evaluate", saved(tmp_path / "m.safetensors"), coloured, "--device", "cpu", *given)
    assert code == 2 and said in text and "Traceback" not in text, text


def test_pairs_are_scored_as_they_lie(pairs: Path):
    identity = load("identity")
    found = evaluate(identity, pairs)
    expected = []
    for path in sorted((pairs / "val").glob("*.png")):
        both = read_pixels(path).astype(np.float64) / 255
        expected.append(-10 * math.log10(np.square(both[:, :16] - both[:, 16:]).mean()))
    assert found.count == 4 and found.scores["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert found.scores == found.inputs and found.scores.keys() == {"psnr", "ssim", "l1"}
    assert evaluate(identity, pairs, split="train").count == 8
    shutil.rmtree(pairs / "val")
    assert evaluate(identity, pairs).count == 8
    (pairs / "train" / "0.png").write_bytes(b"nothing")
    left = evaluate(identity, pairs)
    assert left.count == 7 and any("0.png" in text for text in left.notices)


def test_what_does_not_fit_is_refused(coloured: Path, folders: Path, pairs: Path, tmp_path: Path):
    colorizer = load(saved(tmp_path / "model.safetensors"), "cpu")
    with pytest.raises(DataError, match="nowhere"):
        evaluate(colorizer, tmp_path / "nowhere")
    with pytest.raises(DataError, match="do not match"):
        evaluate(load("identity"), folders)
    with pytest.raises(ConfigError, match="not BtoA"):
        evaluate(colorizer, coloured, direction="BtoA")
    assert evaluate(colorizer, folders).count == 6  # testA and testB
    with pytest.raises(DataError, match="no split test"):
        evaluate(colorizer, pairs, split="test")


def test_nothing_is_fetched(coloured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def never(*args: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    assert evaluate(load(saved(tmp_path / "model.safetensors"), "cpu"), coloured).count == 3


@pytest.mark.parametrize("mode", ["style", "adain"])
def test_a_painted_picture_has_no_truth(coloured: Path, mode: str):
    model = StandIn(coloured, perfect=False)
    model.about = About(mode, "AtoB", (3, 3), 16)
    with pytest.raises(ConfigError, match=f"--mode {mode} has no truth.*`translate info`"):
        evaluate(model, coloured)  # type: ignore[arg-type]
    assert not model.seen
