"""Colour hints: simulated ones, those of files, how a network sees them, and that they hold in the result."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from translate.colour.hint_files import MOST_HINTS, Hints, as_channels, check_hints, find_hints, read_hints
from translate.colour.hints import fit_correction
from translate.colour.simulated import REVEALED, WITHOUT, largest_patch, simulate_hints
from translate.errors import DataError

RED, GREEN, BLUE = (80.11, 67.22), (-86.18, 83.18), (79.19, -107.86)  # a* and b* as published


def chroma_like(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 2, height, width, generator=torch.Generator().manual_seed(0)) * 100 - 50


def test_simulated_hints_are_as_many_as_their_distributions_say():
    torch.manual_seed(0)
    hints = torch.cat([simulate_hints(chroma_like(1, 64, 64).expand(1000, -1, -1, -1)) for _ in range(8)])
    covered = hints[:, 2].mean(dim=(1, 2))
    assert abs((covered == 0).float().mean() - WITHOUT) < 0.02
    assert abs((covered == 1).float().mean() - REVEALED) < 0.004
    # Patches of 1 and 2 pixels a side cover 2.5 pixels on average; 8 of them, the few that overlap put off, 20.
    some = covered[(covered > 0) & (covered < 1)] * 64**2
    assert 18.5 < some.mean() < 20
    # Around the middle: a normal distribution has 0.683 within one standard deviation, a quarter of the side.
    mask = hints[(covered > 0) & (covered < 1), 2].sum(dim=0)
    assert abs(mask[16:48].sum() / mask.sum() - 0.683) < 0.02 and abs(mask[:, 16:48].sum() / mask.sum() - 0.683) < 0.02


def test_the_mask_says_where_chroma_is_revealed():
    chroma = chroma_like(200, 40, 64) + 60  # nowhere 0
    hints = simulate_hints(chroma, torch.Generator().manual_seed(1))
    assert hints.shape == (200, 3, 40, 64) and hints.dtype == torch.float32
    assert set(hints[:, 2].unique().tolist()) == {0, 1}
    assert ((hints[:, :2] != 0) == (hints[:, 2:] == 1)).all()
    full = hints[:, 2].flatten(1).min(dim=1).values == 1
    assert full.any() and torch.equal(hints[full, :2], chroma[full] / 110)


def test_a_patch_reveals_its_mean():
    """Patches that stand alone, found again in the mask."""
    chroma, seen = chroma_like(100, 256, 256), set()
    hints = simulate_hints(chroma, torch.Generator().manual_seed(2))
    for image, hint in zip(chroma, hints, strict=True):
        _, _, boxes, _ = cv2.connectedComponentsWithStats(hint[2].numpy().astype(np.uint8))
        for left, top, width, height, area in boxes[1:].tolist():
            window = slice(top, top + height), slice(left, left + width)
            if area > 81 or area != height * width or height != width:
                continue
            if not (hint[:, *window] == hint[:, top, left][:, None, None]).all():
                continue  # two that touch
            assert torch.allclose(hint[:2, top, left], image[:, *window].mean(dim=(1, 2)) / 110, atol=1e-5)
            seen.add(width)
    assert seen == set(range(1, 10))


def test_simulated_hints_follow_from_the_seed():
    chroma = chroma_like(16, 32, 48)
    torch.manual_seed(5)
    one, two = simulate_hints(chroma), simulate_hints(chroma)
    torch.manual_seed(5)
    assert torch.equal(simulate_hints(chroma), one) and not torch.equal(one, two)
    state = torch.get_rng_state()
    assert torch.equal(simulate_hints(chroma, torch.Generator().manual_seed(5)), one)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 200), (3, 5, 4), (0, 8, 8), (2, 512, 300)])
def test_simulated_hints_of_odd_sizes(shape: tuple[int, int, int]):
    torch.manual_seed(0)
    for _ in range(20):
        assert torch.isfinite(simulate_hints(chroma_like(*shape))).all()


def test_patches_shrink_with_the_picture():
    assert [largest_patch(side, 1000) for side in (16, 64, 128, 256, 512)] == [1, 2, 4, 9, 9]


def written(folder: Path, what: object) -> Path:
    path = folder / "hints.json"
    path.write_text(what if isinstance(what, str) else json.dumps(what), encoding="utf-8")
    return path


def drawn(folder: Path, pixels: np.ndarray, name: str = "hints.png") -> Path:
    """A PNG of (H, W, C) in RGB order."""
    order = [2, 1, 0, 3][: pixels.shape[2]]
    assert cv2.imwrite(str(folder / name), np.ascontiguousarray(pixels[..., order]))
    return folder / name


def test_hints_from_json(tmp_path: Path):
    listed = [
        {"x": 0, "y": 0, "colour": "#f00"},
        {"x": 29, "y": 19, "color": "#00FF00"},
        {"x": 3.7, "y": 4, "colour": "Blue"},
        {"x": 4, "y": 4, "colour": [255, 0, 0]},
        {"x": 5, "y": 4, "colour": "grey"},
    ]
    for what in (listed, {"hints": listed}, {"hints": listed, "unit": "pixel"}, "\ufeff" + json.dumps(listed)):
        hints = read_hints(written(tmp_path, what), 20, 30)
        assert hints.places.dtype == hints.chroma.dtype == np.float32
        assert hints.places.tolist() == [[0.5, 0.5], [19.5, 29.5], [4.5, 3.5], [4.5, 4.5], [4.5, 5.5]]
        assert hints.pixels.tolist() == [[0, 0], [19, 29], [4, 3], [4, 4], [4, 5]]
        assert np.allclose(hints.chroma, [RED, GREEN, BLUE, RED, (0, 0)], atol=0.15)


def test_hints_from_json_in_shares_of_the_sides(tmp_path: Path):
    corners = [{"x": x, "y": y, "colour": "red"} for x, y in [(0, 0), (1, 1), (0.5, 0.25), (0.999, 0)]]
    path = written(tmp_path, {"unit": "relative", "hints": corners})
    assert read_hints(path, 20, 30).places.tolist() == [[0.5, 0.5], [19.5, 29.5], [5.5, 15.5], [0.5, 29.5]]
    assert read_hints(path, 1, 1).places.tolist() == [[0.5, 0.5]] * 4


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("{'x': 1}", "is not JSON"),
        ([], "has 0 hints. It takes 1 to 500"),
        ({"hints": []}, "has 0 hints"),
        ([{"x": 1, "y": 1, "colour": "red"}] * (MOST_HINTS + 1), "has 501 hints. It takes 1 to 500"),
        (3, "has no list of hints"),
        ({"hint": []}, "has no list of hints"),
        ({"hints": [], "units": "relative"}, "unknown key 'units'. Did you mean 'unit'"),
        ({"hints": [], "unit": "percent"}, "unit 'percent' is not known"),
        ([{"x": 1, "y": 1, "colour": "red"}, 5], "hint 2 of 2 is 5"),
        ([{"x": 1, "colour": "red"}], "hint 1 of 1 has no y"),
        ([{"y": 1, "colour": "red"}], "hint 1 of 1 has no x"),
        ([{"x": 1, "y": 1}], "hint 1 of 1 has no colour"),
        ([{"x": 1, "y": 1, "color": "red", "colour": "red"}], "hint 1 of 1 has two colours"),
        ([{"x": 1, "y": 1, "colour": "red", "unit": "relative"}], "unknown key 'unit'"),
        ([{"x": 30, "y": 1, "colour": "red"}], "x = 30 lies outside of the picture. It takes a number from 0 to 29"),
        ([{"x": 1, "y": -0.1, "colour": "red"}], "y = -0.1 lies outside of the picture. It takes a number from 0"),
        ([{"x": float("nan"), "y": 1, "colour": "red"}], "x = nan lies outside"),
        ({"unit": "relative", "hints": [{"x": 1.1, "y": 1, "colour": "red"}]}, "takes a number from 0 to 1."),
        ([{"x": "1", "y": 1, "colour": "red"}], "x is '1'. It takes a number"),
        ([{"x": True, "y": 1, "colour": "red"}], "x is True"),
        ([{"x": 1, "y": 1, "colour": "redd"}], "colour 'redd' is not known"),
        ([{"x": 1, "y": 1, "colour": "#ff00ff80"}], "colour '#ff00ff80' will not do"),
        ([{"x": 1, "y": 1, "colour": [1, 2]}], "colour [1, 2] will not do"),
        ([{"x": 1, "y": 1, "colour": [1, 2, 256]}], "colour [1, 2, 256] will not do"),
        ([{"x": 1, "y": 1, "colour": 7}], "colour 7 will not do"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_hints_in_json(tmp_path: Path, what: object, said: str):
    path = written(tmp_path, what)
    with pytest.raises(DataError) as caught:
        read_hints(path, 20, 30)
    assert str(path) in str(caught.value) and said in str(caught.value)
    if not isinstance(what, list) or what[:1] != [{"x": 30, "y": 1, "colour": "red"}]:
        with pytest.raises(DataError, match=r"hints.json"):
            check_hints(path)


def test_hints_in_one_pixel_that_contradict_each_other(tmp_path: Path):
    colours = ("red", "red", "teal")
    pixels = [{"x": x, "y": 4, "colour": colour} for x, colour in zip((3, 9, 3.9), colours, strict=True)]
    shares = [{"x": x, "y": 0.2, "colour": colour} for x, colour in zip((0.1, 0.2, 0.1), colours, strict=True)]
    for what in (pixels, {"unit": "relative", "hints": shares}):
        path = written(tmp_path, what)
        for read in (check_hints, lambda path: read_hints(path, 20, 30)):
            with pytest.raises(DataError, match="hints 1 and 3 of 3 lie in one pixel .*'red'.* and .*'teal'"):
                read(path)
    alike = [{"x": 3, "y": 4, "colour": colour} for colour in ("black", "#808080", "#828081")]
    assert len(read_hints(written(tmp_path, alike), 20, 30).places) == 3
    # Shares of the sides may meet in one pixel on a small picture only.
    near = [{"x": 0.1, "y": 0.1, "colour": "red"}, {"x": 0.2, "y": 0.1, "colour": "teal"}]
    path = written(tmp_path, {"unit": "relative", "hints": near})
    check_hints(path)
    assert len(read_hints(path, 20, 30).places) == 2
    with pytest.raises(DataError, match="hints 1 and 2 of 2 lie in one pixel"):
        read_hints(path, 4, 4)


def test_what_could_be_right_on_some_picture_is_not_refused_without_one(tmp_path: Path):
    check_hints(written(tmp_path, [{"x": 100_000, "y": 0, "colour": "red"}]))
    check_hints(drawn(tmp_path, np.eye(30, dtype=np.uint8)[..., None].repeat(4, axis=2) * 255))
    for value in (-1, float("inf"), 10**400):
        with pytest.raises(DataError, match="lies outside of the picture. It takes a number from 0 on"):
            check_hints(written(tmp_path, [{"x": value, "y": 0, "colour": "red"}]))


@pytest.mark.parametrize(
    ("names", "photograph", "expected"),
    [
        (["0000.json"], "0000.png", "0000.json"),
        (["0000.png.json"], "0000.png", "0000.png.json"),
        (["0000.jpg.json"], "0000.png", None),
        (["0000.PNG.Json", "0000.json"], "0000.PNG", "0000.PNG.Json"),
        (["0000.png", "0000.Json"], "0000.jpg", "0000.Json"),
        (["0000.TiFF"], "0000.jpg", "0000.TiFF"),
        (["0000.JSON", "0000.json"], "0000.jpg", "0000.json"),
        (["sub/0000.jpg.png"], "sub/0000.jpg", "sub/0000.jpg.png"),
        (["0000.json"], "sub/0000.jpg", None),
        (["0000.txt", "0000.jpg"], "0000.png", None),
        (["a.b.json"], "a.b.png", "a.b.json"),
    ],
)
def test_hints_are_named_as_their_photograph(tmp_path: Path, names: list[str], photograph: str, expected: str | None):
    source = tmp_path / "photo.jpg"
    source.touch()
    for name in names:
        (tmp_path / "hints" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "hints" / name).touch()
    found = find_hints(tmp_path / "hints", photograph, source)
    assert found == (expected and tmp_path / "hints" / expected)


def test_no_photograph_is_its_own_hint_and_new_hints_are_seen(tmp_path: Path):
    (tmp_path / "a.png").touch()
    assert find_hints(tmp_path, "a.png", tmp_path / "a.png") is None
    os.utime(tmp_path, ns=(0, 0))  # as if that were long ago
    assert find_hints(tmp_path, "a.png", tmp_path / "a.png") is None
    (tmp_path / "a.json").touch()
    assert find_hints(tmp_path, "a.png", tmp_path / "a.png") == tmp_path / "a.json"


def test_files_that_are_not_there_or_no_text(tmp_path: Path):
    for name in ("none.json", "none.png"):
        with pytest.raises(DataError, match=f"{name}.*Hints are a .json file or a picture"):
            read_hints(tmp_path / name, 20, 30)
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="odd.json is not JSON"):
        read_hints(tmp_path / "odd.json", 20, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hints_from_a_picture(tmp_path: Path, dtype):
    most = np.iinfo(dtype).max
    pixels = np.zeros((40, 60, 4), dtype)
    pixels[3, 5] = (most, 0, 0, most)
    pixels[20:23, 30:33] = (0, most, 0, most)
    pixels[20:23, 33:36] = (0, 0, most, most // 2 + 1)  # touches, in another colour
    pixels[0, 59] = (most, most, most, most // 2)  # too faint
    hints = read_hints(drawn(tmp_path, pixels), 40, 60)
    order = np.argsort(hints.places[:, 1])
    assert hints.places[order].tolist() == [[3.5, 5.5], [21.5, 31.5], [21.5, 34.5]]
    assert np.allclose(hints.chroma[order], [RED, GREEN, BLUE], atol=0.15)
    # On a photograph ten times larger the middle of the pixel 3, 5 is at 35, 55.
    assert [35.5, 55.5] in read_hints(tmp_path / "hints.png", 400, 600).places.tolist()
    assert [1.5, 2.5] in read_hints(tmp_path / "hints.png", 20, 30).places.tolist()


def test_grey_hints_are_hints(tmp_path: Path):
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[5, 5] = (90, 90, 90, 255)
    hints = read_hints(drawn(tmp_path, pixels), 10, 10)
    assert hints.places.tolist() == [[5.5, 5.5]] and np.allclose(hints.chroma, 0, atol=0.02)


def test_a_large_area_gives_a_hint_a_cell(tmp_path: Path):
    pixels = np.zeros((320, 320, 4), np.uint8)  # cells of 10 pixels
    pixels[100:140, 50:200] = (255, 0, 0, 255)
    hints = read_hints(drawn(tmp_path, pixels), 320, 320)
    assert len(hints.places) == 4 * 15 and np.allclose(hints.chroma, RED, atol=0.15)
    # A small area that lies across four cells is one hint nevertheless.
    pixels[100:140, 50:200] = 0
    pixels[95:105, 95:105] = (255, 0, 0, 255)
    assert len(read_hints(drawn(tmp_path, pixels), 320, 320).places) == 1


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_noise_gives_no_more_than_the_most(tmp_path: Path, share: float):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (300, 200, 4), dtype=np.uint8)
    pixels[..., 3] = 255 * (random.random((300, 200)) < share)
    hints = read_hints(drawn(tmp_path, pixels), 600, 400)
    assert 50 < len(hints.places) <= MOST_HINTS and np.isfinite(hints.chroma).all()
    rows, columns = (hints.pixels // 2).T
    assert (pixels[rows, columns, 3] == 255).all()


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((20, 30, 3), np.uint8), "no alpha channel, so nothing says where"),
        (np.zeros((20, 30, 4), np.uint8), "transparent everywhere"),
        (np.full((20, 30, 4), 127, np.uint8), "transparent everywhere: no pixel is half opaque"),
        (np.full((20, 30, 4), 255, np.uint8), "opaque everywhere"),
        (np.eye(30, dtype=np.uint8)[..., None].repeat(4, axis=2) * 255, "30 x 30 pixels, in other proportions"),
    ],
)
def test_what_is_wrong_with_hints_in_a_picture(tmp_path: Path, pixels: np.ndarray, said: str):
    path = drawn(tmp_path, pixels)
    with pytest.raises(DataError) as caught:
        read_hints(path, 20, 30)
    assert str(path) in str(caught.value) and said in str(caught.value)
    if "proportions" not in said:
        with pytest.raises(DataError) as caught:
            check_hints(path)
        assert str(path) in str(caught.value) and said in str(caught.value)


def test_small_pictures_of_hints_may_be_rounded(tmp_path: Path):
    pixels = np.zeros((32, 43, 4), np.uint8)  # of 3000 x 4000: 42.67
    pixels[31, 42] = 255
    assert (read_hints(drawn(tmp_path, pixels), 3000, 4000).places < (3000, 4000)).all()


def hints_at(*listed: tuple[float, float, float, float]) -> Hints:
    """Of (row, column, a*, b*)."""
    values = np.array(listed, np.float32).reshape(-1, 4)
    return Hints(values[:, :2], values[:, 2:])


def test_channels_of_hints():
    hints = hints_at((0.5, 0.5, 110, 0), (1.5, 0.5, 0, 55), (399.5, 599.5, -110, -110))
    channels = as_channels(hints, 20, 30, 400, 600)
    assert channels.shape == (20, 30, 3) and channels.dtype == np.float32
    expected = np.zeros((20, 30, 3), np.float32)
    expected[0, 0], expected[19, 29] = (0.5, 0.25, 1), (-1, -1, 1)
    assert np.allclose(channels, expected)


def test_channels_cover_a_hundredth_of_the_side():
    channels = as_channels(hints_at((50.5, 100.5, 22, 0), (0.5, 0.5, 22, 0)), 300, 400, 300, 400)
    expected = np.zeros((300, 400), np.float32)
    expected[49:52, 99:102] = expected[0:3, 0:3] = 1
    assert np.array_equal(channels[..., 2], expected) and np.allclose(channels[..., 0], expected * 0.2)


def scene(height: int = 120, width: int = 160) -> tuple[torch.Tensor, torch.Tensor]:
    """Light (H, W) with an edge and noise, and chroma (2, H, W)."""
    random = torch.Generator().manual_seed(0)
    light = torch.rand(height, width, generator=random) * 6 + 40
    light[:, width // 2 :] += 40
    return light, torch.randn(2, height, width, generator=random) * 5 + 10


def corrected(hints: Hints, light: torch.Tensor, chroma: torch.Tensor, **how: float) -> torch.Tensor:
    rows, columns = hints.pixels.T
    there = chroma[:, rows, columns].T.numpy()
    return fit_correction(hints, light[rows, columns].numpy(), there, *light.shape, **how)(light, chroma)


CLUSTERS = {
    "one": [(60.5, 80.5, 50, -30)],
    "corners": [(0.5, 0.5, 50, 0), (0.5, 159.5, -50, 0), (119.5, 0.5, 0, 50), (119.5, 159.5, 0, -50)],
    "neighbours": [(50.5, 50.5, 60, 0), (50.5, 51.5, -60, 0), (51.5, 50.5, 0, 60), (51.5, 51.5, 0, -60)],
    "four apart": [(50.5, 30.5 + 4 * k, 60 * (-1) ** k, 40) for k in range(20)],
    "a block": [(40.5 + r, 20.5 + c, 7 * r - 50, 5 * c) for r in range(15) for c in range(15)],
    "agreeing": [(40.5 + r, 20.5 + c, 50, 50) for r in range(9) for c in range(9)],
    "across the edge": [(60.5, 79.5, 60, 60), (60.5, 80.5, -60, -60)],
    "not in the middle": [(10.1, 10.9, 40, 40)],
}


@pytest.mark.parametrize("reach", [0.001, 1 / 40, 1.0])
@pytest.mark.parametrize("name", CLUSTERS)
def test_hints_hold(name: str, reach: float):
    hints = hints_at(*CLUSTERS[name])
    light, chroma = scene()
    kept = chroma.clone()
    new = corrected(hints, light, chroma, reach=reach)
    rows, columns = hints.pixels.T
    assert np.abs(new[:, rows, columns].T.numpy() - hints.chroma).max() < 0.05
    assert torch.equal(chroma, kept)
    # Nowhere is more added than at the hints.
    missed = hints.chroma.T - chroma[:, rows, columns].numpy()
    assert ((new - chroma).abs().amax(dim=(1, 2)).numpy() <= np.abs(missed).max(axis=1) + 1e-3).all()


@pytest.mark.parametrize("apart", [1, 2, 4, 8, 16])
def test_two_hints_that_contradict_each_other_stay_local(apart: int):
    """The cut at the residuals apart: weights, and with them what lies around the two, stay of their order."""
    hints = hints_at((200.5, 200.5, 60, 0), (200.5, 200.5 + apart, -60, 0))
    fitted = fit_correction(hints, np.full(2, 50.0), np.zeros((2, 2)), 400, 400, reach=0.1)
    assert np.abs(fitted.weights).max() < 240
    new = fitted(torch.full((400, 400), 50.0), torch.zeros(2, 400, 400))
    one = fit_correction(hints_at((200.5, 200.5, 60, 0)), np.full(1, 50.0), np.zeros((1, 2)), 400, 400, reach=0.1)
    alone = one(torch.full((400, 400), 50.0), torch.zeros(2, 400, 400))
    assert (new.abs() > 30).sum() < 2 * (alone.abs() > 30).sum()


def test_one_hint_worked_by_hand():
    """A likeness of 10: ten of L* away exp(-1/2) is left; no colour crosses the radius, three standard deviations."""
    light = torch.full((100, 100), 50.0)
    light[50, 51], light[50, 49] = 60.0, 50.0
    new = corrected(hints_at((50.5, 50.5, 40, 0)), light, torch.zeros(2, 100, 100), reach=0.05, likeness=10.0)
    assert np.isclose(new[0, 50, 50], 40, atol=0.02) and new[1].abs().max() == 0
    assert np.isclose(new[0, 50, 51] / new[0, 50, 49], np.exp(-0.5), atol=1e-4)
    assert torch.allclose(new[0, 49], new[0, 51]) and torch.allclose(new[0, :, 49], new[0, 49, :])
    assert (new[0, 50, 36:50].diff() > 0).all() and new[0, 50, 36] > 0
    outside = torch.ones(100, 100, dtype=torch.bool)
    outside[36:65, 36:65] = False
    assert new[:, outside].abs().max() == 0
    assert 0.5 < new[0, 50, 45] / (40 * np.exp(-0.5)) < 1.1


def test_agreeing_neighbours_add_up_to_no_more_than_one():
    listed = [(50.5, 40.5 + 5 * k, 40, 0) for k in range(5)]
    new = corrected(hints_at(*listed), torch.full((100, 100), 50.0), torch.zeros(2, 100, 100), reach=0.1)
    assert new[0, 50, 40:61].min() > 35 and new.max() < 40.01


def test_of_several_hints_in_a_pixel_the_mean_holds():
    light, chroma = scene()
    new = corrected(hints_at((9.2, 9.2, 60, 0), (9.5, 9.5, -20, 30), (9.9, 9.9, -40, 0)), light, chroma)
    assert torch.allclose(new[:, 9, 9], torch.tensor([0.0, 10.0]), atol=0.05)
    twice = corrected(hints_at((9.5, 9.5, 60, 0), (9.5, 9.5, 60, 0)), light, chroma)
    assert torch.equal(twice, corrected(hints_at((9.5, 9.5, 60, 0)), light, chroma))


def test_hints_that_hold_already_and_none_at_all_change_nothing():
    light, chroma = scene()
    colour = chroma[:, 30, 40].tolist()
    assert torch.equal(corrected(hints_at((30.5, 40.5, *colour)), light, chroma), chroma)
    assert torch.equal(corrected(hints_at(), light, chroma), chroma)
    # One that holds keeps the effect of the other away.
    new = corrected(hints_at((30.5, 40.5, *colour), (30.5, 44.5, 60, 60)), light, chroma)
    assert torch.allclose(new[:, 30, 40], chroma[:, 30, 40], atol=0.05)


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_bands_give_what_the_whole_gives(rows: int):
    light, chroma = scene()
    hints = hints_at(*CLUSTERS["corners"], *CLUSTERS["four apart"], *CLUSTERS["across the edge"])
    at, along = hints.pixels.T
    fitted = fit_correction(hints, light[at, along].numpy(), chroma[:, at, along].T.numpy(), *light.shape)
    parts = [
        fitted(light[first : first + rows], chroma[:, first : first + rows], first) for first in range(0, 120, rows)
    ]
    assert torch.allclose(torch.cat(parts, dim=1), fitted(light, chroma), atol=1e-4)
