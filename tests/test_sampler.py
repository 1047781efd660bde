"""Images from noise: what picture i depends on, labels, codes, ways between pictures, films, the verb."""

import io
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY_MODES
from PIL import Image

import translate
from translate import checkpoint, cli, files, images, latent, networks
from translate.checkpoint import About, save_model
from translate.display import Counting
from translate.errors import CheckpointError, ConfigError, NotFiniteError
from translate.images.animation import encode_animation

SIZE, LATENT = 16, 4


def make(path: Path, name: str = "dcgan_generator", labels: tuple[str, ...] = (), **arguments: Any) -> Path:
    """A model file of random weights whose batch norm is not the one it was born with."""
    torch.manual_seed(0)
    small = {"size": SIZE, "latent": LATENT, "width": 2} if name != "mlp_generator" else {"latent": LATENT, "width": 4}
    channels = {"out_channels": 3} if name != "mlp_generator" else {}
    network = networks.build(name, channels | small | arguments)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.1)  # type: ignore[union-attr]
            layer.running_var.uniform_(0.001, 0.01)  # type: ignore[union-attr]
    about = About("dcgan", "noise", (3, 3), SIZE, labels=labels, noise="gaussian", step=3)
    save_model(path, {"noise": network}, about)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return make(tmp_path / "plain.safetensors")


@pytest.fixture
def named(tmp_path: Path) -> Path:
    return make(tmp_path / "named.safetensors", labels=("cat", "dog", "owl"), classes=3, conditioning="concat")


@pytest.fixture
def infogan(tmp_path: Path) -> Path:
    return make(tmp_path / "info.safetensors", classes=4, conditioning="concat", continuous=2)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["translate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return run


def pixels(path: Path) -> np.ndarray:
    return images.read(path).pixels


# The class


def test_a_sampler_says_what_it_makes(plain: Path, named: Path, infogan: Path):
    one = translate.Sampler(plain, "cpu")
    assert (one.labels, one.size, one.channels, one.about.mode) == ((), 16, 3, "dcgan")
    assert translate.Sampler(named, "cpu").labels == ("cat", "dog", "owl")
    assert translate.Sampler(infogan, "cpu").labels == ("0", "1", "2", "3")


def test_the_images_are_those_of_the_network(plain: Path):
    network = checkpoint.load_model(plain).networks["noise"]
    noise = latent.draw_each("gaussian", 7, range(5), LATENT)
    with torch.no_grad():
        wanted = network(noise)
    found = translate.Sampler(plain, "cpu").sample(5, seed=7)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    assert found.shape == (5, 3, 16, 16) and found.abs().max() <= 1 and found.std() > 0.1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("dcgan_generator", {"classes": 3, "conditioning": "batchnorm", "continuous": 2}),
        ("course28_generator", {"size": 28, "out_channels": 1, "classes": 3, "conditioning": "concat"}),
        ("course32_generator", {"size": 32}),
        ("residual_generator", {"size": 32, "width": 8}),
        ("residual_generator", {"size": 256}),
        ("mlp_generator", {"width": 128}),
    ],
)
def test_an_image_depends_on_seed_and_number_alone(tmp_path: Path, name: str, arguments: dict[str, Any]):
    sampler = translate.Sampler(make(tmp_path / "any.safetensors", name, **arguments), "cpu")
    whole = sampler.sample(21, seed=3)
    assert torch.equal(sampler.sample(2, seed=3), whole[:2])
    assert torch.equal(sampler.sample(5, seed=3, first=13), whole[13:18])
    assert torch.equal(torch.cat([sampler.sample(1, seed=3, first=index) for index in range(4)]), whole[:4])
    assert not torch.equal(sampler.sample(2, seed=4), whole[:2])
    assert len({image.numpy().tobytes() for image in whole}) == 21


def test_images_come_in_batches_that_need_no_memory(plain: Path):
    sampler = translate.Sampler(plain, "cpu")
    endless = sampler.batches(10**12)
    assert torch.equal(next(endless), sampler.sample(16))
    assert torch.equal(next(endless), sampler.sample(16, first=16))


def test_labels_by_name_by_number_and_in_turn(named: Path):
    sampler = translate.Sampler(named, "cpu")
    cats, dogs, owls = (sampler.sample(12, label=name) for name in ("cat", "dog", "owl"))
    assert not torch.equal(cats, dogs)
    assert torch.equal(sampler.sample(12, label=1), dogs) and torch.equal(sampler.sample(12, label=np.int64(2)), owls)
    turns = sampler.sample(6, first=4, label=["owl", "cat"])
    assert torch.equal(turns[::2], owls[4:10:2]) and torch.equal(turns[1::2], cats[5:10:2])


def test_without_a_label_each_image_draws_one_evenly(named: Path):
    sampler = translate.Sampler(named, "cpu")
    drawn = sampler.sample(300)
    counts = [int((sampler.sample(300, label=label) == drawn).all(dim=(1, 2, 3)).sum()) for label in range(3)]
    assert sum(counts) == 300
    assert all(abs(count - 100) < 5 * (300 * 2 / 9) ** 0.5 for count in counts)


def test_a_name_goes_before_a_number(tmp_path: Path):
    model = make(tmp_path / "digits.safetensors", labels=("2", "1", "0"), classes=3, conditioning="concat")
    sampler = translate.Sampler(model, "cpu")
    assert torch.equal(sampler.sample(2, label="2"), sampler.sample(2, label=0))


def test_a_name_of_digits_is_a_name(call: Any, tmp_path: Path):
    model = make(tmp_path / "digits.safetensors", labels=("9", "10"), classes=2, conditioning="concat")
    sampler = translate.Sampler(model, "cpu")
    assert torch.equal(sampler.sample(2, label="10"), sampler.sample(2, label=1))
    with pytest.raises(ConfigError, match="no label '1'"):
        sampler.sample(2, label="1")
    code, text = call("sample", model, "--out", tmp_path / "a.png", "--label", "1", "--device", "cpu")
    assert code == 2 and "no label '1'" in text


def test_codes_are_drawn_or_fixed(infogan: Path):
    sampler = translate.Sampler(infogan, "cpu")
    network = checkpoint.load_model(infogan).networks["noise"]
    noise = latent.draw_each("gaussian", 0, range(4), LATENT)
    rows = torch.tensor([[0.5, -1.0], [2.0, 0.0]])
    with torch.no_grad():
        wanted = network(noise, torch.full((4,), 3), rows.repeat(2, 1))
    torch.testing.assert_close(sampler.sample(4, label="3", codes=rows), wanted, rtol=0, atol=1e-6)
    assert torch.equal(sampler.sample(4, label=3, codes=[0.5, -1])[::2], sampler.sample(4, label=3, codes=rows)[::2])
    drawn = sampler.sample(4, label=3)
    assert not torch.equal(drawn, sampler.sample(4, label=3, codes=[0, 0]))
    assert torch.equal(drawn[2:], sampler.sample(2, first=2, label=3))


def test_truncation_makes_images_more_alike(plain: Path):
    sampler = translate.Sampler(plain, "cpu")
    spreads = [float(sampler.sample(64, truncation=cut).std(dim=0).mean()) for cut in (0.1, 0.5, 2.0, None)]
    assert spreads == sorted(spreads) and spreads[0] < spreads[3] / 4


def test_what_will_not_do_is_named(plain: Path, named: Path, infogan: Path):
    one, three, codes = (translate.Sampler(path, "cpu") for path in (plain, named, infogan))
    for bad, said in (
        (lambda: three.sample(1, label="dgo"), "no label 'dgo'. Did you mean 'dog'"),
        (lambda: three.sample(1, label=3), "no label 3.*0 to 2"),
        (lambda: three.sample(1, label=-1), "no label -1"),
        (lambda: three.sample(1, label=[]), "names no class"),
        (lambda: one.sample(1, label="cat"), "without labels"),
        (lambda: one.sample(1, codes=[1]), "without continuous codes"),
        (lambda: codes.sample(1, codes=[1]), "takes 2 finite numbers"),
        (lambda: codes.sample(1, codes=[1, float("nan")]), "takes 2 finite numbers"),
        (lambda: one.batches(0), "count=0 will not do: 1 or more"),
        (lambda: one.batches(1, first=-1), "first=-1"),
        (lambda: one.batches(1, seed=-1), "seed=-1"),
        (lambda: one.batches(1, truncation=0), "truncation=0"),
        (lambda: one.sample(2.5), "count=2.5 will not do: a whole number, 1 or more"),
        (lambda: one.sample("2"), "count='2' will not do: a whole number"),
        (lambda: one.sample(True), "count=True will not do"),
        (lambda: one.sample(1, seed=1.5), "seed=1.5 will not do: a whole number, 0 or more"),
        (lambda: one.sample(1, first=None), "first=None"),
        (lambda: one.sample(1, truncation="x"), "truncation='x' will not do: a number above 0"),
        (lambda: one.sample(1, truncation=True), "truncation=True"),
        (lambda: one.interpolate(2.0, 4), "points=2.0 will not do"),
        (lambda: three.sample(1, label=1.5), "label=1.5 will not do: the name of a class"),
        (lambda: three.sample(1, label=[True]), "label=True will not do"),
        (lambda: codes.sample(1, codes="ab"), "codes=ab will not do: this model takes 2 finite numbers"),
        (lambda: codes.sample(1, codes=[True, False]), "takes 2 finite numbers"),
        (lambda: codes.sample(1, codes=0.5), "takes 2 finite numbers"),
        (lambda: one.interpolate(1, 4), "points=1 will not do: 2 or more"),
        (lambda: one.interpolate(2, 1), "frames=1 will not do: 2 or more"),
    ):
        with pytest.raises(ConfigError, match=said):
            bad()


def test_a_model_that_translates_is_refused(tmp_path: Path):
    path = tmp_path / "translator.safetensors"
    save_model(
        path,
        {"AtoB": networks.build("unet", {"in_channels": 3, "out_channels": 3, "width": 2, "depth": 2})},
        About("pix2pix", "AtoB", (3, 3), 16),
    )
    with pytest.raises(CheckpointError, match="use `translate convert`"):
        translate.Sampler(path, "cpu")


def test_values_that_are_not_finite_are_an_error(plain: Path):
    model = checkpoint.load_model(plain)
    for weights in model.networks["noise"].parameters():
        weights.data.fill_(float("nan"))
    save_model(plain, model.networks, model.about)
    with pytest.raises(NotFiniteError):
        translate.Sampler(plain, "cpu").sample(1)


# Ways between images


def test_paths_lead_from_image_to_image(plain: Path):
    sampler = translate.Sampler(plain, "cpu")
    points = sampler.sample(4, seed=2, first=5)
    open_ = torch.cat(list(sampler.interpolate(4, 5, seed=2, first=5))).unflatten(0, (-1, 5))
    assert open_.shape == (3, 5, 3, 16, 16)
    assert torch.equal(open_[:, 0], points[:-1]) and torch.equal(open_[:, -1], points[1:])
    loop = torch.cat(list(sampler.interpolate(4, 5, seed=2, first=5, loop=True))).unflatten(0, (-1, 5))
    assert loop.shape == (4, 5, 3, 16, 16)
    assert torch.equal(loop[:, 0], points)


def test_the_middle_of_a_path_is_the_middle_of_the_arc(plain: Path):
    network = checkpoint.load_model(plain).networks["noise"]
    a, b = latent.draw_each("gaussian", 0, [0, 1], LATENT).double()
    angle = torch.acos(a @ b / a.norm() / b.norm())
    middle = ((angle / 2).sin() / angle.sin()) * (a + b)
    with torch.no_grad():
        wanted = network(middle.float()[None])
    found = torch.cat(list(translate.Sampler(plain, "cpu").interpolate(2, 3)))
    torch.testing.assert_close(found[1:2], wanted, rtol=0, atol=1e-5)


def test_a_path_has_the_class_of_its_start_and_its_codes_go_straight(infogan: Path):
    sampler = translate.Sampler(infogan, "cpu")
    network = checkpoint.load_model(infogan).networks["noise"]
    codes = [[-1.0, 0.0], [1.0, 1.0]]
    found = torch.cat(list(sampler.interpolate(2, 3, label=[1, 2], codes=codes)))
    noise = latent.slerp(*latent.draw_each("gaussian", 0, [0, 1], LATENT), torch.tensor([0.0, 0.5, 1.0]))
    with torch.no_grad():
        wanted = network(noise, torch.tensor([1, 1, 1]), torch.tensor([[-1, 0], [0, 0.5], [1, 1]]))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


# Films


def test_a_film_is_read_as_it_was_made():
    draw = np.random.default_rng(0)
    frames = [draw.integers(0, 256, (10, 7, 3), dtype=np.uint8) for _ in range(5)]
    frames.insert(2, frames[1])  # a writer that joins equal frames would lose one
    film = encode_animation(iter(frames), 24)
    with Image.open(io.BytesIO(film)) as image:
        assert (image.n_frames, image.size, image.info["loop"]) == (6, (7, 10), 0)
        ends = [0]
        for number, frame in enumerate(frames):
            image.seek(number)
            assert np.array_equal(np.asarray(image.convert("RGB")), frame)
            ends.append(ends[-1] + image.info["duration"])
    assert ends == [round(number * 1000 / 24) for number in range(7)]


def test_a_film_can_be_grey_and_lossy():
    frames = [np.full((32, 32, 1), value, np.uint8) for value in (0, 128, 255)]
    with Image.open(io.BytesIO(encode_animation(frames, 10, quality=80))) as image:
        for number, value in enumerate((0, 128, 255)):
            image.seek(number)
            assert abs(np.asarray(image.convert("L")).astype(int) - value).max() <= 2


def test_what_is_large_is_encoded_with_losses_unless_small():
    draw = np.random.default_rng(0)
    small, large = ([draw.integers(0, 256, (side, side, 3), dtype=np.uint8)] for side in (128, 129))
    assert b"VP8L" in encode_animation(small, 10) and b"VP8 " not in encode_animation(small, 10)
    assert b"VP8 " in encode_animation(large, 10) and b"VP8 " in encode_animation(small, 10, quality=50)


# The verb


def test_one_picture_of_all(call: Any, plain: Path, tmp_path: Path):
    out = tmp_path / "new" / "grid.png"
    code, text = call("sample", plain, "-n", 5, "--seed", 7, "--out", out, "--columns", 2, "--device", "cpu")
    assert code == 0 and text == f"5 images, from number 0 of seed 7 on, 16 x 16 pixels: {out}\n"
    sheet = pixels(out)
    assert sheet.shape == (3 * 16 + 4, 2 * 16 + 2, 3)
    third = images.to_array(translate.Sampler(plain, "cpu").sample(3, seed=7)[2], np.uint8)
    assert np.array_equal(sheet[18:34, :16], third)


def test_single_files_are_the_same_however_many(call: Any, plain: Path, tmp_path: Path):
    for name, words in (("many", ["-n", 20]), ("few", ["-n", 3, "--first", 9])):
        code, text = call("sample", plain, *words, "--seed", 7, "--out", tmp_path / name, "--device", "cpu")
        assert code == 0, text
    many = sorted((tmp_path / "many").iterdir())
    assert [path.name for path in many] == [f"{number:06d}.png" for number in range(20)]
    few = sorted((tmp_path / "few").iterdir())
    assert [path.name for path in few] == ["000009.png", "000010.png", "000011.png"]
    for path in few:
        assert path.read_bytes() == (tmp_path / "many" / path.name).read_bytes()
    made = images.to_array(translate.Sampler(plain, "cpu").sample(20, seed=7)[19], np.uint8)
    assert np.array_equal(pixels(many[19]), made)


def test_formats_of_single_files(call: Any, plain: Path, tmp_path: Path):
    for suffix in ("jpg", ".WEBP", "npy"):
        out = tmp_path / suffix.strip(".")
        assert call("sample", plain, "-n", 2, "--out", out, "--format", suffix, "--device", "cpu")[0] == 0
        assert len(list(out.glob(f"*.{suffix.strip('.').lower()}"))) == 2
    exact = np.load(tmp_path / "npy" / "000001.npy")
    assert np.array_equal(exact.transpose(2, 0, 1), translate.Sampler(plain, "cpu").sample(2)[1].numpy())


def test_points_become_arrays(call: Any, tmp_path: Path):
    model = make(tmp_path / "points.safetensors", "mlp_generator")
    code, text = call("sample", model, "-n", 2, "--out", tmp_path / "png", "--device", "cpu")
    assert code == 2 and "write .npy instead" in text
    assert call("sample", model, "-n", 2, "--out", tmp_path / "npy", "--format", "npy", "--device", "cpu")[0] == 0
    assert np.load(tmp_path / "npy" / "000000.npy").shape == (1, 1, 2)


def test_a_folder_that_is_not_empty_is_refused(call: Any, plain: Path, tmp_path: Path):
    out = tmp_path / "out"
    words = ("sample", plain, "-n", 2, "--out", out, "--device", "cpu")
    assert call(*words)[0] == 0
    before = (out / "000000.png").read_bytes()
    (out / "mine.txt").write_text("mine")
    code, text = call(*words, "--seed", 1)
    assert code == 2 and "is not empty" in text and "--overwrite" in text
    assert (out / "000000.png").read_bytes() == before
    assert call(*words, "--seed", 1, "--overwrite")[0] == 0
    assert (out / "000000.png").read_bytes() != before and (out / "mine.txt").read_text() == "mine"


def test_a_label_changes_the_picture(call: Any, named: Path, tmp_path: Path):
    for name in ("cat", "dog"):
        words = ("-n", 2, "--out", tmp_path / f"{name}.png", "--label", name)
        assert call("sample", named, *words, "--device", "cpu")[0] == 0
    assert not np.array_equal(pixels(tmp_path / "cat.png"), pixels(tmp_path / "dog.png"))
    both = tmp_path / "both.png"
    assert call("sample", named, "-n", 2, "--out", both, "--label", "cat", "--label", "dog", "--device", "cpu")[0] == 0
    assert np.array_equal(pixels(both)[:, :16], pixels(tmp_path / "cat.png")[:, :16])
    assert np.array_equal(pixels(both)[:, 18:], pixels(tmp_path / "dog.png")[:, 18:])
    code, text = call("sample", named, "--out", tmp_path / "folder", "--label", "dgo", "--device", "cpu")
    assert code == 2 and "Did you mean 'dog'" in text and not (tmp_path / "folder").exists()


def test_a_film_begins_with_the_sample(call: Any, plain: Path, tmp_path: Path):
    out = tmp_path / "film.webp"
    words = ("--interpolate", "-n", 3, "--frames", 4, "--fps", 10, "--seed", 7)
    code, text = call("sample", plain, *words, "--out", out, "--device", "cpu")
    assert code == 0 and "12 images on the way between 3 of seed 7" in text
    points = translate.Sampler(plain, "cpu").sample(3, seed=7)
    with Image.open(out) as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (12, (16, 16), 0)
        for number, point in enumerate(points):
            film.seek(4 * number)
            assert np.array_equal(np.asarray(film.convert("RGB")), images.to_array(point, np.uint8))
            assert film.info["duration"] == 100


def test_a_sheet_has_a_path_a_row(call: Any, plain: Path, tmp_path: Path):
    out = tmp_path / "paths.png"
    words = ("--interpolate", "-n", 3, "--frames", 4, "--seed", 7)
    assert call("sample", plain, *words, "--out", out, "--device", "cpu")[0] == 0
    sheet = pixels(out)
    assert sheet.shape == (2 * 16 + 2, 4 * 16 + 6, 3)
    assert np.array_equal(sheet[:16, -16:], sheet[18:, :16])  # the second point ends one path and begins the next
    code, _ = call("sample", plain, *words, "--out", tmp_path / "frames", "--device", "cpu")
    assert code == 0 and len(list((tmp_path / "frames").glob("*.png"))) == 12


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-n", "0", "--out", "a.png"], "--count (-n) 0 will not do"),
        (["--out", "a.pgn"], "Did you mean '.png'"),
        (["--out", "folder", "--format", "jepg"], "Did you mean '.jpg'"),
        (["--out", "a.gif", "--interpolate"], "a film is a .webp"),
        (["--out", "a.png", "--format", "jpg"], "--format works only with --out FOLDER"),
        (["--out", "a.png", "--frames", "4"], "--frames works only with --interpolate"),
        (["--out", "a.webp", "--fps", "4"], "--fps works only with --interpolate"),
        (["--out", "a.png", "--interpolate", "--columns", "4"], "where no path is a row"),
        (["--out", "a.png", "-n", "1", "--interpolate"], "--count (-n) 1 will not do: --interpolate"),
        (["--out", "a.png", "--codes", "1;2"], "--codes takes numbers"),
        (["--out", "a.png", "--truncation", "-1"], "--truncation -1.0 will not do"),
        (["--out", "a.png", "--overwrite"], "--overwrite works only with --out FOLDER"),
        (["--out", "a.webp", "--interpolate", "--fps", "200"], "--fps 200.0 will not do"),
        (["--out", "a.png", "--codes", "0.5,2"], "--codes 0.5,2 will not do: each is from -1 to 1"),
        (["--out", "a.png", "--codes", "0.5"], "--codes [0.5]: this model was trained without"),
        (["--out", "a.png", "--label", "cat"], "--label 'cat': this model was trained without"),
        (["--out", "a.png", "-n", "2000000"], "too many for one picture"),
        (
            ["--out", "a.jpg", "-n", "4000", "--columns", "4000"],
            "71998 x 16 pixels is too large for .jpg, which holds",
        ),
        (["--out", "a.webp", "-n", "1000", "--columns", "1"], "more --columns, or give --out a .png"),
        (["--out", "a.webp", "-n", "1000", "--columns", "1000"], "fewer --columns, or give --out a .png"),
        (["--out", "a.gif", "-n", "4000", "--columns", "1"], "is too large for .gif, which holds 65535"),
        (["--out", "a.png", "-n", "3", "--columns", "99999999"], "fewer --columns, or give --out a folder"),
        (["--out", "a.jpg", "--interpolate", "-n", "2", "--frames", "9000"], "lower --frames, or give"),
        (["--out", "a.webp", "--interpolate", "-n", "2", "--frames", "99999"], "A film of 199998 frames is too long"),
        (["--out", "a.pgm"], "a .pgm is grey"),
        (["--out", "/dev/full"], "/dev/full is no file but a device"),
        (["--out", "/proc/new.png"], "Cannot write /proc/new.png"),
        (["--out", "plain.safetensors/folder"], "Cannot write"),
    ],
)
def test_errors_of_the_verb(
    call: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
):
    monkeypatch.chdir(tmp_path)
    code, text = call("sample", plain, *words, "--device", "cpu")
    assert code == 2 and said in " ".join(text.split()), text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.safetensors"]


def test_a_disk_that_takes_nothing_is_named(call: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise files.failure(tmp_path / "out", OSError(28, "No space left on device"))

    monkeypatch.setattr(files, "publish", full)
    code, text = call("sample", plain, "-n", 40, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 2 and "No space left" in text
    assert f"0 of 40 images are in {tmp_path / 'out'}" in text and "--first 0 -n 40 --overwrite" in text


def test_ctrl_c_ends_with_130(call: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "publish", interrupted)
    code, text = call("sample", plain, "-n", 4, "--out", tmp_path / "out", "--device", "cpu")
    assert code == 130 and "Stopped. 0 of 4 images are in" in text


def test_what_was_stopped_goes_on(call: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = ("sample", plain, "--out", tmp_path / "out", "--device", "cpu")
    with monkeypatch.context() as patched:
        counted = Counting.__enter__

        def stopping(self: Counting) -> Any:
            counted(self)
            return lambda done, total: signal.raise_signal(signal.SIGINT) if done == 5 else None

        patched.setattr(Counting, "__enter__", stopping)
        code, text = call(*words, "-n", 40, "--first", 2)
    rest = ["--first", "7", "-n", "35", "--overwrite"]
    assert code == 130 and "5 of 40 images are in" in text and " ".join(rest) in text
    assert len(list((tmp_path / "out").iterdir())) < 40
    assert call(*words, *rest)[0] == 0
    assert call(*words[:3], tmp_path / "whole", *words[4:], "-n", 40, "--first", 2)[0] == 0
    whole = sorted((tmp_path / "whole").iterdir())
    assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())]


def test_a_way_that_was_stopped_begins_again(call: Any, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise files.failure(tmp_path / "out", OSError(28, "No space left on device"))

    monkeypatch.setattr(files, "publish", full)
    words = ("--interpolate", "-n", 3, "--frames", 4, "--out", tmp_path / "out", "--device", "cpu")
    code, text = call("sample", plain, *words)
    assert code == 2 and "0 of 12 images" in text and "--first" not in text and "--overwrite" in text


def test_a_file_is_no_folder(call: Any, plain: Path, tmp_path: Path):
    (tmp_path / "mine").write_text("mine")
    code, text = call("sample", plain, "--out", tmp_path / "mine", "--device", "cpu")
    assert code == 2 and "is a file: give --out a folder" in text and (tmp_path / "mine").read_text() == "mine"


def test_help_needs_no_torch():
    program = (
        "import sys\nfrom translate.cli import main\nsys.argv = ['translate', 'sample', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'numpy', 'cv2', 'PIL'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--truncation" in done.stdout, done.stderr


def test_info_of_a_generator_from_noise(call: Any, plain: Path, named: Path, infogan: Path):
    code, text = call("info", named)
    assert code == 0 and "makes       images of 16 x 16 pixels, 3 channels" in text
    assert "noise       4 numbers, gaussian" in text and "labels      3: cat, dog, owl" in text
    assert "direction" not in text and "A 3, B 3" not in text and "generator   DcganGenerator" in text
    text = call("info", infogan)[1]
    assert "labels      4 without names, 0 to 3" in text and "codes       2 in [-1, 1]" in text
    assert "labels" not in call("info", plain)[1]


def test_a_trained_run_is_sampled(call: Any, pictures: Path, tmp_path: Path):
    flags = ("size", "workers", "device")
    given = TINY_MODES["dcgan"]
    tiny = [f"--{key}={given[key]}" for key in flags] + [f"--set={k}={v}" for k, v in given.items() if k not in flags]
    code, text = call("fit", pictures, "--mode", "dcgan", "--out", tmp_path, "--name", "run", "--steps", 2, *tiny)
    assert code == 0, text
    code, text = call("sample", tmp_path / "run", "-n", 4, "--out", tmp_path / "samples.png", "--device", "cpu")
    assert code == 0, text
    assert pixels(tmp_path / "samples.png").shape == (34, 34, 3)
