"""Where weights of features come from: torchvision's cache, files, downloads; and patches, which need none."""

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_download import serve  # noqa: F401 (a fixture)
from test_features import layout, noise, squeezenet_state
from torchvision import models

from translate.errors import CheckpointError, ConfigError, DiskFullError, UnwritableError
from translate.features import find_features, weights
from translate.features.patch import Patch
from translate.features.random import random_vgg

VGG19 = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Torchvision's cache, which is not there yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def published(monkeypatch):
    """Lets the weights of squeezenet be published as certain bytes."""

    def publish(body: bytes, size: int | None = None) -> str:
        name = f"net-{hashlib.sha256(body).hexdigest()[:8]}.pth"
        known = weights.Published(f"https://nowhere.invalid/{name}", len(body) if size is None else size)
        monkeypatch.setattr(weights, "published", lambda _: known)
        return name

    return publish


def put_squeezenet(cache) -> None:
    cache.mkdir(parents=True)
    torch.save(squeezenet_state(), cache / "squeezenet1_1-b8a52dc0.pth")


def test_auto_takes_what_is_at_hand(cache):
    assert find_features().name == "patch"
    put_squeezenet(cache)
    for name in ("auto", "squeezenet"):
        found = find_features(name)
        assert found.about == "squeezenet (squeezenet1_1-b8a52dc0.pth, average pooling)"
    layers = models.vgg.make_layers(models.vgg.cfgs["D"], batch_norm=False)
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, cache / "vgg16-397923af.pth")
    assert find_features("auto").about == "vgg16 (vgg16-397923af.pth, average pooling)"


def test_weights_that_are_not_there_say_what_would_do(cache):
    with pytest.raises(CheckpointError) as caught:
        find_features("vgg19")
    assert str(caught.value) == (
        f"No weights of vgg19: {cache / 'vgg19-dcbb9e9d.pth'} is not there. `translate stylize CONTENT STYLE --out OUT "
        f"--features vgg19 --download` fetches 575 MB from {VGG19}; features=FILE takes weights from a file; "
        "features=patch needs none."
    )
    assert not cache.exists()


@pytest.mark.parametrize("name, size", [("vgg19", 574_673_361), ("vgg16", 553_433_881)])
def test_published_sizes(name, size):
    assert abs(weights.published(name).size - size) < 2**20 / 1000


@pytest.mark.parametrize(
    "name, message",
    [
        ("squeezenett", r"Unknown features 'squeezenett', and no such file. Did you mean 'squeezenet'\?"),
        ("weights/none.pth", "There is no file of weights weights/none.pth"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises((ConfigError, CheckpointError), match=message):
        find_features(name)


def test_poolings():
    with pytest.raises(ConfigError, match=r"Unknown pooling 'averge'. Did you mean 'average'\?"):
        find_features("patch", pooling="averge")
    with pytest.raises(ConfigError, match="patch averages"):
        find_features("patch", pooling="max")
    assert find_features("random", pooling="max").about == "random (seed 0, max pooling)"


class Unsafe:
    def __reduce__(self):
        return print, ("must not run",)


def test_files_that_will_not_do(tmp_path, capsys):
    def refused(name: str) -> str:
        with pytest.raises(CheckpointError) as caught:
            find_features(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        return str(caught.value)

    (tmp_path / "text.safetensors").write_text("hello")
    assert "is damaged, or no file of weights" in refused("text.safetensors")
    (tmp_path / "text.pth").write_text("hello")
    assert "is damaged" in refused("text.pth")
    torch.save({"0.weight": Unsafe()}, tmp_path / "unsafe.pth")
    assert "more than the tensors of a state dict" in refused("unsafe.pth")
    assert capsys.readouterr().out == ""
    (tmp_path / "folder.pth").mkdir()
    assert "is not a file" in refused("folder.pth")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    assert "holds a list, not weights by name" in refused("list.pth")
    torch.save({"step": 3}, tmp_path / "none.pth")
    assert "holds no weights of features but no tensors" in refused("none.pth")
    torch.save(models.alexnet(weights=None).features.state_dict(), tmp_path / "alexnet.pth")
    found = refused("alexnet.pth")
    assert "10 tensors: 0.weight (64, 3, 11, 11), 0.bias (64,), " in found
    assert "What would do: torchvision's vgg19, vgg16 or squeezenet1_1" in found
    torch.save(models.squeezenet1_0(weights=None).state_dict(), tmp_path / "squeezenet1_0.pth")
    assert "holds no weights of features" in refused("squeezenet1_0.pth")
    state = layout("distilled")
    state.pop("enc5.conv22.bias")
    save_file(state, tmp_path / "cut.safetensors")
    assert "'enc5.conv22.bias' is missing" in refused("cut.safetensors")
    save_file({**state, "enc5.conv22.bias": torch.zeros(7)}, tmp_path / "odd.safetensors")
    assert "is not whole" in refused("odd.safetensors")


def test_a_key_follows_weights_and_pooling(tmp_path):
    state = layout("normalised")
    save_file(state, tmp_path / "one.safetensors")
    save_file(state, tmp_path / "same.safetensors")
    state["encoder.conv3_1.bias"][0] += 1e-6 * state["encoder.conv3_1.bias"][0]
    save_file(state, tmp_path / "other.safetensors")
    one, same, other = (find_features(tmp_path / f"{name}.safetensors") for name in ("one", "same", "other"))
    largest = find_features(tmp_path / "one.safetensors", pooling="max")
    assert one.key == same.key == find_features(tmp_path / "one.safetensors", pooling="average").key
    keys = [one.key, other.key, largest.key, random_vgg(0).key, random_vgg(1).key, random_vgg(0, pooling="max").key]
    assert len({*keys, Patch().key, Patch(5).key}) == 8


def test_random_filters_follow_from_their_seed():
    before = torch.get_rng_state()
    one, same, other = random_vgg(1), random_vgg(1), random_vgg(2)
    assert torch.equal(torch.get_rng_state(), before)
    x = noise(1, 3, 48, 48, dtype=torch.float32)
    found, again, different = (features(x, features.layers) for features in (one, same, other))
    for layer in one.layers:
        assert torch.equal(found[layer], again[layer])
        assert not torch.allclose(found[layer], different[layer])
        assert 0.1 < found[layer].square().mean().sqrt() < 2  # signals neither die nor explode


def test_a_download_is_checked_and_put_where_torchvision_looks(cache, serve, published):  # noqa: F811
    name = published(b"weights" * 9999)
    server = serve(b"weights" * 9999, drops=(30000,))
    seen = []
    path = weights.download("squeezenet", lambda *now: seen.append(now), server.address, wait=0)
    assert path == cache / name == weights.place("squeezenet")
    assert path.read_bytes() == b"weights" * 9999
    assert server.asked == [None, "bytes=30000-"]
    assert seen[-1] == (69993, 69993)
    assert [file.name for file in cache.iterdir()] == [name]
    assert weights.download("squeezenet", address=server.address) == path
    assert len(server.asked) == 2


def test_two_downloads_at_once_are_one(cache, serve, published):  # noqa: F811
    name = published(b"weights" * 9999)
    server = serve(b"weights" * 9999)
    begun, told, found = threading.Event(), threading.Event(), []

    def slowly(done: int, total: int | None) -> None:
        begun.set()
        assert told.wait(20)

    def fetch(progress, notice) -> None:
        found.append(weights.download("squeezenet", progress, server.address, notice=notice))

    first = threading.Thread(target=fetch, args=(slowly, lambda text: None))
    first.start()
    assert begun.wait(20)
    said = []
    second = threading.Thread(target=fetch, args=(None, lambda text: (said.append(text), told.set())))
    second.start()
    for each in (first, second):
        each.join(20)
    assert found == [cache / name] * 2 and server.asked == [None]
    assert said == [f"Another download into {cache} is under way: waiting for it."]
    assert [file.name for file in cache.iterdir()] == [name]


def test_a_place_that_takes_no_weights_is_named(cache, published, monkeypatch):
    name = published(b"weights")
    cache.mkdir(parents=True)
    (cache / f"{name}.unchecked").write_bytes(b"weights")

    def refuse(*given):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(UnwritableError, match=rf"{name}: Permission denied. TORCH_HOME sets another place"):
            weights.download("squeezenet")
        (cache / f"{name}.unchecked").write_bytes(b"others")
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(UnwritableError, match="Permission denied"):
            weights.download("squeezenet")
    monkeypatch.setattr(weights.os, "access", lambda *how: False)
    with pytest.raises(UnwritableError, match=f"Cannot write to the folder {cache}"):
        weights.download("squeezenet")


def test_a_foreign_download_does_not_stay(cache, serve, published):  # noqa: F811
    published(b"weights" * 9999)
    with pytest.raises(CheckpointError, match="is not what was published .* it was deleted. Try again"):
        weights.download("squeezenet", address=serve(b"captive portal").address)
    assert list(cache.iterdir()) == []


def test_a_download_that_was_killed_before_its_check_is_checked(cache, published):
    name = published(b"weights")
    cache.mkdir(parents=True)
    (cache / f"{name}.unchecked").write_bytes(b"weights")
    assert weights.download("squeezenet", address="http://nowhere.invalid/") == cache / name


def test_a_download_that_cannot_be_says_what_to_put_where(cache, serve, published):  # noqa: F811
    name = published(b"weights")
    with pytest.raises(CheckpointError, match=rf"404.* fetch {name} .* put it at .*{name}, or take --features patch"):
        weights.download("squeezenet", address=serve(b"", status=404).address)
    published(b"weights", size=2**60)
    with pytest.raises(DiskFullError, match="MB needed"):
        weights.download("squeezenet")


def test_patches_are_slices():
    patch = Patch(3)
    x = noise(2, 3, 13, 18)
    for layer, values in patch(x, patch.layers[:2]).items():
        step = int(layer)
        cells = [
            [x[:, :, i : i + step, j : j + step].numpy().mean(axis=(2, 3)) for j in range(0, 18, step)]
            for i in range(0, 13, step)
        ]
        own = np.array(cells).transpose(2, 3, 0, 1)  # the last row is of cells that are half there
        np.testing.assert_allclose(values, own, atol=1e-12)
        rows, across = patch.grid(values)
        assert (rows, across) == (own.shape[2] - 2, own.shape[3] - 2)
        places = [0, across - 1, across, rows * across - 1, 7, 7]
        columns = patch.columns(values, torch.tensor(places))
        for n, place in enumerate(places):
            i, j = divmod(place, across)
            np.testing.assert_allclose(columns[:, :, n], own[:, :, i : i + 3, j : j + 3].reshape(2, 27), atol=1e-12)


def test_patches_pass_gradients_on():
    patch = Patch()
    places = torch.tensor([0, 3, 3, 8])  # one drawn twice
    x = noise(1, 3, 17, 19).requires_grad_()

    def columns(x: torch.Tensor) -> torch.Tensor:
        values = patch(x, ["2"])["2"]
        return patch.columns(values, places).sin()

    assert torch.autograd.gradcheck(columns, (x,))


def test_columns_of_a_network_are_its_places():
    features = random_vgg()
    values = noise(2, 5, 3, 4).requires_grad_()
    places = torch.tensor([5, 0, 11, 5])
    columns = features.columns(values, places)
    assert torch.equal(columns, values.flatten(2)[:, :, places])
    columns.sum().backward()
    assert values.grad[1, 4].tolist() == [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]]
