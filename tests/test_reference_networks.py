"""Our networks, given published weights, compute what the published code computes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from translate import networks
from translate.foreign import load_foreign, read_foreign
from translate.networks.blocks import per_image_statistics, translate_any_size
from translate.networks.init import initialise

NAMES = (
    "unet_256_bn_ngf8",
    "resnet_9blocks_in_ngf16",
    "resnet_6blocks_bn_dropout_ngf16",
    "patchgan_basic_in_3ch_ndf16",
    "patchgan_basic_bn_6ch_ndf16",
    "pixel_in_3ch_ndf64",
)
TOLERANCE = 5e-5


@pytest.mark.parametrize("name", NAMES)
def test_outputs(reference: Path, name: str) -> None:
    arrays = np.load(reference / f"{name}.npz")
    sample = torch.from_numpy(arrays["input"])
    network = load_foreign(reference / f"{name}.pth")
    assert not network.training
    with torch.no_grad():
        found = network(sample)
        per_image = per_image_statistics(network)(sample)
    assert np.abs(found.numpy() - arrays["output_eval"]).max() < TOLERANCE
    # With one image its own statistics are those of the batch, which the published test script uses by default.
    assert np.abs(per_image.numpy() - arrays["output_train_nodropout"]).max() < TOLERANCE


@pytest.mark.parametrize("name", NAMES[:3])
def test_sizes(reference: Path, name: str) -> None:
    network = load_foreign(reference / f"{name}.pth")
    arrays = np.load(reference / f"{name}.npz")
    whole = torch.from_numpy(arrays["input"])
    with torch.no_grad():
        assert torch.equal(translate_any_size(network, whole), network(whole)), "nothing is padded that fits"
        assert translate_any_size(network, whole[..., :101, :150]).shape == (1, 3, 101, 150)
        if name.startswith("resnet"):
            assert network(whole[..., :101, :150]).shape == (1, 3, 104, 152)


@pytest.mark.parametrize("folder", ["train_pix2pix_unet256_ngf8", "train_cyclegan_resnet9_ngf8"])
def test_every_network_of_the_traces_is_read(reference: Path, folder: str) -> None:
    files = sorted((reference / folder).glob("*.pth"))
    assert len(files) in (4, 8)
    for path in files:
        foreign = read_foreign(path)
        assert foreign.kind == ("generator" if "_G" in path.stem else "discriminator")
        assert foreign.arguments["width"] == 8


@pytest.mark.parametrize("kind", ["normal", "xavier", "kaiming", "orthogonal"])
def test_initial_weights(reference: Path, kind: str) -> None:
    torch.manual_seed(7)
    arguments = {"in_channels": 3, "out_channels": 3, "width": 8, "blocks": 6, "norm": "batch"}
    network = networks.build("resnet", arguments)
    initialise(network, kind)
    ours = {
        "model.1.weight": network.stem.conv.conv.weight,
        "model.2.weight": network.stem.norm.weight,
        "model.4.weight": network.downs[0].conv.weight,
        "model.16.weight": network.ups[0].conv.weight,
        "model.23.weight": network.head.conv.weight,
        "model.23.bias": network.head.conv.bias,
    }
    expected = json.loads((reference / "misc.json").read_text())["init"][kind]
    assert expected.keys() == ours.keys()
    for key, numbers in expected.items():
        values = ours[key].detach().double()
        # Same seed, same order of layers: the very same draws, where torch draws as it did then.
        assert values.flatten()[:3].tolist() == pytest.approx(numbers["first3"], abs=1e-6)
        assert float(values.mean()) == pytest.approx(numbers["mean"], abs=1e-7)
        assert float(values.std()) == pytest.approx(numbers["std"], rel=1e-4)
