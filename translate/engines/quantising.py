"""The process that quantises: NNCF changes torch, and what signals do, wherever it is imported.

Run as `python -m translate.engines.quantising FOLDER`: model.xml and images.npz there become quantised.xml.
"""

import contextlib
import io
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> None:
    import nncf
    import openvino as ov

    with np.load(folder / "images.npz") as stored:
        images = [stored[name] for name in sorted(stored.files)]
    nncf.set_log_level(logging.ERROR)
    # It draws bars on the standard output.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        quantised: Any = nncf.quantize(
            ov.Core().read_model(folder / "model.xml"),
            nncf.Dataset(images),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
        )
    ov.save_model(quantised, folder / "quantised.xml", compress_to_fp16=False)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        lines = str(error).strip().splitlines()
        sys.exit(f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__)
