"""Repainting: what paintings, weights, masks and colours do to a picture."""

import numpy as np
import pytest
import torch

from translate.colour.lab import to_lab
from translate.config import StylingSettings
from translate.errors import ConfigError, NotFiniteError
from translate.features import find_features
from translate.images import resize, to_depth, to_tensor
from translate.style.recipe import weighted_layers
from translate.stylize.colours import as_grey, light_of, match_colours, with_chroma
from translate.stylize.flow import follow
from translate.stylize.kinds import Before, Style
from translate.stylize.regions import parts_of
from translate.stylize.scales import plan_scales
from translate.stylize.stylizer import Stylizer

CPU = torch.device("cpu")


def scene(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """Hills before a sky, in soft colours."""
    rows, columns = np.mgrid[:height, :width] / max(height, width)
    hill = 0.35 + 0.1 * np.sin(9 * columns + seed)
    sky = np.stack([0.1 - rows, 0.3 - 0.5 * rows, 0.8 - 0.4 * rows], axis=2)
    land = np.stack([-0.3 + 0.4 * columns, 0.1 + 0.2 * columns, -0.5 + 0 * columns], axis=2)
    return np.where((rows > hill)[..., None], land, sky).astype(np.float32)


def strokes(height: int = 56, width: int = 50) -> np.ndarray:
    """Slanting stripes of two warm colours."""
    rows, columns = np.mgrid[:height, :width]
    wave = np.sin(0.9 * rows + 0.5 * columns)[..., None]
    return (wave * [0.5, 0.3, -0.1] + [0.3, -0.1, -0.4]).clip(-1, 1).astype(np.float32)


def dots() -> np.ndarray:
    rows, columns = np.mgrid[:40, :40] // 4 % 2
    return np.where((rows == columns)[..., None], [-0.8, 0.6, 0.2], [0.1, -0.7, 0.9]).astype(np.float32)


def stylizer(*paintings: np.ndarray, features: str = "random", **settings) -> Stylizer:
    shallow = {"style_layers": ("relu1_1", "relu2_1", "relu3_1"), "content_layers": ("relu3_1",)}
    usual = {"steps": 12, "smallest": 32, **(shallow if features == "random" else {})}
    chosen = StylingSettings.checked({**usual, **settings})
    styles = [Style(pixels, 1.0, None, f"painting {place}") for place, pixels in enumerate(paintings or [strokes()])]
    return Stylizer(find_features(features), styles, chosen, CPU)


@pytest.mark.parametrize("features", ["random", "patch"])
def test_style_falls_tenfold(features):
    made = stylizer(features=features, steps=60, smallest=64, content=0.02, variation=0, style_layers=())
    before = made.measure(scene(), scene())["style"]
    assert made.measure(scene(), made.paint(scene()))["style"] < before / 10


def test_strength_gives_style_and_takes_content():
    losses = []
    for strength in (0.3, 3):
        made = stylizer(strength=strength, statistic="gram")
        parts = made.measure(scene(), made.paint(scene()))
        losses.append((parts["style"] / strength, parts["content"]))
    assert losses[1][0] < losses[0][0] and losses[1][1] > losses[0][1]


def test_without_strength_the_picture_stays():
    assert np.array_equal(stylizer(strength=0, variation=0).paint(scene()), scene())
    assert np.abs(stylizer(strength=0).paint(scene()) - scene()).mean() < 0.02  # its own variation smooths


def test_variation_falls_as_its_weight_grows():
    found = []
    for weight in (0, 1, 10, 100):
        made = stylizer(variation=weight, steps=20).paint(scene())
        found.append(np.abs(np.diff(made, axis=0)).mean() + np.abs(np.diff(made, axis=1)).mean())
    assert found == sorted(found, reverse=True) and found[-1] < 0.7 * found[0]


@pytest.mark.parametrize("edge", ["top", "bottom", "left", "right", "corner"])
@pytest.mark.parametrize("features", ["random", "patch"])
def test_a_mask_at_an_edge_is_painted(features, edge):
    """A layer's grid may end before the picture: what lies beyond counts with its last place."""
    rows, columns = {
        "top": (slice(0, 1), slice(None)),
        "bottom": (slice(-1, None), slice(None)),
        "left": (slice(None), slice(0, 1)),
        "right": (slice(None), slice(-1, None)),
        "corner": (slice(-1, None), slice(-1, None)),
    }[edge]
    mask = np.zeros((47, 63), np.float32)
    mask[rows, columns] = 1
    content = scene(47, 63)
    made = stylizer(features=features, steps=4, content=0).paint(content, masks=[mask])
    assert np.isfinite(made).all() and np.array_equal(made[mask == 0], content[mask == 0])
    assert not np.array_equal(made[mask == 1], content[mask == 1])


@pytest.mark.parametrize("features", ["random", "patch"])
def test_less_strength_is_nearer_to_the_picture(features):
    off = []
    for strength in (1, 0.01, 1e-4, 0):
        made = stylizer(features=features, strength=strength, steps=20).paint(scene())
        off.append(float(np.abs(made - scene()).mean()))
    assert off == sorted(off, reverse=True) and off[2] < 0.5 * off[0] and off[3] < 1e-6


@pytest.mark.parametrize("features", ["random", "patch"])
def test_a_picture_in_its_own_manner_comes_back_in_another_size(features):
    large = scene(120, 160)
    small = to_depth(resize(to_depth(large, np.uint8), 60, 80), np.float32)
    made = stylizer(large, features=features, smallest=32).paint(small)
    assert -10 * np.log10((((made - small) / 2) ** 2).mean() + 1e-12) >= 35


@pytest.mark.parametrize("statistic", ["gram", "wasserstein", "sliced"])
@pytest.mark.parametrize("features", ["random", "patch"])
def test_a_picture_in_its_own_manner_comes_back(features, statistic):
    made = stylizer(scene(), features=features, statistic=statistic, smallest=16).paint(scene())
    error = ((made - scene()) / 2).__pow__(2).mean()
    assert -10 * np.log10(error + 1e-12) >= 35


def test_from_noise_too():
    made = stylizer(init="noise", steps=30, content=1.0)
    painted = made.paint(scene())
    parts = made.measure(scene(), painted)
    noise = np.random.default_rng(0).normal(0, 0.25, scene().shape).astype(np.float32).clip(-1, 1)
    assert sum(parts.values()) < 0.5 * sum(made.measure(scene(), noise).values())
    again = stylizer(init="noise", steps=30, content=1.0, seed=1).paint(scene())
    assert not np.array_equal(again, painted)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "gd"])
def test_every_optimizer_lowers_the_loss(optimizer):
    made = stylizer(optimizer=optimizer, steps=8)
    start = sum(made.measure(scene(), scene()).values())
    assert sum(made.measure(scene(), made.paint(scene())).values()) < 0.9 * start


@pytest.mark.parametrize("features", ["random", "patch"])
def test_the_same_settings_give_the_same_picture(features):
    one, other = (stylizer(features=features, steps=3).paint(scene()) for _ in range(2))
    assert np.array_equal(one, other)
    painter = stylizer(features=features, steps=3)
    painter.paint(scene(30, 40, 2))
    assert np.array_equal(painter.paint(scene()), one)  # whatever it painted before


def test_keys_tell_what_decides_from_what_does_not():
    key = stylizer().key
    assert stylizer().key == key
    others = [stylizer(seed=1), stylizer(dots()), stylizer(features="patch"), stylizer(variation=1), stylizer(steps=9)]
    assert len({key, *(other.key for other in others)}) == 6
    assert "random" in stylizer().about and "painting 0" in stylizer().about and "seed 0" in stylizer().about


def mask_of(rows: slice, columns: slice) -> np.ndarray:
    made = np.zeros(scene().shape[:2], np.float32)
    made[rows, columns] = 1
    return made


def test_outside_a_mask_nothing_changes():
    mask = mask_of(slice(10, 30), slice(20, 44))
    made = stylizer().paint(scene(), masks=[mask])
    assert np.array_equal(made[mask == 0], scene()[mask == 0])
    assert np.abs(made - scene())[mask == 1].mean() > 0.05


def test_a_masked_painting_leaves_the_rest_of_another_as_it_would_be_without():
    """Far outside the mask the picture is the unmasked run's, to far less than 2/255 of what changes inside."""
    mask = mask_of(slice(28, 48), slice(0, 24))
    alone = stylizer(strokes()).paint(scene())
    both = stylizer(strokes(), dots()).paint(scene(), masks=[None, mask])
    changed = np.abs(both - alone)
    assert changed[mask == 0].max() < 2 / 255 * changed[mask == 1].mean()
    assert changed[mask == 1].mean() > 0.05


def test_later_paintings_lie_over_earlier_ones():
    """Where both go, the picture has the colours of the second: strokes are warm, dots are not."""
    one, other = mask_of(slice(0, 40), slice(0, 40)), mask_of(slice(8, 48), slice(8, 64))
    painter = stylizer(strokes(), dots(), steps=15, content=0.02, style_layers=())
    both, turned = painter.paint(scene(), masks=[one, other]), painter.paint(scene(), masks=[other, one])
    shared = (slice(8, 40), slice(8, 40))
    second = stylizer(dots())
    assert second.measure(both[shared], both[shared])["style"] < second.measure(both[shared], turned[shared])["style"]


def test_parts_put_paintings_of_one_mask_together():
    one, other = mask_of(slice(4, 9), slice(6, 12)), mask_of(slice(30, 40), slice(50, 64))
    parts = parts_of([one, None, other, one.copy(), np.zeros_like(one), None], 6)
    assert [part.numbers for part in parts] == [(1, 5), (0, 3), (2,)]
    assert parts[0].window(48, 64) == (slice(0, 48), slice(0, 64))
    assert parts_of([other], 1)[0].window(300, 300) == (slice(0, 104), slice(0, 128))


def test_weights_of_paintings_mix_them():
    """The mixed picture is nearer to each painting than a picture of the other alone."""
    settings = {"steps": 20, "content": 0.02}
    mixed = stylizer(strokes(), dots(), **settings).paint(scene())
    first, second = (stylizer(painting, **settings) for painting in (strokes(), dots()))
    assert first.measure(scene(), mixed)["style"] < first.measure(scene(), second.paint(scene()))["style"]
    assert second.measure(scene(), mixed)["style"] < second.measure(scene(), first.paint(scene()))["style"]


def test_what_of_a_painting_counts():
    """Left half stripes, right half dots; with a mask only one of them is style."""
    painting = np.concatenate([strokes(40, 40), dots()], axis=1)
    half = np.zeros(painting.shape[:2], np.float32)
    half[:, :40] = 1
    settings = StylingSettings.checked({"steps": 12, "smallest": 32})
    features = find_features("random")
    masked = Stylizer(features, [Style(painting, 1.0, half, "")], settings, CPU)
    whole = Stylizer(features, [Style(strokes(40, 40), 1.0, None, "")], settings, CPU)
    other = Stylizer(features, [Style(dots(), 1.0, None, "")], settings, CPU)
    made = masked.paint(scene())
    assert whole.measure(scene(), made)["style"] < 0.5 * other.measure(scene(), made)["style"]


def test_luminance_keeps_chroma():
    content = scene() * 0.5  # soft enough for sRGB to have its chroma in any light
    made = stylizer(colours="luminance").paint(content)
    wanted, found = (to_lab(to_tensor(pixels)[None]) for pixels in (content, made))
    inside = (found[0] > 35) & (found[0] < 75)
    off = (wanted[1] - found[1]).abs().amax(dim=1, keepdim=True)[inside]
    assert inside.float().mean() > 0.2 and float(off.quantile(0.95)) < 1.0
    assert float((wanted[0] - found[0]).abs().mean()) > 1  # but light is repainted


def test_matched_colours_are_the_pictures():
    plain, matched = (stylizer(colours=way).paint(scene()) for way in ("style", "matched"))
    mean = scene().mean(axis=(0, 1))
    assert np.abs(matched.mean(axis=(0, 1)) - mean).max() < 0.75 * np.abs(plain.mean(axis=(0, 1)) - mean).max()
    moved = match_colours(strokes(), scene() * 0.5)
    assert np.allclose(moved.mean(axis=(0, 1)), scene().mean(axis=(0, 1)) * 0.5, atol=0.02)


def test_light_and_chroma_come_apart_and_together():
    light = light_of(scene())
    assert np.allclose(light_of(as_grey(light)), light, atol=0.05)
    assert np.allclose(with_chroma(scene(), scene()), scene(), atol=2e-3)


def test_a_frame_begins_with_the_one_before():
    """A panned frame is nearer to the moved painting of the frame before than to one made afresh with another seed."""
    wide = np.tile(strokes(96, 60) * 0.2, (1, 2, 1)) + scene(96, 120)
    wide = wide.clip(-1, 1).astype(np.float32)
    then, now = wide[:, :112].copy(), wide[:, 4:116].copy()
    painter = stylizer(dots(), steps=6)
    made = painter.paint(then)
    after = painter.paint(now, before=Before(made, then))
    fresh = painter.paint(now)
    near, far = (np.abs(each[:, :100] - made[:, 4:104]).mean() for each in (after, fresh))
    assert near < far


def test_the_flow_carries_a_picture_along():
    rng = np.random.default_rng(3)
    wide = np.kron(rng.uniform(-0.8, 0.8, (12, 20, 3)), np.ones((8, 8, 1))).astype(np.float32)
    then, now = wide[:, :128].copy(), wide[:, 6:134].copy()
    followed = follow(Before(-then, then), now)
    assert followed.trust.mean() > 0.6 and not followed.trust[:, -5:].any()
    sure = followed.trust > 0
    assert np.abs(followed.image + now)[sure].mean() < 0.06
    assert np.array_equal(followed.image[~sure], now[~sure])
    tiny = follow(Before(-then[:16, :16], then[:16, :16]), then[:16, :16])
    assert tiny.trust.all() and np.allclose(tiny.image, -then[:16, :16])


def test_progress_counts_to_the_end_and_shows_the_picture():
    heard = []
    painter = stylizer(steps=4, smallest=16)
    made = painter.paint(scene(), masks=[mask_of(slice(0, 30), slice(0, 40))], watch=heard.append)
    assert [each.done for each in heard] == list(range(1, heard[-1].total + 1))
    assert heard[-1].share == pytest.approx(1) and heard[0].share < 0.1
    assert heard[-1].image().shape == (heard[-1].height, heard[-1].width, 3)
    assert made.shape == scene().shape and heard[0].style > heard[-1].style > 0


@pytest.mark.parametrize("features", ["random", "patch"])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (16, 16)])
def test_tiny_pictures_are_painted(features, size):
    made = stylizer(features=features, steps=2).paint(scene(*size))
    assert made.shape == (*size, 3) and np.isfinite(made).all()


@pytest.mark.parametrize("features", ["random", "patch"])
def test_a_painting_smaller_than_a_patch_will_do(features):
    made = stylizer(strokes()[:3, :5], features=features, steps=3).paint(scene())
    assert np.isfinite(made).all() and np.abs(made - scene()).mean() > 0.01


def test_scales_grow_by_the_root_of_two():
    scales = plan_scales(300, 400, 400, 64, 80)
    assert [scale.side for scale in scales] == [71, 100, 141, 200, 283, 400]
    assert [scale.steps for scale in scales] == [80, 57, 40, 28, 20, 20]
    assert (scales[-1].height, scales[-1].width) == (300, 400)
    assert plan_scales(30, 20, 30, 64, 80)[0].side == 30
    assert [scale.side for scale in plan_scales(300, 400, 400, 64, 80, late=True)] == [283, 400]


def test_layers_by_name_and_weight():
    features = find_features("random")
    assert weighted_layers(["relu1_1=3", "relu2_1"], {}, features) == {"relu1_1": 0.75, "relu2_1": 0.25}
    for text, said in (
        ("relu9_1", "no layer"),
        ("relu1_1=x", "a weight is a number"),
        ("relu1_1=-1", "a weight is a number"),
        ("relu1_1=0", "all 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            weighted_layers([text], {}, features)


def test_what_will_not_do():
    painter = stylizer()
    with pytest.raises(ValueError, match="float32"):
        painter.paint(scene().astype(np.float64))
    with pytest.raises(ValueError, match="2 masks for 1"):
        painter.paint(scene(), masks=[None, None])
    with pytest.raises(ValueError, match="a mask"):
        painter.paint(scene(), masks=[np.ones((3, 3), np.float32)])
    with pytest.raises(NotFiniteError):
        painter.paint(scene() * np.float32(np.nan))
    with pytest.raises(ConfigError, match="painting"):
        Stylizer(find_features("random"), [], StylingSettings(), CPU)
    with pytest.raises(ConfigError, match="weights"):
        StylingSettings.checked({"style_weight": (0.0,)})
