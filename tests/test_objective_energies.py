"""Objectives that judge by an auto-encoder's energies: EBGAN's margin, BEGAN's feedback."""

import math
import os
import socket
from pathlib import Path

import pytest
import torch
from torch import Tensor

from translate import distributed
from translate.errors import ConfigError
from translate.objectives import OBJECTIVES
from translate.objectives.began import BoundaryEquilibrium
from translate.objectives.ebgan import EnergyBased


def energies(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("values", [("ebgan", "margin", 0.0), ("began", "gamma", 1.5), ("began", "k_rate", -1.0)])
def test_options_out_of_range_are_refused(values: tuple[str, str, float]) -> None:
    name, option, value = values
    with pytest.raises(ConfigError, match=f"{option}={value}"):
        OBJECTIVES[name](**{option: value})
    with pytest.raises(ConfigError, match=f"{option}=nan"):
        OBJECTIVES[name](**{option: math.nan})


def test_the_margin_frees_far_fakes() -> None:
    fake = energies(0.5, 2.5, 1.0)
    terms = EnergyBased(margin=2.0).discriminator(energies(1.0), fake)
    assert terms["fake"].item() == pytest.approx((1.5 + 0 + 1) / 3)
    terms["fake"].backward()
    assert fake.grad.tolist() == pytest.approx([-1 / 3, 0, -1 / 3])


def test_three_steps_of_k_by_hand() -> None:
    """gamma 1/2, rate 0.1: 0 + 0.1 (2 - 0.5) = 0.15, then + 0.1 (1 - 1.2) = 0.13, then - 0.1 (2.5 - 0.25) < 0."""
    began = BoundaryEquilibrium(gamma=0.5, k_rate=0.1)
    turns = [(4.0, 0.5), (2.0, 1.2), (0.5, 2.5)]
    for (real, fake), before, after in zip(turns, (0, 0.15, 0.13), (0.15, 0.13, 0), strict=True):
        reals, fakes = energies(real - 0.25, real + 0.25), energies(fake)
        terms = began.discriminator(reals, fakes)
        assert terms["real"].item() == pytest.approx(real)
        assert terms["fake"].item() == pytest.approx(-before * fake, abs=1e-7)
        assert began.k.item() == pytest.approx(after, abs=1e-7)
        sum(terms.values()).backward()  # with the k of its own turn
        assert fakes.grad.item() == pytest.approx(-before, abs=1e-7)
        assert reals.grad.tolist() == pytest.approx([0.5, 0.5])
    assert began.convergence(energies(4.0), energies(0.5)).item() == pytest.approx(4 + 1.5)
    assert began.convergence(energies(1.0), energies(0.7)).item() == pytest.approx(1 + 0.2)


def test_k_is_bounded_saved_and_still_where_nothing_is_learned() -> None:
    began = BoundaryEquilibrium(k_rate=1.0)
    with torch.no_grad():
        began.discriminator(torch.ones(2), torch.zeros(2))
    assert began.k.item() == 0
    began.generator(None, torch.zeros(2))
    assert began.k.item() == 0
    began.discriminator(torch.full((2,), 50.0), torch.zeros(2))
    assert began.k.item() == 1
    other = BoundaryEquilibrium()
    other.load_state_dict(began.state_dict())
    assert other.k.item() == 1 and not list(began.parameters())


def move_k(rank: int, port: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    distributed.start("cpu")
    began = BoundaryEquilibrium(k_rate=0.1)
    began.discriminator(torch.tensor([[4.0], [2.0]])[rank], torch.tensor([[0.5], [0.9]])[rank])
    distributed.barrier()
    torch.save(began.k, Path(folder) / f"{rank}.pt")
    distributed.stop()
    os._exit(0)  # gloo's threads sometimes abort a process that ends the usual way


def test_k_is_the_same_in_every_process(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(move_k, (port, str(tmp_path)), nprocs=2)
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt").item() == pytest.approx(0.1 * (1.5 - 0.7), abs=1e-7)
