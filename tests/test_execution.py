"""How steps are executed: what is chosen, and that every way gives the numbers of the plain one."""

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_methods import batch, make
from test_trainer import CPU, resident, same, trainer, weights
from torch import nn

from translate import machine
from translate.config import TrainingSettings
from translate.errors import ConfigError, TrainingError
from translate.means import Means
from translate.methods.pool import SHAPES, ImagePool
from translate.networks.blocks import Padded
from translate.networks.squares import convolve_in_squares, suits
from translate.training import execution
from translate.training.finite import FiniteCheck
from translate.training.trainer import Trainer

GPU = torch.device("cuda")


def chosen(mode: str = "cycle", operations: float = 1e12, steps: int = 100, **settings: Any) -> execution.Execution:
    device, values = settings.pop("on", CPU), settings.pop("values", {})
    one_size = settings.pop("one_size", True)
    asked = TrainingSettings.checked({"steps": steps, **settings})
    return execution.choose(asked, make(mode, **values), device, operations, steps, one_size)


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine whose devices all have bf16, and whose compiler works."""
    monkeypatch.setattr(execution, "has_bf16", lambda device: True)
    monkeypatch.setattr(execution, "cannot_compile", lambda kind: "")


@pytest.mark.usefixtures("bf16")
def test_auto_takes_bf16_where_it_pays_and_is_safe():
    assert chosen().precision == "bf16"
    assert chosen(operations=1e8).precision == "32"  # casting takes what the products save
    assert chosen(operations=1e8, on=GPU).precision == "bf16"
    assert chosen("style").precision == "32"  # nobody has measured that it trains as well
    assert chosen(precision="32").precision == "32"


def test_auto_stays_in_fp32_without_bf16(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(execution, "has_bf16", lambda device: False)
    assert chosen().precision == "32"


@pytest.mark.usefixtures("bf16")
def test_auto_compiles_long_runs_only():
    short, long = chosen(steps=100), chosen(steps=2000)
    assert not short.compile
    assert long.compile
    assert not long.channels_last
    assert not chosen("pix2pix", steps=100_000).compile  # on a CPU it is slower compiled
    assert chosen("pix2pix", steps=100_000, on=GPU).compile
    assert not chosen(steps=2000, deterministic=True).compile
    assert not chosen(steps=2000, one_size=False).compile


@pytest.mark.usefixtures("bf16")
def test_auto_takes_a_graph_on_a_gpu_only():
    assert chosen(on=GPU).graph
    assert not chosen().graph
    assert not chosen().notices
    assert not chosen("dcgan", on=GPU).graph
    assert str(chosen(on=GPU, steps=50_000)) == "precision bf16, channels last, compiled, one CUDA graph a step"


def test_a_graph_that_cannot_be_is_said_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(execution, "cannot_compile", lambda kind: "there is no compiler")
    found = chosen(execution="compile+graph")
    assert (found.compile, found.graph) == (False, False)
    assert found.notices == ("Not compiled: there is no compiler.", "No CUDA graph: cpu has none.")
    assert chosen("dcgan", execution="graph", on=GPU).notices[0].startswith("No CUDA graph: this method decides")
    assert "fp32" in chosen(execution="graph", precision="64", on=GPU).notices[0]
    dropped = chosen(execution="graph", checkpointing=True, values={"dropout": 0.5}, on=GPU)
    assert "draws dropout a second time" in dropped.notices[0]


class InductorError(RuntimeError):
    """As torch's compiler raises it."""


InductorError.__module__ = "torch._inductor.exc"


@pytest.mark.parametrize(
    ("mode", "network_of_both_turns"), [("pix2pix", "discriminator"), ("cycle", "discriminator_a")]
)
def test_what_cannot_be_compiled_goes_on_plain_with_a_notice(mode: str, network_of_both_turns: str):
    """The compiler gives up in the second turn of the first round, when one player has moved already."""
    plain, compiled = trainer(mode), trainer(mode, execution="eager")

    def gives_up(*given: Any, **named: Any) -> Any:
        if any(optimizer.state for optimizer in compiled.optimizers.values()):
            raise InductorError("no compiler")
        return network.forward(*given, **named)

    network = dict(compiled.method.named_children())[network_of_both_turns]
    network._compiled_call_impl = gives_up
    compiled.execution = replace(compiled.execution, compile=True)
    compiled._untried = True
    for _ in range(2):
        plain.advance([batch(mode=mode)])
        compiled.advance([batch(mode=mode)])
    assert same(weights(plain), weights(compiled))
    assert not compiled.execution.compile
    assert "no compiler" in compiled.take_notices()[0]


def test_channels_last_is_not_for_instance_norm_on_a_cpu():
    """torch's gradient of F.instance_norm of one image is wrong where what comes from above lies channels last."""
    found = chosen(channels_last=True)
    assert not found.channels_last
    assert "wrong gradients" in found.notices[0]
    assert chosen("pix2pix", channels_last=True).channels_last


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("mode", ["pix2pix", "cycle"])
def test_channels_last_moves_weights_alike(mode: str, count: int):
    plain = trainer(mode, precision="64")
    other = trainer(mode, precision="64", channels_last=True)
    for _ in range(2):
        plain.advance([batch(count=count, mode=mode)])
        other.advance([batch(count=count, mode=mode)])
    for name, value in weights(other).items():
        torch.testing.assert_close(value, weights(plain)[name], rtol=0, atol=1e-9)


def test_an_optimizer_does_nothing_by_what_is_not_finite_where_nobody_looks():
    """As on a GPU: the optimizer is told by a tensor, and the error comes later."""
    trained = trainer()
    trained.looks_at_once = False
    trained.advance([batch()])
    before = weights(trained)
    bad = batch()
    bad.a[0, 0, 3, 3] = float("nan")
    trained.advance([bad])
    assert same(before, weights(trained))
    with pytest.raises(TrainingError, match="Step 2: .* is not finite"):
        trained.check_finite()


def test_the_first_step_that_went_wrong_is_named_and_can_be_forgiven():
    check = FiniteCheck()
    for step, fine in ((1, True), (2, False), (3, False)):
        check.leave(step, (f"{step}.png",), ("G/gan",), torch.tensor([fine]))
    with pytest.raises(TrainingError, match=r"Step 2: G/gan is not finite, on 2\.png"):
        check.look(wait=True)
    check.forgive()
    check.look(wait=True)


@pytest.mark.parametrize("size", [3, 7])
def test_squares_are_the_same_convolution_with_the_same_gradients(size: int):
    generator = torch.Generator().manual_seed(size)
    layer = Padded(5, 3, size, padding="reflect", bias=True).double()
    images = torch.randn(2, 5, 12, 10, dtype=torch.float64, generator=generator)
    results = []
    for layer.in_squares in (False, True):
        own = images.clone().requires_grad_()
        output = layer(own)
        results.append((output, *torch.autograd.grad(output.square().sum(), [own, *layer.parameters()])))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
    assert suits(layer.conv.weight, torch.zeros(1, 5, 12 + size - 1, 10 + size - 1))
    assert not suits(layer.conv.weight, torch.zeros(1, 5, 13 + size - 1, 10 + size - 1))
    assert not suits(torch.zeros(8, 5, 3, 3), torch.zeros(1, 5, 14, 14))
    kernel = layer.conv.weight[..., :3, :3]
    assert convolve_in_squares(torch.zeros(1, 5, 14, 12).double(), kernel, None).shape == (1, 3, 12, 10)


def test_a_convolution_of_each_channel_by_itself_is_not_for_squares():
    layer = Padded(3, 3, 3, padding="reflect", bias=False, groups=3)
    images = torch.randn(1, 3, 8, 8)
    wanted = layer(images)
    layer.in_squares = True
    assert torch.equal(layer(images), wanted)


def test_a_cpu_trains_in_squares():
    trained = trainer("cycle")
    padded = [module for module in trained.method.modules() if isinstance(module, Padded)]
    assert padded
    assert all(module.in_squares for module in padded)


@pytest.mark.parametrize("together", [False, True])
def test_one_pass_over_real_and_made_images_is_two(together: bool):
    method = make("cycle").double()
    passes: list[int] = []
    method.discriminator_a.register_forward_hook(lambda module, given, out: passes.append(len(given[0])))
    method.judge.together = together
    real, fake = (
        torch.rand(2, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (1, 2)
    )
    judged = method.judge.discriminator(method.discriminator_a, real, fake)
    assert passes == ([4] if together else [2, 2])
    assert judged.losses["fake"].item() == pytest.approx(
        0.5 * method.discriminator_a(fake).square().mean().item(), rel=1e-12
    )


def test_a_norm_over_the_batch_or_a_spectral_norm_keeps_the_passes_apart():
    assert make("cycle").judge.together
    assert not make("pix2pix", norm="batch").judge.together
    assert not make("cycle", spectral_norm=True).judge.together


def test_the_pool_gives_past_fakes_half_of_the_time():
    torch.manual_seed(0)
    pool = ImagePool(10)
    given = [pool.exchange(torch.full((1, 1, 1, 1), float(index))).item() for index in range(1000)]
    assert given[:10] == list(range(10))
    assert len(set(given[10:])) == 990  # a past one leaves the pool
    assert 0.4 < sum(value < index for index, value in enumerate(given)) / 990 < 0.6


def test_the_pool_keeps_fakes_of_several_sizes_apart():
    pool = ImagePool(2)
    for size in range(1, SHAPES + 3):
        fakes = torch.full((1, 1, size, size), float(size))
        for _ in range(5):
            assert torch.equal(pool.exchange(fakes), fakes)
    assert len(pool.shelves) == SHAPES


def test_means_of_names_that_come_in_different_company():
    means = Means()
    one, two = torch.tensor(1.0), torch.tensor(3.0)
    means.add({"a": one, "b": two})
    means.add({"a": two})
    means.add({"b": one, "a": two})
    other = Means()
    other.restore(means.state())
    assert means.take() == pytest.approx({"a": 7 / 3, "b": 2})
    assert other.take() == pytest.approx({"a": 7 / 3, "b": 2})
    assert means.take() == {}


def test_compiling_is_refused_where_a_loss_holds_a_gradient():
    with pytest.raises(ConfigError, match="--execution eager or auto"):
        chosen(values={"objective": "wgan"}, execution="compile")


def test_autocast_keeps_losses_and_statistics_in_fp32():
    trained = Trainer(make("cycle"), TrainingSettings.checked({"steps": 3, "precision": "bf16"}), 3, 3, CPU)
    seen: set[torch.dtype] = set()
    for module in trained.method.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, given, out: seen.add(out.dtype))
    losses = trained.advance([batch(count=1, mode="cycle")])
    assert seen == {torch.bfloat16}
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert all(parameter.dtype == torch.float32 for parameter in trained.method.parameters())


def test_freed_memory_is_kept_and_given_back():
    if platform.libc_ver()[0] != "glibc" or not Path("/proc/self/statm").exists():
        pytest.skip("only glibc is told so, and memory is read from /proc")
    machine.keep_freed_memory()
    try:
        for _ in range(2):
            big = [torch.ones(2**22) for _ in range(8)]  # 128 MiB
            before = resident()
            del big
        assert resident() > before - 2**26
    finally:
        machine.give_back_memory()
    assert resident() < before - 2**26
