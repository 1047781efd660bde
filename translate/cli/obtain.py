"""Obtain a data set that is asked for by name and is not there yet: draw a built-in one, download a public one."""

import os
import time
from pathlib import Path

import typer

from translate.cli import datasets


def obtain(name: str, interactive: bool, root: Path = Path("datasets")) -> None:
    """Make `root/name` if `name` is no existing path but a known data set; ask first where a person is at hand.

    A name that nothing is known of is left for `translate.fit` to refuse.
    """
    from translate.data import catalogue
    from translate.data.drawn import DRAWN

    if Path(name).exists() or (root / name).exists():
        return
    if os.environ.get("RANK", "0") != "0":  # the first process obtains it
        while (name in DRAWN or name in catalogue.KNOWN) and not (root / name).exists():
            time.sleep(0.2)
        return
    if name in DRAWN:
        datasets.make(name, root / name)
    elif name in catalogue.KNOWN and catalogue.KNOWN[name].url:
        row = catalogue.KNOWN[name]
        size = f", {row.bytes / 2**20:.0f} MiB" if row.bytes else ""
        if interactive:
            typer.confirm(f"{root / name} is not there. Download it from {row.url}{size}?", default=True, abort=True)
        datasets.download(name, root)
