"""One training step of ours, in any way of computing it, and of the incumbent's own code, on a fixed batch."""

import contextlib
import io
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.methods import METHODS
from translate.training.counting import count_step
from translate.training.execution import configure_backends
from translate.training.trainer import Trainer

Step = Callable[[], object]
REFERENCE = "reference"
LONG = 10**6  # steps of the run that is measured: whatever pays in the long run does
MODES = ("pix2pix", "cycle")


class Row(NamedTuple):
    """What is measured in one process."""

    variant: str
    mode: str
    batch: int
    size: int
    device: str
    threads: int
    reference: Path | None
    operations: float = 0
    """Of a step: `auto` decides by them."""


class Made(NamedTuple):
    """A step that can be called any number of times, and how it is computed: precision (32 or bf16) and in words."""

    step: Step
    precision: str
    words: str
    notices: Callable[[], list[str]]
    """What has turned out not to be possible as it was asked for."""


def _ways(execution: str) -> dict[str, dict[str, Any]]:
    name = "" if execution == "eager" else execution
    ways = {}
    for precision, channels_last in (("32", False), ("32", True), ("bf16", False), ("bf16", True)):
        parts = [name, "bf16" * (precision == "bf16"), "channels-last" * channels_last]
        said = "-".join(part for part in parts if part) or "eager"
        ways[said] = {"precision": precision, "execution": execution, "channels_last": channels_last}
    return ways


VARIANTS: dict[str, dict[str, Any]] = {
    REFERENCE: {},
    **_ways("eager"),
    **_ways("compile"),
    **_ways("graph"),
    **_ways("compile+graph"),
    "auto": {},
}
"""Names of rows with the settings of training that make them; `auto` is what a user gets who asks for nothing."""

USUAL = {
    "cpu": (REFERENCE, "eager", "channels-last", "bf16", "compile", "compile-bf16"),
    "cuda": tuple(name for name in VARIANTS if name != "auto"),
}
INCUMBENT = {
    "pix2pix": {
        "model": "pix2pix",
        "netG": "unet_256",
        "norm": "batch",
        "gan_mode": "vanilla",
        "pool_size": 0,
        "lambda_L1": 100.0,
        "no_dropout": False,
    },
    "cycle": {
        "model": "cycle_gan",
        "netG": "resnet_9blocks",
        "norm": "instance",
        "gan_mode": "lsgan",
        "pool_size": 50,
        "lambda_A": 10.0,
        "lambda_B": 10.0,
        "lambda_identity": 0.5,
        "no_dropout": True,
    },
}
"""Options of the incumbent as it publishes them, where they differ between the two modes."""
SHARED = {
    "isTrain": True,
    "continue_train": False,
    "verbose": False,
    "preprocess": "resize_and_crop",
    "direction": "AtoB",
    "input_nc": 3,
    "output_nc": 3,
    "ngf": 64,
    "ndf": 64,
    "netD": "basic",
    "n_layers_D": 3,
    "init_type": "normal",
    "init_gain": 0.02,
    "lr": 0.0002,
    "beta1": 0.5,
    "lr_policy": "linear",
    "epoch_count": 1,
    "n_epochs": 100,
    "n_epochs_decay": 100,
}


def make_step(row: Row) -> Made:
    """Make the networks of `row`, and a batch that lies on the device already."""
    device = torch.device(row.device)
    images = torch.Generator().manual_seed(0)
    a, b = ((torch.rand(row.batch, 3, row.size, row.size, generator=images) * 2 - 1).to(device) for _ in range(2))
    if row.variant == REFERENCE:
        assert row.reference is not None
        return Made(_incumbent(row.mode, row.reference, device, a, b), "32", "its own code", list)
    settings = TrainingSettings.checked(
        VARIANTS[row.variant] | {"device": row.device, "steps": LONG, "threads": row.threads}
    )
    configure_backends(settings, device)
    torch.manual_seed(0)
    kind = METHODS[row.mode]
    method = kind(kind.settings.checked({}), (3, 3), row.size, "AtoB")
    trainer = Trainer(method, settings, LONG, 1000, device, row.operations)
    batch = Batch(a, b, ("",) * row.batch)
    chosen = trainer.execution
    return Made(lambda: trainer.advance([batch]), chosen.precision, str(chosen), trainer.take_notices)


def _incumbent(mode: str, code: Path, device: torch.device, a: Tensor, b: Tensor) -> Step:
    # Its modules have names that anybody's could have: they are found first, but in this process alone.
    sys.path.insert(0, str(code))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        from models import create_model

        options = Namespace(**SHARED, **INCUMBENT[mode], device=device, checkpoints_dir=folder, name="bench")
        torch.manual_seed(0)
        model = create_model(options)
        model.setup(options)
    given = {"A": a, "B": b, "A_paths": [""], "B_paths": [""]}

    def step() -> None:
        model.set_input(given)
        model.optimize_parameters()

    return step


def operations(mode: str, batch: int, size: int) -> float:
    """Floating point operations of one step of ours, a multiplication with its addition counted as two."""
    kind = METHODS[mode]
    method = kind(kind.settings.checked({}), (3, 3), size, "AtoB")
    picture = torch.zeros(1, 3, size, size)
    return batch * count_step(method, Batch(picture, picture, ("",)))


def peak(precision: str, device: torch.device) -> float:
    """Operations a second of the best of several products of square matrices; on a GPU 32 means TF32, as training."""
    best, dtype = 0.0, torch.bfloat16 if precision == "bf16" else torch.float32
    sides = (4096, 8192, 16384) if device.type == "cuda" else (1024, 2048)
    for side in sides:
        one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        for seconds in (timed(lambda one=one, other=other: one @ other, device) for _ in range(5)):  # type: ignore[misc]
            best = max(best, 2 * side**3 / seconds)
    return best


def timed(step: Step, device: torch.device, times: int = 1) -> float:
    """Seconds of one of `times` steps in a row, from nothing pending on the device to nothing pending."""
    _wait(device)
    began = perf_counter()
    for _ in range(times):
        step()
    _wait(device)
    return (perf_counter() - began) / times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
