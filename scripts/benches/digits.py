"""Digits from noise by --mode dcgan, with and without conditions: classes, coverage, agreement, diversity, CPU seconds.

A small classifier, trained on the same 20,000 digits, says of an image what it shows; features are its last hidden
layer. The idx files of --mnist become folders by class in a temporary folder; sample sheets, a column a class, go to
--out. precision to coverage compare 2,000 images with as many held-out digits. CPU seconds are those of translate.fit.
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import translate
from translate.data import idx
from translate.errors import TranslateError
from translate.grid import draw_mosaic
from translate.images import write
from translate.metrics.diversity import diversity
from translate.metrics.prdc import prdc

MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"
TRAIN, TEST = "train20k", "t10k"
CLASSES, MADE, SHEET, CODES = 10, 2000, 100, 2

COMMON: dict[str, Any] = {"size": 28, "width": 32, "width_d": 32, "batch_size": 64, "learning_rate": 1e-3}
"""paper64 at 28 pixels with half its width; smaller batches and a higher rate, for runs of minutes."""


class Job(NamedTuple):
    """Steps and settings besides COMMON of one model, and the least (KL: the most) that is wanted of what it makes."""

    steps: int
    settings: dict[str, Any]
    wanted: dict[str, float]


ASKED = {"agreement": 0.9, "diversity": 0.6, "in pixels": 0.6}
JOBS = {
    "unconditional": Job(1500, {}, {"classes": 10, "KL": 0.1, "coverage": 0.25}),
    "concat": Job(1500, {"conditioning": "concat"}, ASKED),
    "projection": Job(2500, {"conditioning": "projection", "conditioning_g": "batchnorm"}, ASKED),
    "acgan": Job(1500, {"conditioning": "acgan"}, ASKED),
    # As published, G learns faster than D. With little noise, kinds of digits are to be told by the code.
    "infogan": Job(
        2000,
        {"conditioning": "infogan", "continuous": CODES, "latent": 10, "learning_rate_d": 2e-4},
        {"NMI": 0.5},
    ),
}
AT_MOST = {"KL"}


class Judge(NamedTuple):
    """The classifier, and MADE held-out digits with their features and classes."""

    network: nn.Sequential
    digits: Tensor
    features: Tensor
    classes: Tensor

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, 64) of `images` (N, 1, 28, 28) and the classes (N,) they show."""
        features = torch.cat([self.network[:-1](part) for part in images.split(500)])
        return features, self.network[-1](features).argmax(dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)}; default: all")
    parser.add_argument("--mnist", type=Path, default=MNIST, help="folder of the idx files; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("digits"), help="folder of the sheets; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps: too few for the targets")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.jobs if name not in JOBS]
    if unknown:
        parser.error(f"{unknown[0]} is none of {', '.join(JOBS)}")
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, one thread, seed {arguments.seed}")
    print("every model: " + ", ".join(f"{name}={value}" for name, value in COMMON.items()), flush=True)
    try:
        judge = trained_judge(arguments.mnist)
        with tempfile.TemporaryDirectory() as folder:
            pictures, labels = _pair(arguments.mnist, TRAIN)
            idx.unpack(pictures, Path(folder) / "digits" / "train", labels)
            measured = {name: measure(name, Path(folder), judge, arguments) for name in arguments.jobs or JOBS}
    except TranslateError as error:
        raise SystemExit(str(error)) from None
    show(measured)
    print(f"sheets: {arguments.out}")


# The judge


def trained_judge(folder: Path, epochs: int = 3, batch: int = 64, rate: float = 3e-3) -> Judge:
    """Train the classifier on the digits in `folder` and say what share of the test set it gets right."""
    began = time.process_time()
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, CLASSES),
    )  # fmt: skip
    images, classes = digits(folder, TRAIN)
    whole = len(images) // batch
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * whole)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(batch)[:whole]:
            optimizer.zero_grad()
            F.cross_entropy(network(images[chosen]), classes[chosen]).backward()
            optimizer.step()
            schedule.step()
    images, classes = digits(folder, TEST)
    blank = Judge(network, images[:MADE], torch.empty(0), classes[:MADE])
    features, said = blank.look(images)
    right = float((said == classes).float().mean())
    print(
        f"classifier: {right:.2%} of {len(images):,} test digits right (wanted: 98 %), "
        f"{time.process_time() - began:.0f} CPU s",
        flush=True,
    )
    return blank._replace(features=features[:MADE])


def digits(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 28, 28) in [-1, 1] and classes (N,) of the idx files of `part`."""
    pictures, labels = _pair(folder, part)
    pixels = torch.from_numpy(idx.read(pictures, 3).copy())
    return pixels[:, None] / 127.5 - 1, torch.from_numpy(idx.read(labels, 1).copy()).long()


# One model


class Measured(NamedTuple):
    """What a model makes, by name; `met`, which of its targets it meets; CPU seconds of `translate.fit`."""

    found: dict[str, float]
    met: dict[str, bool]
    seconds: float


def measure(name: str, folder: Path, judge: Judge, arguments: argparse.Namespace) -> Measured:
    """Train the model of job `name`, draw its sheets, measure what it makes."""
    job = JOBS[name]
    steps = max(1, job.steps // 10) if arguments.quick else job.steps
    told = ", ".join(f"{key}={value}" for key, value in {"steps": steps, **job.settings}.items())
    print(f"\n{name}: {told}", flush=True)
    began = time.process_time()
    run = translate.fit(
        folder / "digits", mode="dcgan", out=folder / "runs", name=name, seed=arguments.seed, steps=steps,
        sample_every=0, validate_every=0, save_every=steps, device="cpu", threads=1, workers=0, quiet=True,
        **COMMON, **job.settings,
    )  # fmt: skip
    seconds = time.process_time() - began
    sampler = translate.Sampler(run, "cpu")
    every = range(len(sampler.labels)) if sampler.labels else None
    made = sampler.sample(MADE, label=every, seed=1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(arguments.out / f"{name}.png", draw_mosaic(sampler.sample(SHEET, label=every), CLASSES))
    features, said = judge.look(made)
    found = shares(said, judge.classes) | prdc(judge.features, features)
    if sampler.about.labels:
        found |= obedience(made, features, said, judge)
    elif every:
        found |= codes(name, sampler, said, judge, arguments.out)
    met = {key: found[key] <= value if key in AT_MOST else found[key] >= value for key, value in job.wanted.items()}
    for key, value in job.wanted.items():
        sign = "<=" if key in AT_MOST else ">="
        print(f"  {key} {found[key]:.3g}, wanted {sign} {value:g}: {'met' if met[key] else 'NOT MET'}", flush=True)
    return Measured(found, met, seconds)


def show(measured: dict[str, Measured]) -> None:
    """All that was measured, a column a model."""
    rows = dict.fromkeys(key for each in measured.values() for key in each.found)
    print("\n" + f"{'':<12}" + "".join(f"{name:>15}" for name in measured))
    for row in rows:
        cells = (f"{each.found[row]:.3g}" if row in each.found else "-" for each in measured.values())
        print(f"{row:<12}" + "".join(f"{cell:>15}" for cell in cells))
    print(f"{'CPU s':<12}" + "".join(f"{each.seconds:>15.0f}" for each in measured.values()))
    met = ("met" if all(each.met.values()) else "NOT MET" for each in measured.values())
    print(f"{'targets':<12}" + "".join(f"{cell:>15}" for cell in met))


def shares(said: Tensor, real: Tensor) -> dict[str, float]:
    """Classes with 1 % of the images or more, and the divergence of their shares from the real ones, in nats."""
    ours, theirs = (torch.bincount(classes, minlength=CLASSES).double() / len(classes) for classes in (said, real))
    divergence = torch.special.xlogy(ours, ours / theirs).sum()
    return {"classes": int((ours >= 0.01).sum()), "KL": float(divergence)}


def obedience(made: Tensor, features: Tensor, said: Tensor, judge: Judge) -> dict[str, float]:
    """Share of images that show the class asked for, and how far apart those of a class are over real ones.

    diversity is measured by the distance of features, and in pixels; both are means over the classes.
    """
    asked = torch.arange(len(made)) % CLASSES
    pairs = {"diversity": (features, judge.features), "in pixels": (made.flatten(1), judge.digits.flatten(1))}
    spreads = {
        name: sum(diversity(ours[asked == c], theirs[judge.classes == c]) for c in range(CLASSES)) / CLASSES
        for name, (ours, theirs) in pairs.items()
    }
    return {"agreement": float((said == asked).float().mean())} | spreads


def codes(name: str, sampler: translate.Sampler, said: Tensor, judge: Judge, out: Path) -> dict[str, float]:
    """NMI of InfoGAN's category with the class, and what each continuous code does to slant and ink.

    Of a code: means over images with it at 1 less those over the same with it at -1, in deviations of real digits, all
    other codes at 0. The sheet of a code has a row a category and the code from -1 on the left to 1 on the right.
    """
    kinds = len(sampler.labels)
    found = {"NMI": mutual_information(torch.arange(len(said)) % kinds, said)}
    units = {"slant": slant(judge.digits).std(), "ink": ink(judge.digits).std()}
    for code in range(CODES):
        row = torch.zeros(CLASSES, CODES)
        row[:, code] = torch.linspace(-1, 1, CLASSES)
        low, high = (sampler.sample(500, label=range(kinds), seed=1, codes=row[end]) for end in (0, -1))
        for what, measured in {"slant": slant, "ink": ink}.items():
            found[f"{what} {code + 1}"] = float((measured(high).mean() - measured(low).mean()) / units[what])
        # The same noise in a row: image k of each of the samples is taken.
        across = [sampler.sample(kinds, label=range(kinds), codes=each) for each in row]
        write(out / f"{name}-code{code + 1}.png", draw_mosaic(torch.stack(across, 1).flatten(0, 1), CLASSES))
    return found


def mutual_information(one: Tensor, other: Tensor) -> float:
    """Of two labellings (N,), over the mean of their entropies: 1 for the same but for the names, 0 by chance."""
    joint = torch.zeros(int(one.max()) + 1, CLASSES, dtype=torch.float64)
    joint.index_put_((one, other), torch.tensor(1 / len(one), dtype=torch.float64), accumulate=True)
    whole, first, second = (-torch.special.xlogy(p, p).sum() for p in (joint, joint.sum(1), joint.sum(0)))
    return float(2 * (first + second - whole) / (first + second))


def slant(images: Tensor) -> Tensor:
    """How far (N,) the strokes of `images` lean, in pixels to the right a pixel upwards: from second moments."""
    light = (images[:, 0] + 1) / 2
    weight = light / light.sum(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    y, x = (torch.arange(28.0).view(shape) for shape in ((28, 1), (1, 28)))
    x, y = (each - (weight * each).sum(dim=(1, 2), keepdim=True) for each in (x, y))
    return -(weight * x * y).sum(dim=(1, 2)) / (weight * y * y).sum(dim=(1, 2)).clamp_min(1e-6)


def ink(images: Tensor) -> Tensor:
    """Mean light (N,) in [0, 1]."""
    return (images.mean(dim=(1, 2, 3)) + 1) / 2


def _pair(folder: Path, part: str) -> tuple[Path, Path]:
    return folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz"


if __name__ == "__main__":
    main()
