"""Contract of every method: it trains, on what it says, in the direction it is told."""

from typing import Any

import pytest
import torch
from conftest import TINY_MODES, taken

from translate.config import DataSettings, TrainingSettings
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.methods import METHODS, Method
from translate.methods.settings import AdversarialSettings, TranslatorSettings
from translate.objectives import OBJECTIVES
from translate.preparing import load_models
from translate.training.trainer import Trainer

TRANSLATE = [mode for mode, kind in METHODS.items() if issubclass(kind.settings, TranslatorSettings)]
ADVERSARIAL = [mode for mode, kind in METHODS.items() if issubclass(kind.settings, AdversarialSettings)]
# Pairs of domains have channels and directions to choose; a single folder has one way to go.
OF_TWO_DOMAINS = [mode for mode in TRANSLATE if METHODS[mode].source != "single"]
PAINT = ["style", "adain"]
OF_PATCHES = [*TRANSLATE, "distill"]
"""Modes whose discriminator judges patches, at half the weight."""


def make(mode: str, channels: tuple[int, int] = (3, 3), direction: str = "AtoB", **values: Any) -> Method:
    kind = METHODS[mode]
    own = {key: value for key, value in TINY_MODES[mode].items() if key in kind.settings.model_fields}
    torch.manual_seed(0)
    settings = kind.settings.checked(own | taken(mode, values))
    return kind(settings, channels, 16, direction, **load_models(kind, settings))  # type: ignore[arg-type]


def batch(
    channels: tuple[int, int] = (3, 3), count: int = 2, height: int = 16, width: int = 16, mode: str = "pix2pix"
) -> Batch:
    """What `mode` trains on: no B if it learns from a single folder."""
    draw = torch.Generator().manual_seed(1)
    a, b = (torch.rand(count, c, height, width, generator=draw) * 2 - 1 for c in channels)
    return Batch(a, None if METHODS[mode].source == "single" else b, ("file",) * count)


def train(method: Method, steps: int, of: Batch, **settings: Any) -> dict[str, float]:
    trainer = Trainer(method, TrainingSettings.checked({"steps": steps, **settings}), steps, steps, torch.device("cpu"))
    for _ in range(steps):
        losses = trainer.advance([of])
    return {name: value.item() for name, value in losses.items()}


@pytest.mark.parametrize("mode", METHODS)
def test_the_defaults_are_valid_and_say_what_they_do(mode: str):
    assert METHODS[mode].settings.checked({})
    assert METHODS[mode].source in ("paired", "unpaired", "single")
    assert METHODS[mode].__doc__


@pytest.mark.parametrize("mode", METHODS)
def test_every_network_has_one_player_and_moves(mode: str):
    method = make(mode)
    owned = [id(p) for o in method.optimizers().values() for group in o.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(id(p) for p in method.parameters() if p.requires_grad)
    before = {name: value.clone() for name, value in method.named_parameters()}
    train(method, 2, batch(mode=mode))
    assert all(torch.equal(before[name], p) != p.requires_grad for name, p in method.named_parameters())


@pytest.mark.parametrize("mode", ADVERSARIAL)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(mode: str, objective: str):
    if OBJECTIVES[objective].energy and mode in OF_PATCHES:
        with pytest.raises(ConfigError, match=f"objective={objective} takes the energies of an auto-encoder"):
            make(mode, objective=objective)
        return
    losses = train(make(mode, objective=objective, norm_d="instance"), 3, batch(mode=mode))
    assert all(torch.isfinite(torch.tensor(value)) for value in losses.values())
    assert any("penalty" in name for name in losses) == (objective == "wgan")


@pytest.mark.parametrize("mode", OF_TWO_DOMAINS)
@pytest.mark.parametrize("channels", [(1, 3), (5, 2), (16, 1)])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_channels_may_differ_between_domains(mode: str, channels: tuple[int, int], direction: str):
    method = make(mode, channels, direction)
    given = batch(channels)
    train(method, 1, given)
    assert direction in method.generators()
    for way, generator in method.generators().items():
        source, target = given.oriented(way)
        assert generator(source).shape == target.shape


def test_pix2pix_translates_the_way_it_is_told():
    """On data where B is a constant and A is not, only one of the directions can drive its L1 to zero."""
    a = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    given = Batch(a, torch.full_like(a, 0.5), ("file",) * 4)
    values = {"norm": "none", "l1": 100, "width": 4, "dropout": 0, "learning_rate": 0.01}
    to_b = train(make("pix2pix", **values), 60, given, schedule="constant")
    to_a = train(make("pix2pix", direction="BtoA", **values), 60, given, schedule="constant")
    assert to_b["G/l1"] < 10 < 30 < to_a["G/l1"]


@pytest.mark.parametrize("mode", ADVERSARIAL)
def test_the_penalty_keeps_its_papers_balance(mode: str):
    """Beside a penalty the critic's terms are whole; without one a translator's are halved, as the papers have it."""
    method = make(mode, objective="wgan", norm_d="instance")
    judged = torch.tensor([[3.0]])
    with_penalty = method.judge.discriminator(
        lambda x: judged.expand(len(x), 1) + 0 * x.sum(), torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    ).losses
    assert (with_penalty["real"].item(), with_penalty["fake"].item()) == (-3, 3)
    assert with_penalty["penalty"].item() == pytest.approx(10)  # a flat critic: (0 - 1)^2 times 10
    plain = (
        make(mode, objective="lsgan")
        .judge.discriminator(lambda x: judged.expand(len(x), 1), torch.ones(1), torch.zeros(1))
        .losses
    )
    assert (plain["real"].item(), plain["fake"].item()) == ((2, 4.5) if mode in OF_PATCHES else (4, 9))


def test_a_penalty_between_sizes_is_refused():
    given = batch()
    uneven = Batch(given.a, torch.zeros(2, 3, 24, 24), given.files)
    with pytest.raises(ConfigError, match="of one size"):
        train(make("cycle", objective="wgan"), 1, uneven)


def test_identity_is_off_with_a_notice_where_channels_differ():
    method = make("cycle", (1, 3))
    assert "identity loss is off" in method.notices[0]
    assert not any("identity" in name for name in train(method, 1, batch((1, 3))))
    assert any("identity" in name for name in train(make("cycle"), 1, batch()))


def test_one_pass_over_both_domains_equals_two():
    together, apart = make("cycle").double(), make("cycle").double()
    for generator in (apart.a_to_b, apart.b_to_a):
        generator.per_image = False
    losses = []
    for method in (together, apart):
        turn = next(method.step(batch().to(torch.device("cpu"), torch.float64, torch.contiguous_format), 0))
        losses.append({name: value.item() for name, value in turn.losses.items()})
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)


@pytest.mark.parametrize("mode", [*TRANSLATE, *PAINT])
@pytest.mark.parametrize(("height", "width"), [(17, 23), (31, 16), (5, 3), (1, 40)])
def test_images_of_any_size_train(mode: str, height: int, width: int):
    train(make(mode), 1, batch(height=height, width=width, mode=mode))


def test_a_penalty_and_batch_norm_are_refused():
    with pytest.raises(ConfigError, match="norm_d=instance"):
        make("pix2pix", objective="wgan")


@pytest.mark.parametrize("mode", TRANSLATE)
def test_a_crop_too_small_for_the_discriminator_is_refused(mode: str):
    with pytest.raises(ConfigError, match="--size 16 is too small for a patchgan with layers=3"):
        make(mode, layers=3)


@pytest.mark.parametrize("mode", METHODS)
def test_preview_names_its_columns(mode: str):
    method = make(mode).eval()
    columns = method.preview(batch(mode=mode), method.generators())
    assert len(columns) >= 3
    assert all(image.shape == (2, 3, 16, 16) for image in columns.values())


def test_the_papers_defaults():
    pix2pix = METHODS["pix2pix"].settings.checked({}).model_dump()
    assert (pix2pix["l1"], pix2pix["norm"], pix2pix["dropout"], pix2pix["objective"]) == (100, "batch", 0.5, "vanilla")
    cycle = METHODS["cycle"].settings.checked({}).model_dump()
    assert (cycle["cycle_a"], cycle["cycle_b"], cycle["identity"], cycle["pool"]) == (10, 10, 0.5, 50)
    assert (cycle["objective"], cycle["norm"], cycle["blocks"]) == ("lsgan", "instance", 9)
    assert DataSettings().resized == 286
