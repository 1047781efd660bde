"""SIGKILL at twenty random moments, saves included: the run ends with the weights of an uninterrupted one."""

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import pytest
from test_fit import assert_same, data, final, train  # noqa: F401 (data is a fixture)

from translate import checkpoint
from translate.methods import METHODS
from translate.run import Run

KILLS = 20
FEWER = 6
"""For the modes after the first two: files and steps are the same, and each kill takes seconds."""
# A checkpoint a step: on the machine this was written on, a quarter of such a run is saving.
VALUES: dict[str, Any] = {"steps": 60, "save_every": 1, "sample_every": 0, "report_every": 7, "validate_every": 9}


@pytest.fixture(scope="module")
def server() -> Any:
    """Starts processes in which translate is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["translate.fit", "translate.data.loader", "albumentations", "test_kill"])
    return context


def go_on(root: Path, mode: str, out: Path, begins: Any) -> None:
    resume = (out / "run" / checkpoint.CONFIG).exists()
    opened = Run.open

    def open_and_tell(self: Run, config: dict[str, Any]) -> None:
        opened(self, config)
        begins.set()

    Run.open = open_and_tell  # type: ignore[method-assign]
    train(root, mode, out, resume=resume, threads=1, **VALUES)


@pytest.mark.parametrize(
    ("mode", "kills"), [(mode, KILLS if place < 2 else FEWER) for place, mode in enumerate(METHODS)]
)
def test_kills_change_nothing(data: dict[str, Path], tmp_path: Path, mode: str, kills: int, server: Any):  # noqa: F811
    whole = train(data[mode], mode, tmp_path, "whole", **VALUES)
    draw = random.Random(7)
    killed = hit = 0
    longest = 0.4
    while killed < kills or hit < kills // 2:
        begins = server.Event()
        process = server.Process(target=go_on, args=(data[mode], mode, tmp_path, begins))
        process.start()
        assert begins.wait(60)
        process.join(draw.uniform(0, longest))
        if process.is_alive():
            process.kill()
            process.join()
            killed += 1
            hit += under_way(tmp_path / "run")
        else:
            assert process.exitcode == 0
            longest = max(0.1, longest * 0.8)  # it came to its end: begin again, to be killed earlier
            (tmp_path / "run").rename(tmp_path / f"ended{time.monotonic_ns()}")
    begins = server.Event()
    process = server.Process(target=go_on, args=(data[mode], mode, tmp_path, begins))
    process.start()
    process.join()
    assert process.exitcode == 0
    for run in [tmp_path / "run", *tmp_path.glob("ended*")]:
        assert_same(final(run), final(whole))
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        assert not list(run.rglob(".*partial*"))


def under_way(run: Path) -> bool:
    """Whether the kill came between the first and the last step; what is there must be loadable at any time."""
    if (run / checkpoint.MODEL).exists():
        checkpoint.load_model(run / checkpoint.MODEL)
    if not (run / checkpoint.LAST).exists():
        return False
    return 0 < checkpoint.load_state(run / checkpoint.LAST)["step"] < VALUES["steps"]
