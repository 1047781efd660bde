"""Fixtures that several test files share."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from translate.images import Picture, write
from translate.methods import METHODS

torch.set_num_threads(1)  # tiny networks gain nothing from more

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(name: str) -> Path:
    path = _SHARED / name
    if not path.is_dir():
        pytest.skip(f"there is no folder {path}")
    return path


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference numbers, which lies beside the checkout; skips where it is absent."""
    return _folder("reference")


@pytest.fixture(scope="session")
def weights() -> Path:
    """Folder of pretrained weights, which lies beside the checkout; skips where it is absent."""
    return _folder("weights")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A paired data set, A|B side by side: 8 train, 4 val, 16 pixels; B is A darkened, with red and blue exchanged."""
    for split, count in (("train", 8), ("val", 4)):
        folder = tmp_path / "pairs" / split
        folder.mkdir(parents=True)
        for index in range(count):
            a = _picture(hash_seed(split, index))
            write(folder / f"{index}.png", Picture(np.concatenate([a, a[..., ::-1] // 2], axis=1)))
    return tmp_path / "pairs"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """An unpaired data set: trainA 8, trainB 7, testA and testB 3, 16 pixels; A is bright, B is dark."""
    for name, count in (("trainA", 8), ("trainB", 7), ("testA", 3), ("testB", 3)):
        folder = tmp_path / "folders" / name
        folder.mkdir(parents=True)
        for index in range(count):
            pixels = _picture(hash_seed(name, index))
            write(folder / f"{name}{index}.png", Picture(pixels if name.endswith("A") else pixels // 3))
    return tmp_path / "folders"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A single folder of 12 colour pictures, 16 pixels; `hold_out` takes one of them for val."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        write(folder / f"{index}.png", Picture(_picture(hash_seed("pictures", index))))
    return folder


TINY = {"width": 2, "width_d": 2, "layers": 1, "size": 16, "workers": 0, "device": "cpu"}
"""Settings of networks that train in milliseconds; `depth` and `blocks` say how deep."""

SMALL = {key: TINY[key] for key in ("size", "workers", "device")}

PAINTING = Path(__file__).with_name("painting.png")
"""24 by 24 pixels: waves of colour, drawn for these tests."""

TEACHER = Path(__file__).with_name("teacher.safetensors")
"""A model file of mode pix2pix with a resnet of width 2 and one block, its weights drawn for these tests."""

TINY_MODES: dict[str, dict[str, Any]] = {
    "pix2pix": TINY | {"depth": 2},
    "cycle": TINY | {"blocks": 1},
    # Both players from the first step on; what the phases are is told in test_colorize_training.
    "colorize": TINY | {"head": "regression", "depth": 2, "pretrain": 0, "critic": 0, "batch_size": 2},
    "dcgan": {key: value for key, value in TINY.items() if key != "layers"} | {"latent": 4, "batch_size": 2},
    "style": SMALL
    | {"width": 2, "blocks": 1, "style": str(PAINTING), "features": "random", "batch_size": 2}
    | {"style_layers": "relu1_1,relu2_1", "content_layers": "relu2_1"},
    "adain": SMALL | {"features": "random", "layer": "relu2_1", "batch_size": 2},
    "distill": TINY | {"teacher": str(TEACHER), "blocks": 1},
}

NOT_OF_ALL = {"norm", "norm_d", "dropout"}
"""Settings that tests give to every mode, though some have no such thing."""


def taken(mode: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` without those of NOT_OF_ALL that `mode` does not have."""
    known = METHODS[mode].settings.model_fields
    return {key: value for key, value in values.items() if key in known or key not in NOT_OF_ALL}


def hash_seed(*parts: object) -> int:
    return zlib.crc32(repr(parts).encode())


def _picture(seed: int) -> np.ndarray:
    """16 by 16 pixels: smooth colours, so that JPEG and resizing leave them recognisable."""
    coarse = np.random.default_rng(seed).integers(40, 256, (4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)
