"""SIGKILL at any moment, saves included: the run goes on and ends with the weights of an uninterrupted one."""

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest
from test_fit import assert_same, data, final, train  # noqa: F401 (data is a fixture)

from translate import checkpoint
from translate.methods import METHODS

KILLS = 20
# Small enough that a step takes about as long as a save: about half of the kills hit one.
VALUES: dict[str, Any] = {"steps": 60, "save_every": 1, "sample_every": 0, "report_every": 7, "validate_every": 9}


@pytest.fixture(scope="module")
def server() -> Any:
    """Starts processes in which translate is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["translate.fit", "translate.data.loader", "albumentations", "test_kill"])
    return context


def go_on(root: Path, mode: str, out: Path) -> None:
    resume = (out / "run" / checkpoint.CONFIG).exists()
    train(root, mode, out, resume=resume, threads=1, **VALUES)


@pytest.mark.parametrize("mode", METHODS)
def test_twenty_kills_change_nothing(data: dict[str, Path], tmp_path: Path, mode: str, server: Any):  # noqa: F811
    whole = train(data[mode], mode, tmp_path, "whole", **VALUES)
    draw = random.Random(7)
    killed, longest = 0, 0.5
    while killed < KILLS:
        process = server.Process(target=go_on, args=(data[mode], mode, tmp_path))
        process.start()
        process.join(draw.uniform(0, longest))
        if process.is_alive():
            process.kill()
            killed += 1
            process.join()
            assert_loadable(tmp_path / "run")
        else:
            assert process.exitcode == 0
            longest /= 2  # it came to its end: begin again, to be killed earlier
            (tmp_path / "run").rename(tmp_path / f"ended{time.monotonic_ns()}")
    process = server.Process(target=go_on, args=(data[mode], mode, tmp_path))
    process.start()
    process.join()
    for run in [tmp_path / "run", *tmp_path.glob("ended*")]:
        assert_same(final(run), final(whole))
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        assert not list(run.rglob(".*partial*"))


def assert_loadable(run: Path) -> None:
    if (run / checkpoint.LAST).exists():
        checkpoint.load_state(run / checkpoint.LAST)
    if (run / checkpoint.MODEL).exists():
        checkpoint.load_model(run / checkpoint.MODEL)
