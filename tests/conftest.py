"""Fixtures that several test files share."""

from pathlib import Path

import pytest

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
