"""Images from noise: presets, tricks, conditions; what holds besides the contract of every method."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY_MODES
from test_fit import assert_same, final, train
from torch import nn

from translate import checkpoint
from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.methods.dcgan import Dcgan
from translate.methods.noise_settings import NoiseSettings
from translate.methods.presets import PRESETS
from translate.methods.soft_labels import soft_labels
from translate.settings import resolve
from translate.training.trainer import Trainer

CPU = torch.device("cpu")
SMALL = {"width": 2, "width_d": 2, "latent": 4}
TRICKS = {
    "smooth_real": 0.1,
    "smooth_fake": 0.05,
    "label_flip": 0.2,
    "label_noise": 0.1,
    "instance_noise": 0.3,
    "replay": 3,
    "batches": "mixed",
    "n_critic": 2,
    "skip_below": 1.3,
    "skip_most": 2,
    "noise": "gamma",
    "spherical": True,
    "diffaugment": "color,translation,cutout",
    "learning_rate_d": 1e-3,
}


def make(labels: tuple[str, ...] = (), size: int = 16, **values: Any) -> Dcgan:
    torch.manual_seed(0)
    return Dcgan(NoiseSettings.checked(SMALL | values), (3, 3), size, "AtoB", labels=labels)


def trainer(method: Dcgan, steps: int = 20, **settings: Any) -> Trainer:
    return Trainer(method, TrainingSettings.checked({"steps": steps, **settings}), steps, steps, CPU)


def batch(count: int = 4, size: int = 16, classes: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, size, size, generator=draw) * 2 - 1
    return Batch(images, None, ("file",) * count, torch.arange(count) % classes if classes else None)


def finite(scalars: dict[str, torch.Tensor]) -> bool:
    return all(bool(torch.isfinite(value)) for value in scalars.values())


# Presets


def test_a_preset_sets_what_is_not_asked_for_in_all_groups():
    chosen = resolve("dcgan", "x", {"preset": "course32", "latent": 7, "steps": 1}, {})
    method = chosen.method.model_dump()
    assert (method["network"], method["norm"], method["optimizer"], method["latent"]) == (
        "course32",
        "none",
        "rmsprop",
        7,
    )
    assert (method["learning_rate"], method["learning_rate_d"], method["label_noise"]) == (4e-4, 8e-3, 0.05)
    assert (chosen.data.size, chosen.data.batch_size, chosen.data.resized, chosen.data.flip) == (32, 20, 32, False)
    training = chosen.training
    assert (training.clip_value, training.schedule, training.decay) == (1.0, "inverse", 1e-8)
    assert NoiseSettings.checked({"preset": "course32"}).model_dump() == method | {"latent": 32}


def test_the_default_is_the_paper():
    chosen = resolve("dcgan", "x", {}, {})
    method = chosen.method.model_dump()
    assert (method["network"], method["latent"], method["norm"], method["objective"]) == (
        "dcgan",
        100,
        "batch",
        "vanilla",
    )
    assert (method["learning_rate"], method["beta1"], method["init"], method["init_gain"]) == (
        2e-4,
        0.5,
        "normal",
        0.02,
    )
    assert (chosen.data.size, chosen.data.batch_size, chosen.training.schedule) == (64, 128, "constant")
    assert all(method[trick] == NoiseSettings.model_fields[trick].default for trick in TRICKS if trick != "skip_below")


def test_the_size_asked_for_is_the_size_loaded():
    chosen = resolve("dcgan", "x", {"size": "48"}, {})
    assert (chosen.data.size, chosen.data.resized) == (48, 48)


def test_a_saved_config_wins_over_its_preset():
    saved = resolve("dcgan", "x", {"preset": "course28", "width": 8}, {}).to_json((1, 1))
    again = resolve("dcgan", "x", {}, saved)
    assert again.method.model_dump()["width"] == 8 and again.data.size == 28


@pytest.mark.parametrize("preset", PRESETS)
def test_a_batch_of_one_never_gives_nan(preset: str):
    values = {"preset": preset, "width": 4, "width_d": 4}
    trained = trainer(make(**values))
    for count in (1, 3, 1):
        assert finite(trained.advance([batch(count)]))
    made = trained.finished()["noise"](torch.randn(1, 4))
    assert made.isfinite().all() and made.shape == (1, 3, 16, 16)


def test_the_course_clips_values_and_uses_rmsprop():
    trained = trainer(make(preset="course32"), clip_value=0.01)
    assert all(isinstance(each, torch.optim.RMSprop) for each in trained.optimizers.values())
    trained.advance([batch()])
    values = [p.grad.abs().max() for p in trained.method.discriminator.parameters() if p.grad is not None]
    assert max(values) <= 0.01


def test_the_inverse_schedule_counts_steps():
    trained = trainer(make(), schedule="inverse", decay=0.5)
    rates = []
    for _ in range(3):
        trained.advance([batch()])
        rates.append(trained.current_rates()["G"] / 2e-4)
    assert rates == pytest.approx([1, 1 / 1.5, 1 / 2])


# Tricks


@pytest.mark.parametrize(
    ("preset", "own"),
    [
        ("paper64", {}),
        ("paper64", {"objective": "lsgan", "spectral_norm": True, "batches": "separate"}),
        ("course28", {"conditioning": "acgan"}),
        ("course28", {"conditioning": "projection", "conditioning_g": "batchnorm"}),
        ("modern", {"conditioning": "concat", "objective": "minimax"}),
        ("paper64", {"conditioning": "infogan", "categories": 3}),
    ],
)
def test_resume_is_exact_with_every_stateful_trick(preset: str, own: dict[str, Any], tmp_path: Path):
    labelled = own.get("conditioning", "none") not in ("none", "infogan")
    values = {"preset": preset} | TRICKS | own
    given = batch(classes=2 if labelled else 0)

    def begin() -> Trainer:
        return trainer(make(("a", "b") if labelled else (), **values), steps=12, ema=0.9)

    whole = begin()
    for _ in range(12):
        assert finite(whole.advance([given]))
    first = begin()
    for _ in range(5):
        first.advance([given])
    checkpoint.save_state(tmp_path / "last.pt", first.state())
    second = begin()
    second.restore(checkpoint.load_state(tmp_path / "last.pt"))
    for _ in range(7):
        second.advance([given])
    assert_same(whole.state(), second.state())


def test_began_keeps_its_balance_over_a_resume(pictures: Path, tmp_path: Path):
    values = TINY_MODES["dcgan"] | {"objective": "began", "k_rate": 0.1, "norm": "none", "steps": 6}
    whole = train(pictures, "dcgan", tmp_path, "whole", **values)
    train(pictures, "dcgan", tmp_path, "parts", **(values | {"steps": 3}))
    parts = train(pictures, "dcgan", tmp_path, "parts", **values, resume=True)
    one, two = (final(run)["method"] for run in (whole, parts))
    weights = [name for name in one if name != "_extra_state"]  # which holds the plan of the first part
    assert_same({name: one[name] for name in weights}, {name: two[name] for name in weights})
    assert 0 < one["judge.objective.k"] < 1


def test_d_sits_turns_out_but_not_too_many_in_a_row():
    trained = trainer(make(skip_below=1e9, skip_most=2), steps=9)
    skipped = [int(trained.advance([batch()])["health/skipped_D"]) for _ in range(9)]
    assert skipped == [1, 1, 0] * 3


def test_d_moves_only_when_it_does_not_sit_out():
    trained = trainer(make(skip_below=1e9, skip_most=1), steps=2)
    moved = []
    for _ in range(2):
        before = trained.method.discriminator.state_dict()["head.real.weight"].clone()
        trained.advance([batch()])
        moved.append(not torch.equal(before, trained.method.discriminator.state_dict()["head.real.weight"]))
    assert moved == [False, True]


def test_g_plays_once_for_n_turns_of_d():
    trained = trainer(make(n_critic=3), steps=6)
    played = ["G/gan" in trained.advance([batch()]) for _ in range(6)]
    assert played == [False, False, True] * 2


def test_instance_noise_fades_as_planned(monkeypatch: pytest.MonkeyPatch):
    method = make(instance_noise=0.4, instance_noise_until=0.5)
    method.plan(10)
    seen = []
    monkeypatch.setattr(method.discriminator, "heads", lambda images, labels: seen.append(images.std().item()) or {})
    for index in (0, 2, 5, 9):
        method._heads(torch.zeros(8, 3, 16, 16), None, index)
    assert seen == pytest.approx([0.4, 0.4 * 0.6, 0, 0], rel=0.1)
    method.set_extra_state({"total": 20, "skipped": 0})  # as a run resumed that was planned to be longer
    method._heads(torch.zeros(8, 3, 16, 16), None, 5)
    assert seen[-1] == pytest.approx(0.2, rel=0.1)


def test_labels_are_softened_as_said():
    real, fake = soft_labels(NoiseSettings.checked({"smooth_real": 0.1, "smooth_fake": 0.2}), 5, torch.zeros(()))
    assert torch.allclose(real, torch.full((5,), 0.9)) and torch.allclose(fake, torch.full((5,), 0.2))
    real, fake = soft_labels(NoiseSettings.checked({"label_noise": 0.5}), 1000, torch.zeros(()))
    assert 0.5 < real.min() < 0.52 and 0.98 < real.max() <= 1 and -0.5 < fake.min() < -0.48 and fake.max() <= 0
    real, fake = soft_labels(NoiseSettings.checked({"label_flip": 0.25}), 4000, torch.zeros(()))
    assert (real == 0).float().mean() == pytest.approx(0.25, abs=0.03) and (fake == 1).float().mean() > 0.2
    assert soft_labels(NoiseSettings.checked({}), 5, torch.zeros(())) is None


def test_replayed_fakes_keep_their_class():
    method = make(("a", "b", "c"), conditioning="concat", replay=4)
    labels = torch.tensor([0, 1, 2, 1])
    fakes = labels.view(-1, 1, 1, 1).expand(-1, 3, 16, 16) / 10
    for _ in range(6):
        past, classes = method._past(fakes, labels)
        assert torch.allclose(past[:, 0, 0, 0] * 10, classes.float())


def test_mixed_batches_share_their_statistics():
    counted = {}
    for batches in ("mixed", "separate"):
        method = make(batches=batches).train()
        method._both(torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16), None, None, 0)
        norms = [m for m in method.discriminator.modules() if isinstance(m, nn.BatchNorm2d)]
        counted[batches] = {int(norm.num_batches_tracked) for norm in norms}
    assert counted == {"mixed": {1}, "separate": {2}}


# Refusals


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"objective": "wgan", "label_flip": 0.1}, "label_flip softens labels, and objective=wgan has none"),
        ({"objective": "began", "conditioning": "acgan"}, "auto-encoder, which has no features to read acgan from"),
        ({"conditioning": "infogan", "categories": 0, "continuous": 0}, "infogan needs a code"),
        ({"network": "residual"}, "network=residual has no normalisation: set norm=none"),
        ({"conditioning_g": "batchnorm"}, "conditioning_g=batchnorm needs labels"),
        ({"diffaugment": "colour,translatoin"}, "translatoin"),
        ({"preset": "paper"}, "preset='paper' will not do"),
        ({"noise": "cauchy"}, "noise='cauchy' will not do"),
        ({"objective": "wgan", "norm_d": "batch"}, "set norm_d=instance"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        NoiseSettings.checked(values)


def test_a_direction_is_refused():
    with pytest.raises(ConfigError, match="Noise has no direction"):
        Dcgan(NoiseSettings.checked(SMALL), (3, 3), 16, "BtoA")


def test_a_penalty_changes_the_discriminators_norm_and_says_so():
    method = make(objective="wgan")
    assert method.discriminator.arguments["norm"] == "instance" and "instance norm in place of" in method.notices[0]


# From folder to images


def test_the_run_folder_says_what_it_makes(pictures: Path, tmp_path: Path):
    values = TINY_MODES["dcgan"] | {"noise": "uniform", "spherical": True, "health_every": 4, "probe_every": 8}
    run = train(pictures, "dcgan", tmp_path, **values)
    about = checkpoint.load_model(run / "model.safetensors").about
    assert (about.direction, about.noise, about.spherical, about.labels) == ("noise", "uniform", True, ())
    lines = [json.loads(line) for line in (run / "health.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert {"score_real", "score_fake", "accuracy", "gradient_D", "gradient_G", "verdict"} <= set(lines[0])
    assert "update_D" in lines[0] and "gap" in lines[1] and "gap" not in lines[2]
