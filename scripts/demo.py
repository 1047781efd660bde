"""The demo: draw two data sets, train four modes on them, translate folders, put what comes out in pictures."""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from translate import images
from translate.grid import draw_grid
from translate.images import read, to_tensor

PIX2PIX = ["--size", "64", "--batch-size", "4", "--set", "width=32", "--set", "width_d=32", "--set", "dropout=0"]
CYCLE = ["--size", "64", "--batch-size", "1", "--set", "width=16", "--set", "blocks=3", "--set", "width_d=16"]
DCGAN = ["--size", "32", "--batch-size", "32", "--set", "width=32", "--set", "width_d=16", "--set", "flip=true"]
DCGAN += ["--set", "learning_rate=1e-3", "--set", "ema=0.98"]
COLORIZE = ["--size", "64", "--set", "width=16", "--set", "hints=false"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for everything that the demo makes")
    parser.add_argument("--pix2pix-steps", type=int, default=1200)
    parser.add_argument("--cycle-steps", type=int, default=900)
    parser.add_argument("--colorize-steps", type=int, default=150)
    parser.add_argument("--dcgan-steps", type=int, default=500)
    arguments = parser.parse_args()
    out = arguments.out / time.strftime("%Y%m%d-%H%M%S")

    print("1. Two data sets with known truth", flush=True)
    facades, seasons = out / "datasets" / "drawn-facades", out / "datasets" / "drawn-seasons"
    run("datasets", "make", "drawn-facades", facades)
    run("datasets", "make", "drawn-seasons", seasons)

    print("\n2. Pix2Pix on pairs: label maps to facades", flush=True)
    runs = ["--out", out / "checkpoints"]
    run("fit", facades, "--mode", "pix2pix", "--steps", arguments.pix2pix_steps, *PIX2PIX, *runs)
    print("\n3. CycleGAN on two unpaired folders: summer to winter", flush=True)
    run("fit", seasons, "--mode", "cycle", "--steps", arguments.cycle_steps, *CYCLE, *runs)

    print("\n4. Translating folders", flush=True)
    labels, truths = split_pairs(facades / "test", out / "facades")
    run("convert", out / "checkpoints" / "drawn-facades-pix2pix", labels, out / "facades" / "translated")
    run("convert", out / "checkpoints" / "drawn-seasons-cycle", seasons / "testA", out / "seasons" / "translated")

    print("\n5. Colorizing: summers, then others of them made grey", flush=True)
    colours = out / "colours.png"
    run("fit", seasons / "trainA", "--mode", "colorize", "--steps", arguments.colorize_steps, *COLORIZE, *runs)
    run("evaluate", out / "checkpoints" / "trainA-colorize", seasons / "testA", "--grid", colours)

    print("\n6. Images from noise: summers that nobody drew, and how healthy that training was", flush=True)
    made, watched = out / "made.png", out / "health.png"
    run("fit", seasons / "trainA", "--mode", "dcgan", "--steps", arguments.dcgan_steps, *DCGAN, *runs)
    run("sample", out / "checkpoints" / "trainA-dcgan", "-n", 64, "--seed", 7, "--out", made)
    run("health", out / "checkpoints" / "trainA-dcgan", "--out", watched)

    print("\n7. In the manner of a painting: summers like a front of houses, with no network at all", flush=True)
    painting = sorted((facades / "test").iterdir())[0]
    like = ["--features", "patch", "--size", 128, "--steps", 20]
    run("stylize", seasons / "testA", painting, "--out", out / "painted", "--include", "*0.png", *like)

    picture = out / "demo.png"
    rows = examples(labels, out / "facades" / "translated", truths)
    rows += examples(seasons / "testA", out / "seasons" / "translated", seasons / "testB")
    images.write(picture, draw_grid(rows))
    shown = "\n".join(str(path.resolve()) for path in (picture, colours))
    print(f"\nInput | output | truth, on pictures that training has not seen:\n{shown}")
    print(f"Made of noise:\n{made.resolve()}\nThe health of that training:\n{watched.resolve()}")
    print(f"In the manner of a painting:\n{(out / 'painted').resolve()}")


def run(*words: object) -> None:
    """Run the command `translate`, as a user would."""
    command = ["translate", *map(str, words)]
    print("$", *command, flush=True)
    done = subprocess.run([sys.executable, "-m", *command], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def split_pairs(pairs: Path, out: Path) -> tuple[Path, Path]:
    """Cut A|B pictures into a folder of inputs and a folder of truths."""
    for side in ("inputs", "truths"):
        (out / side).mkdir(parents=True)
    for path in images.list_images(pairs):
        pixels = read(path).pixels
        half = pixels.shape[1] // 2
        images.write(out / "inputs" / path.name, images.Picture(pixels=pixels[:, :half]))
        images.write(out / "truths" / path.name, images.Picture(pixels=pixels[:, half:]))
    return out / "inputs", out / "truths"


def examples(inputs: Path, outputs: Path, truths: Path, count: int = 4) -> list[dict[str, object]]:
    """The first rows of the picture, three columns each."""
    chosen = images.list_images(inputs)[:count]
    return [
        {
            title: to_tensor(read(folder / path.name).pixels.repeat(2, axis=0).repeat(2, axis=1))
            for title, folder in (("input", inputs), ("output", outputs), ("truth", truths))
        }
        for path in chosen
    ]


if __name__ == "__main__":
    main()
