"""Two processes on half a batch each equal one process on the whole; gradients travel while backward goes on."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY_MODES
from torch import Tensor, nn

from translate import distributed
from translate.data.batch import Batch
from translate.exchange import Exchange
from translate.methods import METHODS
from translate.networks.blocks import BatchNorm

WORLD = 2


def network() -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Conv2d(2, 4, 3), BatchNorm(4), nn.Tanh(), nn.Conv2d(4, 3, 3), BatchNorm(3), nn.Tanh()]
    return nn.Sequential(*layers).double()


def whole_batch() -> Tensor:
    generator = torch.Generator().manual_seed(4)
    # Far from 0, so that a careless formula of the variance would show.
    return torch.randn(4, 2, 9, 8, dtype=torch.float64, generator=generator) * 3 + 50


def train(images: Tensor) -> dict[str, Any]:
    """A step with a penalty on the gradient by the images, so that the exchange is differentiated twice."""
    module = network()
    images = images.clone().requires_grad_()
    output = module(images)
    target = torch.linspace(-1, 1, output[0].numel(), dtype=output.dtype).view_as(output[0])
    (slope,) = torch.autograd.grad((output * target).sum(), images, create_graph=True)
    loss = (output - target).square().mean() + slope.square().mean()
    loss.backward()
    Exchange(module.parameters()).finish()
    (mean_loss,) = distributed.average([loss])
    return {
        "output": output.detach(),
        "slope": slope.detach(),
        "loss": mean_loss,
        "gradients": [parameter.grad for parameter in module.parameters()],
        "state": module.state_dict(),
        "evaluated": module.eval()(images).detach(),
    }


def gradients_that_lack() -> list[Tensor | None]:
    """Process 0 has gradients of the first two of four parameters, process 1 of the first and third."""
    shapes = [(torch.float64, (2, 3)), (torch.float64, (3,)), (torch.float32, ()), (torch.float32, (2,))]
    parameters = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for dtype, shape in shapes]
    for place in {0: (0, 1), 1: (0, 2)}[distributed.rank()]:
        parameters[place].grad = torch.full_like(parameters[place], 1.0 + distributed.rank())
    Exchange(parameters).finish()
    return [parameter.grad for parameter in parameters]


GAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "pix2pix": ("pix2pix", {}),
    "cycle": ("cycle", {}),
    "wgan with penalty": ("pix2pix", {"objective": "wgan", "norm_d": "instance"}),
}
SMALL_BUCKET = 500
"""Bytes that make several buckets of each tiny player."""


def exchanged(mode: str, values: dict[str, Any], every: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two rounds with `every` backwards a turn, on other images in each process.

    Returns how far the gradients are at most from means over the processes taken one by one, and how many buckets were
    sent in all, and by the end of backward.
    """
    kind = METHODS[mode]
    tiny = {key: value for key, value in TINY_MODES[mode].items() if key in kind.settings.model_fields}
    torch.manual_seed(0)
    method = kind(kind.settings.checked(tiny | values), (3, 3), 16, "AtoB").double().train()  # type: ignore[arg-type]
    optimizers = method.optimizers()
    players = {name: [p for g in o.param_groups for p in g["params"]] for name, o in optimizers.items()}
    exchanges = {name: Exchange(parameters, SMALL_BUCKET) for name, parameters in players.items()}
    sent: list[Tensor] = []
    send_sum = distributed.send_sum

    def send(tensor: Tensor, channel: Any) -> distributed.Sending:
        sent.append(tensor)
        return send_sum(tensor, channel)

    monkeypatch.setattr(distributed, "send_sum", send)
    worst, early = 0.0, 0
    for index in range(2):
        torch.manual_seed(distributed.rank() * 10 + index)
        given = [Batch(*torch.rand(2, 2, 3, 16, 16, dtype=torch.float64) * 2 - 1, ("file",) * 2) for _ in range(every)]
        for turns in zip(*(method.step(one, index) for one in given), strict=True):
            parameters, exchange = players[turns[0].player], exchanges[turns[0].player]
            optimizers[turns[0].player].zero_grad(set_to_none=True)
            losses = [torch.stack(list(turn.losses.values())).sum() for turn in turns]
            before = len(sent)
            own = torch.autograd.grad(torch.stack(losses).sum(), parameters, retain_graph=True)
            for turn, loss in enumerate(losses):
                with exchange.overlapping(last=turn == every - 1):
                    loss.backward(inputs=parameters)
            early += len(sent) - before
            exchange.finish()
            for parameter, there in zip(parameters, zip(*distributed.gather(own), strict=True), strict=True):
                assert parameter.grad is not None
                worst = max(worst, (parameter.grad - torch.stack(there).mean(0)).abs().max().item())
            optimizers[turns[0].player].step()
    monkeypatch.undo()
    return {"worst": worst, "sent": len(sent), "early": early, "weights": method.state_dict()}


def exchanged_that_lack() -> dict[str, Any]:
    """As gradients_that_lack, in two turns, of which the second lacks nothing; a frozen parameter is left alone.

    One parameter a bucket, so that each process sends its buckets at other times than the other one.
    """
    shapes = [(torch.float64, (2, 3)), (torch.float64, (3,)), (torch.float32, ()), (torch.float32, (2,))]
    parameters = [nn.Parameter(torch.zeros(shape, dtype=dtype)) for dtype, shape in shapes]
    frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
    exchange = Exchange([*parameters, frozen], 1)
    found = []
    for places in ({0: (0, 1), 1: (0, 2)}[distributed.rank()], range(4)):
        for parameter in parameters:
            parameter.grad = None
        with exchange.overlapping():
            # Between a backward's gradients other exchanges take place, as batch norm's do.
            total = sum(distributed.sum_over_processes(parameters[place].sum().double()) for place in places[:1])
            total = total + sum(parameters[place].sum().double() * (1 + distributed.rank()) for place in places[1:])
            total.backward(inputs=parameters)
        exchange.finish()
        found.append([None if p.grad is None else p.grad.clone() for p in parameters])
    return {"found": found, "frozen": frozen.grad is None}


def exchanged_channels_last() -> dict[str, Any]:
    """A gradient keeps the order in memory that its parameter has, and lies where it lay a turn ago."""
    weight = nn.Parameter(torch.zeros(2, 3, 2, 2).to(memory_format=torch.channels_last))
    scale = torch.arange(24.0).view(2, 3, 2, 2) * (1 + distributed.rank())
    exchange = Exchange([nn.Parameter(torch.zeros(5)), weight])
    places = []
    for _ in range(2):
        weight.grad = None
        with exchange.overlapping():
            (weight * scale).sum().backward(inputs=[weight])
        exchange.finish()
        places.append(weight.grad.data_ptr())
    return {"gradient": weight.grad.clone(), "stride": weight.grad.stride(), "places": places}


def work(rank: int, port: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    started = distributed.start("cpu")
    torch.manual_seed(rank)
    different = nn.BatchNorm2d(2)
    nn.init.normal_(different.weight)
    different.running_mean += rank
    distributed.broadcast(different)
    found = {
        "started": started,
        "again": distributed.start("cpu"),
        "identity": (distributed.rank(), distributed.world(), distributed.is_main()),
        "trained": train(whole_batch().chunk(WORLD)[rank]),
        "lacking": gradients_that_lack(),
        "any": [distributed.any_true(flag) for flag in (rank == 1, False, True)],
        "average": distributed.average([torch.tensor(float(rank)), torch.tensor(3.0, dtype=torch.float64)]),
        "broadcast": different.state_dict(),
        "games": {name: exchanged(*game, 1, pytest.MonkeyPatch()) for name, game in GAMES.items()},
        "accumulated": exchanged(*GAMES["pix2pix"], 3, pytest.MonkeyPatch()),
        "exchange lacking": exchanged_that_lack(),
        "channels last": exchanged_channels_last(),
    }
    distributed.barrier()
    torch.save(found, Path(folder) / f"{rank}.pt")
    distributed.stop()
    assert distributed.world() == 1
    os._exit(0)  # gloo's threads sometimes abort a process that ends the usual way


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, str(folder)), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(WORLD)]


def assert_close(one: Tensor, other: Tensor) -> None:
    assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def test_processes_know_each_other(found: list[dict[str, Any]]) -> None:
    for rank, process in enumerate(found):
        assert tuple(process["started"]) == tuple(process["again"]) == (rank, WORLD)
        assert tuple(process["identity"]) == (rank, WORLD, rank == 0)


def test_two_processes_train_like_one(found: list[dict[str, Any]]) -> None:
    alone = train(whole_batch())
    for key in ("output", "slope", "evaluated"):
        assert_close(torch.cat([process["trained"][key] for process in found]), alone[key])
    for process in found:
        trained = process["trained"]
        assert_close(trained["loss"], alone["loss"])
        for ours, theirs in zip(trained["gradients"], alone["gradients"], strict=True):
            assert_close(ours, theirs)
        for key, value in alone["state"].items():
            assert_close(trained["state"][key].double(), value.double())
    first, second = (process["trained"]["gradients"] for process in found)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True)), "processes never drift apart"


def test_one_process_is_torchs_batch_norm() -> None:
    ours = network()
    theirs = nn.Sequential(*(nn.BatchNorm2d(m.num_features) if isinstance(m, BatchNorm) else m for m in network()))
    theirs.double().load_state_dict(ours.state_dict())
    assert torch.equal(ours(whole_batch()), theirs(whole_batch()))


def test_missing_gradients_count_as_zeros(found: list[dict[str, Any]]) -> None:
    for process in found:
        first, second, third, fourth = process["lacking"]
        assert torch.equal(first, torch.full((2, 3), 1.5, dtype=torch.float64))
        assert torch.equal(second, torch.full((3,), 0.5, dtype=torch.float64))
        assert torch.equal(third, torch.tensor(1.0))
        assert fourth is None, "no process has one, so an optimizer must leave the parameter alone"


@pytest.mark.parametrize("game", [*GAMES, "accumulated"])
def test_an_exchange_during_backward_leaves_the_means(found: list[dict[str, Any]], game: str) -> None:
    results = [process["accumulated"] if game == "accumulated" else process["games"][game] for process in found]
    for result in results:
        assert result["worst"] < 1e-9
        assert result["sent"] == result["early"] > 8, "every bucket was on its way when backward ended"
    one, other = (result["weights"] for result in results)
    assert all(torch.equal(one[name], other[name]) for name in one if "pool" not in name)


def test_an_exchange_counts_missing_gradients_as_zeros(found: list[dict[str, Any]]) -> None:
    for process in found:
        (first, second, third, fourth), whole = process["exchange lacking"]["found"]
        assert torch.equal(first, torch.full((2, 3), 2.0, dtype=torch.float64)), "each loss is the sum of both"
        assert torch.equal(second, torch.full((3,), 0.5, dtype=torch.float64))
        assert torch.equal(third, torch.tensor(1.0))
        assert fourth is None, "no process has one, so an optimizer must leave the parameter alone"
        assert [gradient.unique().tolist() for gradient in whole] == [[2.0], [1.5], [1.5], [1.5]]
        assert process["exchange lacking"]["frozen"]


def test_an_exchange_keeps_the_order_in_memory_and_the_place(found: list[dict[str, Any]]) -> None:
    for process in found:
        result = process["channels last"]
        assert torch.equal(result["gradient"], torch.arange(24.0).view(2, 3, 2, 2) * 1.5)
        assert tuple(result["stride"]) == (12, 1, 6, 3)
        assert result["places"][0] == result["places"][1]


def test_an_exchange_alone_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Parameter, "register_post_accumulate_grad_hook", None)
    weight = nn.Parameter(torch.ones(2))
    exchange = Exchange([weight])
    with exchange.overlapping():
        (weight * 3).sum().backward(inputs=[weight])
    gradient = weight.grad
    exchange.finish()
    assert weight.grad is gradient
    assert torch.equal(gradient, torch.tensor([3.0, 3.0]))


def test_small_exchanges(found: list[dict[str, Any]]) -> None:
    for process in found:
        assert process["any"] == [True, False, True]
        assert [float(value) for value in process["average"]] == [0.5, 3.0]
        assert [value.dtype for value in process["average"]] == [torch.float32, torch.float64]
        assert all(torch.equal(value, found[0]["broadcast"][key]) for key, value in process["broadcast"].items())


def test_one_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert distributed.start("cpu") == (0, 1)
    assert distributed.is_main() and distributed.any_true(True) and not distributed.any_true(False)
    value = torch.ones(3, requires_grad=True)
    assert distributed.sum_over_processes(value) is value
    (mean,) = distributed.average([value.sum()])
    assert float(mean) == 3 and not mean.requires_grad
    distributed.barrier()
    distributed.stop()
