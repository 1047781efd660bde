"""The trainer: steps are functions of (state, batch, number); what is not finite stops it."""

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import batch, make
from torch import Tensor

from translate.checkpoint import load_state, save_state
from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.errors import ConfigError, TrainingError
from translate.methods import METHODS
from translate.training.execution import choose_device
from translate.training.stepping import seed_step
from translate.training.trainer import Trainer

CPU = torch.device("cpu")

_DROPPING = {"dropout": 0.5, "generator": "resnet", "blocks": 1}
DRAWING: dict[str, dict[str, Any]] = {
    "pix2pix": _DROPPING,
    "cycle": _DROPPING | {"pool": 3},
    "colorize": _DROPPING,
    "style": {"features": "patch", "style_layers": "1,2", "content_layers": ""},
    "adain": {},
    "distill": {},
    "dcgan": {
        "network": "course32",
        "norm": "none",
        "dropout": 0.5,
        "replay": 3,
        "label_flip": 0.2,
        "label_noise": 0.1,
        "instance_noise": 0.1,
        "diffaugment": "color,translation,cutout",
        "skip_below": 0.6,
        "skip_most": 2,
    },
}
"""Settings of each mode with all that draws at random, or keeps something from step to step."""


def trainer(mode: str = "pix2pix", steps: int = 100, values: dict[str, Any] | None = None, **settings: Any) -> Trainer:
    return Trainer(make(mode, **(values or {})), TrainingSettings.checked({"steps": steps, **settings}), steps, 10, CPU)


def weights(trained: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trained.method.named_parameters()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def lowered(scalars: dict[str, Tensor]) -> dict[str, float]:
    """The losses, without the signs of health."""
    return {name: value.item() for name, value in scalars.items() if not name.startswith("health/")}


@pytest.mark.parametrize("mode", METHODS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(mode: str):
    values = DRAWING[mode]
    results = []
    for seed in (1, 1, 2):
        trained = trainer(mode, values=values, seed=seed)
        torch.manual_seed(torch.seed() % 1000)  # what the process drew before must not matter
        for _ in range(3):
            trained.advance([batch(mode=mode)])
        results.append(weights(trained))
    assert same(results[0], results[1])
    assert same(results[0], results[2]) == (mode in ("adain", "distill"))  # which draw nothing


@pytest.mark.parametrize("mode", METHODS)
def test_state_and_restore_are_exact_with_pool_dropout_average_and_decay(mode: str, tmp_path: Path):
    values = DRAWING[mode]
    one = trainer(mode, steps=12, values=values, ema=0.9)
    for _ in range(6):
        one.advance([batch(mode=mode)])
    save_state(tmp_path / "last.pt", one.state())
    other = trainer(mode, steps=12, values=values, ema=0.9)
    other.restore(load_state(tmp_path / "last.pt"))
    for _ in range(6):
        one.advance([batch(mode=mode)])
        other.advance([batch(mode=mode)])
    assert same(weights(one), weights(other))
    finished = other.finished()
    for direction, network in one.finished().items():
        assert same(network.state_dict(), finished[direction].state_dict())


# Of each batch its own noise is drawn.
@pytest.mark.parametrize("mode", [mode for mode in METHODS if mode != "dcgan"])
def test_accumulated_batches_equal_one_large_batch(mode: str):
    # The running prior of a classifying head moves with each batch; hints are drawn batch by batch, as dropout is.
    values = {"norm": "instance", "dropout": 0} | {"cycle": {"pool": 0}, "colorize": {"hints": False}}.get(mode, {})
    large = trainer(mode, values=values, precision="64")
    small = trainer(mode, values=values, precision="64")
    given = batch(count=4, mode=mode)
    halves = [
        Batch(given.a[part], None if given.b is None else given.b[part], ("file",) * 2)
        for part in (slice(0, 2), slice(2, 4))
    ]
    for _ in range(3):
        wanted = large.advance([given])
        losses = small.advance(halves)
        assert lowered(losses) == pytest.approx(lowered(wanted))
    for name, value in weights(small).items():
        torch.testing.assert_close(value, weights(large)[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", METHODS)
def test_a_loss_that_is_not_finite_stops_before_any_weight_moves(mode: str):
    trained = trainer(mode)
    trained.advance([batch(mode=mode)])
    before = weights(trained)
    bad = batch(mode=mode)
    bad.a[0, 0, 3, 3] = float("nan")
    with pytest.raises(TrainingError, match=r"Step 2: [DG]/\w+.* is not finite, on one.png, two.png"):
        trained.advance([Batch(bad.a, bad.b, ("one.png", "two.png"))])
    assert same(before, weights(trained))


def test_a_gradient_that_is_not_finite_is_named():
    trained = trainer(values={"l1": 0})
    trained.advance([batch()])
    trained.method.generator.head.register_full_backward_hook(lambda *_: (torch.full((2, 4, 8, 8), float("inf")),))
    with pytest.raises(TrainingError, match="G's gradient is not finite"):
        trained.advance([batch()])


def test_a_late_look_names_the_step_that_went_wrong():
    """As on a GPU, where losses are looked at when the next step begins."""
    trained = trainer()
    trained.looks_at_once = False
    trained.advance([batch()])
    bad = batch()
    bad.a[0, 0, 3, 3] = float("nan")
    trained.advance([bad])
    with pytest.raises(TrainingError, match="Step 2: .* is not finite"):
        trained.advance([batch()])


def test_a_penalty_is_not_compiled():
    with pytest.raises(ConfigError, match="gradient penalty cannot be compiled"):
        trainer(values={"objective": "wgan", "norm_d": "instance"}, execution="compile")


def test_clipping_bounds_the_gradient():
    trained = trainer(clip=1e-3)
    trained.advance([batch()])
    for optimizer in trained.optimizers.values():
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        assert torch.nn.utils.get_total_norm(gradients) <= 1.001e-3


def test_rates_follow_the_schedule_and_differ_by_player():
    trained = trainer(steps=4, values={"learning_rate": 1e-3, "learning_rate_d": 4e-3})
    seen = []
    for _ in range(4):
        trained.advance([batch()])
        seen.append({player: o.param_groups[0]["lr"] for player, o in trained.optimizers.items()})
    assert [rates["G"] for rates in seen] == pytest.approx([1e-3, 1e-3, 1e-3 * 2 / 3, 1e-3 / 3])
    assert all(rates["D"] == pytest.approx(4 * rates["G"]) for rates in seen)


def test_rates_counted_in_epochs_change_between_epochs_only():
    settings = TrainingSettings.checked({"epochs": 2, "schedule": "step", "decay_every": 0.5})
    trained = Trainer(make("pix2pix"), settings, total=4, batches=2, device=CPU)
    factors = []
    for _ in range(4):
        factors.append(trained.rate_factor())
        trained.advance([batch()])
    assert factors == pytest.approx([1, 1, 0.1, 0.1])


def test_the_average_lags_behind_and_is_what_is_finished():
    trained = trainer(ema=0.99)
    for _ in range(5):
        trained.advance([batch()])
    averaged = trained.finished()["AtoB"].state_dict()
    assert not same(dict(trained.method.generator.named_parameters()), averaged)
    assert same(dict(trained.method.generator.named_buffers()), averaged)


def test_finished_copies_are_for_use():
    trained = trainer()
    trained.advance([batch()])
    finished = trained.finished()["AtoB"]
    assert not finished.training
    assert not any(parameter.requires_grad for parameter in finished.parameters())
    before = {name: value.clone() for name, value in finished.state_dict().items()}
    trained.advance([batch()])
    assert same(before, finished.state_dict())


@pytest.mark.parametrize("mode", METHODS)
def test_bf16_and_channels_last_train(mode: str):
    plain, quick = trainer(mode), trainer(mode, precision="bf16", channels_last=True)
    for _ in range(3):
        wanted, losses = plain.advance([batch(mode=mode)]), quick.advance([batch(mode=mode)])
    assert lowered(losses) == pytest.approx(lowered(wanted), rel=0.1, abs=0.1)


def test_draws_of_steps_and_seeds_are_unrelated():
    drawn = set()
    for seed in range(4):
        for step in range(50):
            seed_step(seed, step)
            drawn.add(torch.rand(()).item())
    assert len(drawn) == 200


def test_unknown_and_absent_devices_are_refused():
    with pytest.raises(TrainingError, match="Unknown device 'gpu'"):
        choose_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="no device 'cuda'"):
            choose_device("cuda")
    assert choose_device("cpu") == CPU


def test_memory_does_not_grow():
    trained = trainer("cycle", steps=2100, values={"pool": 5})
    given = batch(count=1)
    for step in range(2100):
        trained.advance([given])
        if step == 100:
            before = resident()
    grown = resident() - before
    assert grown < 8 * 2**20, f"{grown / 2**20:.1f} MiB more after 2,000 steps"


def resident() -> int:
    """Bytes of memory that this process holds now (not at its peak)."""
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("resident memory is read from /proc")
    return int(status.read_text().split()[1]) * resource.getpagesize()
