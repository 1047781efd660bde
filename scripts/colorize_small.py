"""Train the colorizing model that comes with translate: scripts/colorize_small.py FOLDER ... [--steps N] [--keep RUN].

FOLDERs hold colour photographs. What is made stands in checkpoints/colorize-small/, in half precision.
"""

import argparse
import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

import translate
from translate import checkpoint, images

HOME = Path(__file__).resolve().parent.parent / "checkpoints" / "colorize-small"
SETTINGS = {
    "size": 160,
    "load_size": 176,
    "batch_size": 16,
    "width": 24,
    "rebalance": 0.2,
    "schedule": "cosine",
    "ema": 0.998,
    "beta1": 0.9,
    "precision": "bf16",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--vividness", type=float, default=0.0)
    parser.add_argument("--licence", default="", help="note on the licence of pictures and weights, for the model file")
    parser.add_argument("--data", default="", help="what the pictures are, for the model file")
    parser.add_argument("--keep", type=Path, default=None, help="the run folder; with one that exists it is resumed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photographs = gather(given.folders, Path(scratch) / "photographs")
        run = given.keep or Path(scratch) / "run"
        resume = (run / checkpoint.LAST).exists()
        translate.fit(
            photographs,
            mode="colorize",
            out=run.parent,
            name=run.name,
            resume=resume,
            steps=given.steps,
            licence=given.licence,
            **SETTINGS,
        )
        publish(run, given.temperature, given.vividness, given.data)


def gather(folders: list[Path], into: Path) -> Path:
    """Links to the photographs in `folders`, each content once."""
    into.mkdir()
    seen = set()
    for path in (path for folder in folders for path in images.list_images(folder)):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in seen:
            seen.add(digest)
            (into / f"{digest[:12]}{path.suffix}").symlink_to(path.resolve())
    return into


def publish(run: Path, temperature: float, vividness: float, data: str) -> None:
    """Write the model of `run` as the one that comes with translate."""
    model = checkpoint.load_model(run / checkpoint.MODEL)
    generator = model.networks["AtoB"]
    for name, value in (("temperature", temperature), ("vividness", vividness)):
        setattr(generator, name, value)
        generator.arguments[name] = value
    HOME.mkdir(exist_ok=True)
    # The scores were those of the temperature and vividness that it was trained with.
    about = replace(model.about, data=data or model.about.data, scores={})
    checkpoint.save_model(HOME / checkpoint.MODEL, model.networks, about, half=True)
    print(f"{HOME / checkpoint.MODEL}: {(HOME / checkpoint.MODEL).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
