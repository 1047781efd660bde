"""What convert.py measures on: networks with random weights, in our file and the incumbent's, and pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from translate import images, networks
from translate.checkpoint import About, save_model
from translate.data.drawn import DRAWN
from translate.foreign import read_foreign
from translate.networks.init import initialise

QUALITY = 90
SETTLING = 8  # pictures that fill the running statistics


class Subject(NamedTuple):
    """A generator by our names, and the flags that make the incumbent build the same one."""

    network: str
    arguments: dict[str, object]
    theirs: str


SUBJECTS = {
    "resnet9": Subject(
        "resnet",
        {"width": 64, "blocks": 9, "norm": "instance", "dropout": 0.0},
        "--netG resnet_9blocks --ngf 64 --norm instance --no_dropout",
    ),
    "unet256": Subject(
        "unet",
        {"width": 64, "depth": 8, "norm": "batch", "dropout": 0.0},
        "--netG unet_256 --ngf 64 --norm batch --no_dropout",
    ),
    "small": Subject(
        "unet",
        {"width": 16, "depth": 7, "norm": "batch", "dropout": 0.0},
        "--netG unet_128 --ngf 16 --norm batch --no_dropout",
    ),
    "tiny": Subject("resnet", {"width": 4, "blocks": 1, "norm": "instance", "dropout": 0.0}, ""),
}


def make_model(name: str, path: Path, pictures: Path, statistics: str, theirs: Path | None = None) -> None:
    """Write the model file `path` of subject `name` with seed 0, and the same weights as the incumbent's `theirs`."""
    subject = SUBJECTS[name]
    network = networks.build(subject.network, {"in_channels": 3, "out_channels": 3, **subject.arguments})
    initialise(network, "normal", 0.02, torch.Generator().manual_seed(0))
    if statistics == "running":
        _settle(network, pictures)
    about = About("bench", "AtoB", (3, 3), 256, "running" if statistics == "running" else "image")
    save_model(path, {"AtoB": network.eval()}, about)
    if theirs:
        _save_theirs(network, subject.network, theirs)


def make_pictures(folder: Path, count: int, size: int, photos: Path | None = None) -> None:
    """Fill `folder` with `count` JPEGs of `size` x `size`, from `photos` (their middle square) or drawn with grain."""
    folder.mkdir(parents=True)
    source = _photographs(photos, count, size) if photos else _drawings(count, size)
    for index, picture in enumerate(source):
        Image.fromarray(picture).save(folder / f"{index:05d}.jpg", quality=QUALITY)


def _photographs(photos: Path, count: int, size: int) -> Iterator[np.ndarray]:
    found = images.list_images(photos)
    if not found:
        raise SystemExit(f"{photos} holds no images.")
    for index in range(count):
        with Image.open(found[index % len(found)]) as photo:
            side = min(photo.size)
            left, top = ((length - side) // 2 for length in photo.size)
            middle = photo.convert("RGB").crop((left, top, left + side, top + side))
        yield np.asarray(middle.resize((size, size), Image.Resampling.BICUBIC))


def _drawings(count: int, size: int) -> Iterator[np.ndarray]:
    for index in range(count):
        rng = np.random.default_rng((0, index))
        _, (scene, _) = DRAWN["drawn-seasons"].draw("test", rng, size)
        # Flat areas would make files of half a photograph's size, sooner decoded.
        yield np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)


@torch.no_grad()
def _settle(network: nn.Module, pictures: Path) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the plain mean over all batches, however few
    network.train()
    for path in sorted(pictures.iterdir())[:SETTLING]:
        network(images.to_tensor(images.read(path).pixels)[None])


def _save_theirs(network: nn.Module, kind: str, path: Path) -> None:
    ours = network.state_dict()
    modules = _unet_modules(network.multiple) if kind == "unet" else _resnet_modules(len(network.blocks))
    path.parent.mkdir(parents=True)
    torch.save({f"{modules[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": ours[key] for key in ours}, path)
    back = read_foreign(path).state
    assert all(torch.equal(back[key], ours[key]) for key in ours), "the incumbent would be given other weights"


def _resnet_modules(blocks: int) -> dict[str, str]:
    """The incumbent's name of each of our modules that has weights: without norms, for only batch norms have some."""
    modules = {"stem.conv.conv": "model.1", "downs.0.conv": "model.4", "downs.1.conv": "model.7"}
    for n in range(blocks):
        modules |= {f"blocks.{n}.conv{i}.conv": f"model.{10 + n}.conv_block.{place}" for i, place in ((1, 1), (2, 5))}
    ups, head = [f"model.{10 + blocks + 3 * n}" for n in range(2)], f"model.{17 + blocks}"
    return modules | {"ups.0.conv": ups[0], "ups.1.conv": ups[1], "head.conv": head}


def _unet_modules(multiple: int) -> dict[str, str]:
    depth = multiple.bit_length() - 1
    modules = {"downs.0.conv": "model.model.0", "head": "model.model.3"}
    prefix = "model.model.1.model"
    for level in range(1, depth):
        modules |= {f"downs.{level}.conv": f"{prefix}.1", f"downs.{level}.norm": f"{prefix}.2"}
        ours, place = f"ups.{depth - 1 - level}", 3 if level == depth - 1 else 5
        modules |= {f"{ours}.conv": f"{prefix}.{place}", f"{ours}.norm": f"{prefix}.{place + 1}"}
        prefix += ".3.model"
    return modules
