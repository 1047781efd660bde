"""Images a second of the loader: from files, from the decoded cache, resident; beside the incumbent's own way."""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy, OpenCV and torch are there to read it

import cv2
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from translate.config import DataSettings
from translate.data import Kind, detect, open_split, stream
from translate.data.resident import resident_stream, why_not_resident
from translate.errors import TranslateError

CROP, LOAD = 256, 286
REFERENCE, PLAIN = "incumbent", "PIL + torchvision"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="DIR", help="data sets, with train files"
    )
    parser.add_argument("--reference", type=Path, metavar="DIR", help="copy of pytorch-CycleGAN-and-pix2pix")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--count", type=int, default=60, help="items a round; a pair is one item")
    parser.add_argument("--rounds", type=int, default=9, help="times that all rows are measured in turn")
    parser.add_argument("--jitter", type=float, default=0.0, help="setting jitter, for our rows")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"torch {torch.__version__}, one thread, no workers, batches of {arguments.batch_size}, crops of {CROP}")
    print("processor time, which other programs stretch less than the clock's; medians of the rounds and of the ratios")
    for root in arguments.data:
        table(root, arguments)


def table(root: Path, arguments: argparse.Namespace) -> None:
    kind: Kind = "unpaired" if (root / "trainA").is_dir() else "paired"
    try:
        rows = ours(root, kind, arguments)
    except TranslateError as error:
        raise SystemExit(str(error)) from None
    name = REFERENCE if arguments.reference else PLAIN
    rows = {name: reference(root, kind, arguments), **rows}
    for batches in rows.values():  # what is imported and opened at the first item
        next(batches)
    rates: dict[str, list[float]] = {row: [] for row in rows}
    steps = max(1, arguments.count // arguments.batch_size)
    for _ in range(arguments.rounds):
        for row, batches in rows.items():
            began = time.process_time()
            for _ in range(steps):
                next(batches)
            rates[row].append(2 * steps * arguments.batch_size / (time.process_time() - began))
    print(f"\n{root.name}, {kind}\n{'':24}{'images/s':>10}{'min':>8}{'max':>8}{'ms each':>10}{'ratio':>8}")
    for row, found in rates.items():
        middle = statistics.median(found)
        # Round by round, for the machine's pace drifts between rounds.
        ratio = statistics.median(mine / theirs for mine, theirs in zip(found, rates[name], strict=True))
        print(f"{row:24}{middle:10.0f}{min(found):8.0f}{max(found):8.0f}{1000 / middle:10.3f}{ratio:7.2f}x", flush=True)


def ours(root: Path, kind: Kind, arguments: argparse.Namespace) -> dict[str, Iterator[object]]:
    rows: dict[str, Iterator[object]] = {}
    for row, cache in (("ours, from files", 0), ("ours, from the cache", 1 << 14)):
        settings = DataSettings.checked({"size": CROP, "load_size": LOAD, "cache": cache, "jitter": arguments.jitter})
        dataset = open_split(detect(root, kind), "train", kind, settings, seed=0)
        dataset.prepare()
        rows[row] = stream(dataset, batch_size=arguments.batch_size, seed=0, workers=0)
    device = torch.device("cpu")
    if reason := why_not_resident(dataset, device):
        print(f"not resident: {reason}")
    else:
        rows["ours, resident"] = resident_stream(dataset, batch_size=arguments.batch_size, seed=0, device=device)
    return rows


def reference(root: Path, kind: Kind, arguments: argparse.Namespace) -> Iterator[object]:
    """Its batches for ever, in its own way: a DataLoader without workers over its data set."""
    dataset = theirs(root, kind, arguments.reference) if arguments.reference else Plain(root, kind)
    while True:
        yield from DataLoader(dataset, batch_size=arguments.batch_size, shuffle=True)


def theirs(root: Path, kind: Kind, copy: Path) -> Dataset:
    sys.path.insert(0, str(copy.resolve()))
    from data.aligned_dataset import AlignedDataset
    from data.unaligned_dataset import UnalignedDataset

    options = {"dataroot": str(root), "phase": "train", "max_dataset_size": float("inf"), "direction": "AtoB"}
    options |= {"load_size": LOAD, "crop_size": CROP, "input_nc": 3, "output_nc": 3, "preprocess": "resize_and_crop"}
    options |= {"no_flip": False, "serial_batches": False}
    return (AlignedDataset if kind == "paired" else UnalignedDataset)(SimpleNamespace(**options))


class Plain(Dataset):
    """Pictures as most training scripts load them; A|B side by side, or one of trainA and one of trainB."""

    def __init__(self, root: Path, kind: Kind) -> None:
        folders = [root / "train"] if kind == "paired" else [root / "trainA", root / "trainB"]
        self.files = [sorted(path for path in folder.iterdir() if path.is_file()) for folder in folders]

    def __len__(self) -> int:
        return max(map(len, self.files))

    def __getitem__(self, index: int) -> list[torch.Tensor]:
        if len(self.files) == 2:
            a, b = (Image.open(files[index % len(files)]).convert("RGB") for files in self.files)
            return [drawn()(a), drawn()(b)]
        pair = Image.open(self.files[0][index]).convert("RGB")
        middle = pair.width // 2
        both = drawn()
        return [both(pair.crop((start, 0, start + middle, pair.height))) for start in (0, middle)]


def drawn() -> Callable[[Image.Image], torch.Tensor]:
    """The usual transforms with one draw of crop and mirror."""
    left, top = random.randint(0, LOAD - CROP), random.randint(0, LOAD - CROP)
    steps = [
        transforms.Resize([LOAD, LOAD], transforms.InterpolationMode.BICUBIC),
        transforms.Lambda(lambda image: image.crop((left, top, left + CROP, top + CROP))),
        transforms.RandomHorizontalFlip(float(random.random() > 0.5)),
        transforms.ToTensor(),
        transforms.Normalize((0.5,) * 3, (0.5,) * 3),
    ]
    return transforms.Compose(steps)


if __name__ == "__main__":
    main()
