"""Generators from noise that obey: the class asked for comes out, codes separate, labels by folder or CSV are one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import translate
from translate import checkpoint
from translate.config import near_miss
from translate.errors import ConfigError, DataError
from translate.images import Picture, write
from translate.sampler import Sampler

COLOURS = {"blue": (40, 60, 210), "green": (30, 180, 60), "red": (220, 50, 40)}
"""In the order of their numbers as classes."""
LATENT = 8
TINY: dict[str, Any] = {"size": 16, "width": 8, "width_d": 8, "latent": LATENT, "batch_size": 24, "learning_rate": 2e-3}
MADE = 120


def colours(root: Path, *, by_class: bool = True, count: int = 24) -> Path:
    """Pictures of 16 x 16, flat but for a light that differs from one to the next and grain, `count` of each colour."""
    random = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for index in range(count):
            light = random.uniform(0.75, 1.1)
            pixels = light * np.array(colour) + random.normal(0, 6, (16, 16, 3))
            path = root / "train" / (f"{name}/{index}.png" if by_class else f"{name[0]}{index}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, Picture(np.rint(pixels).clip(0, 255).astype(np.uint8)))
    return root


def train(root: Path, out: Path, name: str = "run", **values: Any) -> Path:
    never = dict.fromkeys(("sample_every", "validate_every", "probe_every", "health_every"), 0)
    quick = never | {"workers": 0, "device": "cpu", "report_every": 1000}
    return translate.fit(root, mode="dcgan", out=out, name=name, quiet=True, **(TINY | quick | values))


def nearest(images: torch.Tensor) -> torch.Tensor:
    """The number of the colour each image (N, 3, H, W) is nearest to on average."""
    palette = torch.tensor(list(COLOURS.values())).float() / 127.5 - 1
    return torch.cdist(images.mean(dim=(2, 3)), palette).argmin(dim=1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colours(tmp_path_factory.mktemp("colours"))


CONDITIONS = {
    "concat": {"conditioning": "concat"},
    "projection": {"conditioning": "projection", "conditioning_g": "batchnorm"},
    "acgan": {"conditioning": "acgan"},
}


@pytest.mark.parametrize("settings", CONDITIONS.values(), ids=CONDITIONS)
def test_the_class_asked_for_comes_out(data: Path, tmp_path: Path, settings: dict[str, Any]):
    sampler = Sampler(train(data, tmp_path, steps=120, **settings), "cpu")
    assert sampler.labels == tuple(COLOURS)
    made = sampler.sample(MADE, label=list(COLOURS))
    agreement = (nearest(made) == torch.arange(MADE) % 3).float().mean()
    assert agreement >= 0.9
    alone = sampler.sample(MADE // 3, label="green")
    assert (nearest(alone) == 1).float().mean() >= 0.9


def test_infogan_finds_the_colours(data: Path, tmp_path: Path):
    """As published, G learns faster than D; with little noise the code is what there is to make colours from."""
    rates = {"learning_rate_d": TINY["learning_rate"] / 4}
    run = train(
        data, tmp_path, steps=200, seed=3, conditioning="infogan", categories=3, continuous=0, latent=2, **rates
    )
    sampler = Sampler(run, "cpu")
    assert sampler.labels == ("0", "1", "2")  # nobody has named them
    found = nearest(sampler.sample(MADE, label=[0, 1, 2]))
    assert mutual_information(torch.arange(MADE) % 3, found, 3) >= 0.5


def mutual_information(one: torch.Tensor, other: torch.Tensor, kinds: int) -> float:
    """Of two labellings, over the mean of their entropies: 1 if they are the same but for the names, 0 by chance."""
    joint = np.histogram2d(one.numpy(), other.numpy(), bins=[np.arange(kinds + 1)] * 2)[0] / len(one)

    def entropy(shares: np.ndarray) -> float:
        return float(-sum(share * np.log(share) for share in shares.ravel() if share))

    each = entropy(joint.sum(0)) + entropy(joint.sum(1))
    return 2 * (each - entropy(joint)) / each


def test_mutual_information_by_hand():
    renamed = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([2, 2, 0, 0, 1, 1])
    assert mutual_information(*renamed, 3) == pytest.approx(1)
    assert mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]), 2) == pytest.approx(0)


# Where labels come from


def test_labels_of_a_csv_are_as_good_as_folders(data: Path, tmp_path: Path):
    """The same weights, bit for bit; the names are those of the CSV, whatever the folders are called."""
    names = {"blue": "cold", "green": "leaf", "red": "warm"}
    table = tmp_path / "labels.csv"
    files = [path.relative_to(data) for path in data.rglob("*.png")]
    table.write_text("file,label\n" + "".join(f"{file},{names[file.parent.name]}\n" for file in files))
    files_of = {"folders": None, "csv": table}
    runs = [train(data, tmp_path, name, steps=3, conditioning="concat", labels=file) for name, file in files_of.items()]
    folders, lines = (checkpoint.load_model(run / "model.safetensors") for run in runs)
    assert tuple(folders.about.labels) == tuple(names) and tuple(lines.about.labels) == tuple(names.values())
    for key, weights in folders.networks["noise"].state_dict().items():
        assert torch.equal(weights, lines.networks["noise"].state_dict()[key]), key


@pytest.mark.parametrize("conditioning", CONDITIONS)
def test_pictures_without_a_label_are_refused_before_there_is_a_run(tmp_path: Path, conditioning: str):
    root = colours(tmp_path / "data", by_class=False, count=2)
    with pytest.raises(DataError, match=r"6 of 6 pictures have no label"):
        train(root, tmp_path / "runs", steps=1, conditioning=conditioning)
    assert not (tmp_path / "runs").exists()


def test_one_class_is_refused_before_there_is_a_run(tmp_path: Path):
    root = colours(tmp_path / "data", count=2)
    for name in ("green", "red"):
        (root / "train" / name).rename(tmp_path / name)
    with pytest.raises(DataError, match=r"of one class, blue: labels need two or more"):
        train(root, tmp_path / "runs", steps=1, conditioning="acgan")
    assert not (tmp_path / "runs").exists()


def test_a_gap_in_the_csv_is_refused_before_there_is_a_run(tmp_path: Path):
    root = colours(tmp_path / "data", by_class=False, count=2)
    table = tmp_path / "labels.csv"
    table.write_text("b0.png,blue\nb1.png,blue\ng0.png,green\ng1.png,green\nr0.png,red\n")
    with pytest.raises(DataError, match=r"1 of 6 pictures have no label in .*labels.csv") as refused:
        train(root, tmp_path / "runs", steps=1, conditioning="projection", labels=table)
    assert "r1.png" in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_without_conditions_folders_are_no_classes(data: Path, tmp_path: Path):
    sampler = Sampler(train(data, tmp_path, steps=1), "cpu")
    assert sampler.labels == ()
    with pytest.raises(ConfigError, match="without labels"):
        sampler.sample(1, label="red")


def test_the_model_file_carries_the_names(data: Path, tmp_path: Path):
    run = train(data, tmp_path, steps=1, conditioning="acgan")
    header = checkpoint.read_header(run / "model.safetensors")
    assert header["labels"] == list(COLOURS)
    assert header["generators"]["noise"]["arguments"]["classes"] == 3
    sampler = Sampler(run / "model.safetensors", "cpu")
    assert torch.equal(sampler.sample(2, label="red"), sampler.sample(2, label=2))
    with pytest.raises(ConfigError) as refused:
        sampler.sample(1, label="gren")
    assert near_miss("gren", COLOURS) in str(refused.value)
