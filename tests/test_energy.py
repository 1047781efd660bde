"""The loss of a repainting: its gradient, in one piece and in tiles, and what each part pulls towards."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from translate.features import find_features
from translate.style import Recipe, find_statistic, make_recipe
from translate.stylize.energy import Energy
from translate.stylize.places import draw_places, generator, region_of
from translate.stylize.tiles import bytes_a_pixel, grids, plan_tiles
from translate.stylize.weights import Painting, Steady, Weights

WEIGHTS = Weights(content=0.5, strength=2.0, variation=0.3, temporal=0.7)


def recipe(features: str, statistic: str, layers: tuple[str, ...], content: tuple[str, ...]) -> Recipe:
    found = find_features(features).double()
    shares = {name: 1 / len(layers) for name in layers}
    return Recipe(found, find_statistic(statistic), shares, {name: 1 / len(content) for name in content})


def picture(height: int, width: int, seed: int) -> Tensor:
    made = np.random.default_rng(seed).uniform(-0.9, 0.9, (1, 3, height, width))
    smooth = torch.nn.functional.avg_pool2d(torch.from_numpy(made), 3, 1, 1)
    return smooth.clamp(-1, 1) * 2


def paintings(recipe: Recipe, *seeds: int) -> list[Painting]:
    made = []
    for seed in seeds:
        summaries = Energy(recipe, picture(49, 53, seed), [], Weights(0, 1, 0), seed=3, budget=2**40).summaries(500)
        targets = {name: recipe.statistic.prepare(value) for name, value in summaries.items()}
        made.append(Painting(targets, 1 / len(seeds)))
    return made


def energy(recipe: Recipe, height: int, width: int, budget: int, *, region: bool, weights: Weights = WEIGHTS) -> Energy:
    content = picture(height, width, 0)
    where = torch.rand(1, 1, height, width, generator=generator(5), dtype=torch.float64)
    where[..., : height // 3] = 0
    steady = Steady(picture(height, width, 8), (where > 0.5).double())
    return Energy(
        recipe,
        content,
        paintings(recipe, 1, 2),
        weights,
        seed=3,
        budget=budget,
        base=picture(height, width, 9) if region else None,
        region=where if region else None,
        steady=steady,
    )


KINDS = [
    ("random", "gram", ("relu1_1", "relu3_1"), ("relu2_2",)),
    ("random", "wasserstein", ("relu1_1", "relu2_1"), ("relu2_1",)),
    ("random", "sliced", ("relu1_2", "relu3_1"), ("relu3_1",)),
    ("patch", "sliced", ("1", "2"), ()),
    ("patch", "gram", ("1",), ("2",)),
]


@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[:2]))
def test_the_gradient_is_the_slope(kind, region):
    chosen = recipe(*kind)
    measured = energy(chosen, 44, 40, 2**40, region=region)
    image, toward = picture(44, 40, 11), picture(44, 40, 6)
    slope = float((measured(image, 2).gradient * toward).sum())
    small = 1e-6
    there, back = (measured(image + way * small * toward, 2).total for way in (1, -1))
    assert slope == pytest.approx((there - back) / (2 * small), rel=0.02)  # rectifiers and sorting have kinks


@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize("kind", KINDS[:3], ids=lambda kind: "-".join(kind[:2]))
def test_tiles_give_the_gradient_of_the_whole(kind, region):
    chosen = recipe(*kind)
    height, width = 203, 165
    # A budget that a tile of 64 pixels and what it must see exceeds: the smallest tiles there are.
    whole, tiled = (energy(chosen, height, width, budget, region=region) for budget in (2**40, 1))
    assert len(whole.tiles) == 1 and len(tiled.tiles) == 12
    image = picture(height, width, 4)
    one, other = whole(image, 2), tiled(image, 2)
    assert other.parts == pytest.approx(one.parts, rel=1e-9)
    assert float((one.gradient - other.gradient).abs().max()) < 1e-9 * float(one.gradient.abs().max())


FILES = {
    "squeezenet": "squeezenet1_1_imagenet.safetensors",
    "distilled": "vgg19_distilled16x_wct_enc_dec.fp16.safetensors",
    "random": "",
}


@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize("statistic", ["gram", "wasserstein", "sliced"])
@pytest.mark.parametrize("kind", FILES)
def test_in_single_precision_they_agree_to_less_than_a_ten_thousandth(kind, statistic, region):
    """With all usual layers, of a picture so flat that deep ones have fewer places than features."""
    path = Path(__file__).parents[2] / "shared" / "weights" / FILES[kind]
    if FILES[kind] and not path.is_file():
        pytest.skip(f"there is no {path.name} beside the checkout")
    found = find_features(path if FILES[kind] else kind)
    chosen = make_recipe(found, find_statistic(statistic), (), ())
    where = torch.rand(1, 1, 64, 300, generator=generator(5)).round() if region else None
    content, image = picture(64, 300, 0).float(), picture(64, 300, 4).float()
    like = Energy(chosen, picture(90, 120, 7).float(), [], WEIGHTS, seed=3, budget=2**40).summaries(4000)
    targets = [Painting({name: chosen.statistic.prepare(value) for name, value in like.items()}, 1.0)]
    gradients = []
    for budget in (2**40, 1):
        made = Energy(chosen, content, targets, WEIGHTS, seed=3, budget=budget, region=where, base=content)
        gradients.append(made(image, 2).gradient)
    assert len(made.tiles) > 1
    assert float((gradients[0] - gradients[1]).norm() / gradients[0].norm()) < 1e-4


def test_parts_are_weighted_and_nothing_weighs_nothing():
    chosen = recipe(*KINDS[0])
    image = picture(44, 40, 4)
    once = energy(chosen, 44, 40, 2**40, region=False)(image, 2).parts
    twice = energy(chosen, 44, 40, 2**40, region=False, weights=Weights(1.0, 4.0, 0.6, 1.4))(image, 2).parts
    assert set(once) == {"content", "style", "variation", "temporal"}
    assert twice == pytest.approx({name: 2 * value for name, value in once.items()})
    nothing = energy(chosen, 44, 40, 2**40, region=False, weights=Weights(0, 0, 0, 0))(image, 2)
    assert nothing.total == 0 and not nothing.gradient.any()


def test_outside_its_region_a_picture_is_its_base_and_has_no_gradient():
    measured = energy(recipe(*KINDS[0]), 44, 40, 2**40, region=True)
    image = picture(44, 40, 4)
    outside = (measured.region == 0).expand(-1, 3, -1, -1)
    assert torch.equal(measured.shown(image)[outside], measured.base[outside])
    assert not measured(image, 0).gradient[outside].any()


def test_draws_follow_from_the_step():
    measured = energy(recipe(*KINDS[3]), 120, 110, 2**40, region=False)
    image = picture(120, 110, 4)
    assert measured(image, 2).total == measured(image, 2).total != measured(image, 3).total


def test_places_are_drawn_by_weight():
    weights = torch.zeros(50, 40)
    weights[10:20, 5:15], weights[30:40] = 1, 3
    drawn = draw_places((50, 40), 1500, weights.flatten(), generator(1))
    rows = drawn // 40
    assert len(drawn) == 1500 and bool((weights.flatten()[drawn] > 0).all())
    assert float((rows >= 30).double().mean()) == pytest.approx(1200 / 1300, abs=0.03)
    assert torch.equal(draw_places((5, 4), 100, None, generator(1)), torch.arange(20))


def test_a_region_on_a_grid_is_the_mean_of_what_a_place_stands_for_and_of_what_lies_beyond():
    region = torch.arange(30.0).view(1, 1, 5, 6)
    assert torch.equal(region_of(region, (2, 3), 2, False), torch.tensor([[3.5, 5.5, 7.5], [24.5, 26.5, 28.5]]))
    assert torch.equal(region_of(region, (3, 4), 1, True)[:2, :3], region[0, 0, 1:3, 1:4])


def test_layers_without_a_place_are_left_out():
    chosen = recipe("random", "gram", ("relu1_1", "relu5_1"), ("relu4_1",))
    small = chosen.fitting(8, 40)
    assert small.style_layers == {"relu1_1": 1.0} and not small.content_layers
    assert chosen.fitting(64, 64) == chosen


def test_tiles_cover_every_place_once():
    features = find_features("random")
    layers = ["relu1_1", "relu3_1"]
    tiles = plan_tiles(features, layers, 203, 165, int(150**2 * bytes_a_pixel(features, layers)))
    assert len(tiles) > 1
    for layer, grid in grids(features, layers, 203, 165).items():
        seen = torch.zeros(grid)
        for tile in tiles:
            (top, bottom), (left, right) = tile.spans((203, 165), grid, features.stride(layer))
            seen[top:bottom, left:right] += 1
        assert bool((seen == 1).all())
