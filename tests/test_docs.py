"""The documentation says what is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_tables_of_settings_are_current():
    command = [sys.executable, "scripts/settings_table.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"`((?:translate|scripts|tests|docs)/[\w./]+?)`", text) + re.findall(r"\]\(([\w./]+)\)", text)
    assert not [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
