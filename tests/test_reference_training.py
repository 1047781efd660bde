"""Three steps of Pix2Pix and of CycleGAN give the losses and weights that the incumbent's own code gave, in float64."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.foreign import read_foreign
from translate.methods import METHODS
from translate.methods.pool import ImagePool
from translate.schedule import factor
from translate.training.trainer import Trainer

PIX2PIX = {"width": 8, "width_d": 8, "norm": "batch", "dropout": 0, "objective": "vanilla", "l1": 100}
CYCLE = {"width": 8, "width_d": 8, "blocks": 9, "norm": "instance", "objective": "lsgan", "pool": 0}
NETWORKS = {
    "pix2pix": {"generator": "G", "discriminator": "D"},
    "cycle": {"a_to_b": "G_A", "b_to_a": "G_B", "discriminator_b": "D_A", "discriminator_a": "D_B"},
}


def trainer(folder: Path, mode: str, values: dict, size: int) -> Trainer:
    kind = METHODS[mode]
    method = kind(kind.settings.checked(values), (3, 3), size, "AtoB")
    for ours, theirs in NETWORKS[mode].items():
        getattr(method, ours).load_state_dict(read_foreign(folder / f"init_net_{theirs}.pth").state)
    settings = TrainingSettings.checked({"steps": 3, "precision": "64", "schedule": "constant"})
    return Trainer(method, settings, 3, 3, torch.device("cpu"))


def batch(folder: Path) -> Batch:
    held = np.load(folder / "batch_and_step3_visuals.npz")
    return Batch(torch.from_numpy(held["A"]), torch.from_numpy(held["B"]), ("one", "two"))


def check_weights(trained: Trainer, folder: Path, mode: str) -> None:
    trace = json.loads((folder / "trace.json").read_text())["f64"]["after3"]
    for ours, theirs in NETWORKS[mode].items():
        network = getattr(trained.method, ours)
        stored = read_foreign(folder / f"after3_f64_net_{theirs}.pth").state
        for name, value in network.state_dict().items():
            # The files hold float32 of what was computed in float64: half a unit in the last place.
            torch.testing.assert_close(value.float(), stored[name].float(), rtol=1.2e-7, atol=1e-9)
        total = sum(float(parameter.detach().sum()) for parameter in network.parameters())
        learned = [entry["sum"] for name, entry in trace[theirs].items() if name.endswith((".weight", ".bias"))]
        assert total == pytest.approx(sum(learned), abs=1e-9)


def test_pix2pix_trace(reference: Path):
    folder = reference / "train_pix2pix_unet256_ngf8"
    trained = trainer(folder, "pix2pix", PIX2PIX, 256)
    for wanted in json.loads((folder / "trace.json").read_text())["f64"]["losses"]:
        losses = {name: float(value) for name, value in trained.advance([batch(folder)]).items()}
        ours = {
            "G_GAN": losses["G/gan"],
            "G_L1": losses["G/l1"],
            "D_real": 2 * losses["D/real"],
            "D_fake": 2 * losses["D/fake"],
        }
        assert ours == pytest.approx(wanted, abs=1e-9)
    check_weights(trained, folder, "pix2pix")


def test_cyclegan_trace(reference: Path):
    folder = reference / "train_cyclegan_resnet9_ngf8"
    trained = trainer(folder, "cycle", CYCLE, 128)
    for wanted in json.loads((folder / "trace.json").read_text())["f64"]["losses"]:
        losses = {name: float(value) for name, value in trained.advance([batch(folder)]).items()}
        ours = {
            # Theirs names by the generator: A is A to B, whose fakes D_A judges in domain B.
            "G_A": losses["G/gan_b"],
            "G_B": losses["G/gan_a"],
            "cycle_A": losses["G/cycle_a"],
            "cycle_B": losses["G/cycle_b"],
            "idt_A": losses["G/identity_b"],
            "idt_B": losses["G/identity_a"],
            "D_A": losses["D/real_b"] + losses["D/fake_b"],
            "D_B": losses["D/real_a"] + losses["D/fake_a"],
        }
        assert ours == pytest.approx(wanted, abs=1e-9)
    check_weights(trained, folder, "cycle")


@pytest.mark.parametrize(
    ("name", "settings", "epochs"),
    [
        ("linear_100_100", {"schedule": "linear", "decay_start": 0.5}, 200),
        ("linear_2_3", {"schedule": "linear", "decay_start": 0.4}, 5),
        ("linear_1_0", {"schedule": "linear", "decay_start": 0.9999}, 1),
        ("step_50", {"schedule": "step", "decay_every": 0.25, "decay_factor": 0.1}, 200),
    ],
)
def test_learning_rates(reference: Path, name: str, settings: dict, epochs: int):
    wanted = json.loads((reference / "misc.json").read_text())["lr"][name]
    chosen = TrainingSettings.checked({"epochs": epochs, **settings})
    ours = [2e-4 * factor(chosen, epoch, epochs) for epoch in range(len(wanted))]
    assert ours == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "size", "seed"),
    [
        ("pool_size=3 batch=1 random.seed(0)", 3, 0),
        ("pool_size=5 batch=2 random.seed(1)", 5, 1),
        ("pool_size=0 batch=1 random.seed(0)", 0, 0),
    ],
)
def test_image_pool(reference: Path, name: str, size: int, seed: int):
    draws = random.Random(seed)
    pool = ImagePool(size)
    held = 0
    for taken, wanted in json.loads((reference / "misc.json").read_text())["image_pool"][name]:
        images = torch.tensor(taken, dtype=torch.float32).view(-1, 1, 1, 1)
        coins, places = torch.zeros(len(taken)), torch.zeros(len(taken), dtype=torch.int64)
        for index in range(len(taken)):
            held += 1
            if held > size > 0:  # theirs draws only where it has a choice
                coins[index] = draws.random()
                places[index] = draws.randint(0, size - 1) if coins[index] > 0.5 else 0
        given = pool.exchange(images, coins, places)
        assert given.flatten().tolist() == wanted
