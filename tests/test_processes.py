"""Two processes under torchrun give the weights of one on the whole batch."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY_MODES, taken
from test_fit import assert_same, data, final, train  # noqa: F401 (data is a fixture)

from translate.methods import METHODS

VALUES = {"steps": 6, "batch_size": 4, "precision": "64", "dropout": 0, "threads": 1, "ema": 0.5}


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


# Hints, and the noise that images are made from, are drawn by each process for its own share, as dropout is.
OWN: list[tuple[str, dict[str, Any]]] = [(mode, {}) for mode in METHODS if mode not in ("colorize", "dcgan")]
OWN += [("colorize", {"hints": False, "head": head}) for head in ("regression", "classification")]


@pytest.mark.parametrize(("mode", "own"), OWN, ids=lambda each: each if isinstance(each, str) else each.get("head", ""))
def test_two_processes_equal_one(data: dict[str, Path], tmp_path: Path, mode: str, own: dict[str, Any]):  # noqa: F811
    values = VALUES | own
    one = final(train(data[mode], mode, tmp_path, "one", **values))
    launch_two(data[mode], mode, tmp_path, "two", values)
    two = final(tmp_path / "two")
    for part in ("method", "averages"):
        compare(one[part], two[part])


def test_two_processes_resume_exactly_with_full_pools(data: dict[str, Path], tmp_path: Path):  # noqa: F811
    values = VALUES | {"pool": 2, "schedule": "constant"}
    launch_two(data["cycle"], "cycle", tmp_path, "whole", values)
    launch_two(data["cycle"], "cycle", tmp_path, "parts", values | {"steps": 3})
    launch_two(data["cycle"], "cycle", tmp_path, "parts", values | {"resume": True})
    whole, parts = final(tmp_path / "whole"), final(tmp_path / "parts")
    del whole["health"], parts["health"]  # whose open window is summed in another order
    assert_same(whole, parts)


def launch_two(root: Path, mode: str, out: Path, name: str, values: dict) -> None:
    """Train in two processes under torchrun."""
    given = TINY_MODES[mode] | taken(mode, values)
    resume = ["--resume"] if given.pop("resume", False) else []
    words = ["fit", str(root), "--mode", mode, "--out", str(out), "--name", name, *resume]
    words += [f"--set={key}={value}" for key, value in given.items()]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    launch += [f"--master-port={free_port()}", "-m", "translate", *words]
    done = subprocess.run([sys.executable, *launch], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def compare(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        if name.startswith("pool"):
            continue  # each process keeps its own fakes
        if isinstance(value, str):
            assert value == other[name]
            continue
        if isinstance(value, dict):
            compare(value, other[name])
        else:
            torch.testing.assert_close(
                value, other[name], rtol=0, atol=1e-9, msg=lambda text, name=name: f"{name}: {text}"
            )
