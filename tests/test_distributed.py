"""Two processes on half a batch each equal one process on the whole."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate import distributed
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
    distributed.average_gradients(module.parameters())
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
    distributed.average_gradients(parameters)
    return [parameter.grad for parameter in parameters]


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
