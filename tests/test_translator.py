"""A model file alone is enough to translate; every kind of image comes back as its kind and its size."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from test_fit import data, train  # noqa: F401 (data is a fixture)
from test_methods import TRANSLATE

import translate
from translate import checkpoint, images
from translate.errors import CheckpointError, ConfigError, ImageError


@pytest.fixture
def run(folders: Path, tmp_path: Path) -> Path:
    return train(folders, "cycle", tmp_path, steps=2)


def pixels(height: int = 13, width: int = 21, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("mode", TRANSLATE)
def test_a_model_file_moved_elsewhere_translates(data: dict[str, Path], tmp_path: Path, mode: str):  # noqa: F811
    run = train(data[mode], mode, tmp_path, steps=2)
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes((run / "model.safetensors").read_bytes())
    one, other = translate.load(run, "cpu"), translate.load(moved, "cpu")
    assert np.array_equal(one(pixels()), other(pixels()))
    assert one.about.mode == mode


def test_each_kind_of_image_comes_back_as_its_kind(run: Path):
    translator = translate.load(run, "cpu")
    array = pixels()
    tensor = images.to_tensor(array)[None]
    from_array, from_tensor = translator(array), translator(tensor)
    from_pil = translator(Image.fromarray(array))
    assert from_array.shape == array.shape and from_array.dtype == np.uint8
    assert from_tensor.shape == tensor.shape and from_tensor.dtype == tensor.dtype
    assert np.array_equal(images.to_array(from_tensor[0], np.uint8), from_array)
    assert np.array_equal(np.asarray(from_pil), from_array)
    assert translator(array.astype(np.uint16) * 257).dtype == np.uint16
    assert translator(array.astype(np.float32) / 127.5 - 1).dtype == np.float32
    with pytest.raises(TypeError, match="not str"):
        translator("picture.png")  # type: ignore[call-overload]


def test_transparency_is_kept(run: Path):
    image = Image.fromarray(np.concatenate([pixels(), pixels(channels=1)], axis=2))
    translated = translate.load(run, "cpu")(image)
    assert translated.mode == "RGBA"
    assert np.array_equal(np.asarray(translated)[..., 3], np.asarray(image)[..., 3])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (3, 2), (16, 16), (63, 37)])
def test_any_size_comes_back_as_its_size(run: Path, height: int, width: int):
    assert translate.load(run, "cpu")(pixels(height, width)).shape == (height, width, 3)


def test_a_batch_gives_what_its_images_give(run: Path):
    translator = translate.load(run, "cpu")
    batch = torch.rand(3, 3, 18, 22) * 2 - 1
    single = torch.cat([translator(image[None]) for image in batch])
    torch.testing.assert_close(translator(batch), single, rtol=0, atol=1e-5)


def test_directions_differ_and_unknown_ones_are_refused(run: Path, pairs: Path, tmp_path: Path):
    both = translate.load(run, "cpu")
    assert not np.array_equal(both(pixels(), "AtoB"), both(pixels(), "BtoA"))
    assert np.array_equal(both(pixels()), both(pixels(), "AtoB"))
    one_way = translate.load(train(pairs, "pix2pix", tmp_path, "p", steps=1, direction="BtoA"), "cpu")
    with pytest.raises(ConfigError, match="translates BtoA, not AtoB"):
        one_way(pixels(), "AtoB")
    assert one_way(pixels()).shape == pixels().shape


def test_grey_is_read_as_rgb_and_other_channels_are_refused(run: Path):
    translator = translate.load(run, "cpu")
    assert translator(pixels(channels=1)).shape == (13, 21, 3)
    assert translator(pixels(channels=1)[..., 0]).shape == (13, 21, 3)
    with pytest.raises(ConfigError, match="takes 3 channels; the image has 5"):
        translator(pixels(channels=5))
    with pytest.raises(ConfigError, match=r"takes floats \(N, 3, H, W\)"):
        translator(torch.zeros(3, 16, 16))
    with pytest.raises(ConfigError, match="torch.uint8"):
        translator(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    with pytest.raises(ConfigError, match="An array is"):
        translator(np.zeros((0, 4, 3), np.uint8))


def test_batch_norm_of_single_images_translates_as_it_was_trained(pairs: Path, tmp_path: Path):
    """With batches of one, the training output of an image is what the model file gives, dropout aside."""
    values = {"steps": 3, "depth": 3, "dropout": 0, "norm": "batch"}
    one = translate.load(train(pairs, "pix2pix", tmp_path, "one", **values, batch_size=1), "cpu")
    two = translate.load(train(pairs, "pix2pix", tmp_path, "two", **values, batch_size=2), "cpu")
    assert (one.about.statistics, two.about.statistics) == ("image", "running")
    network = checkpoint.load_model(tmp_path / "one" / "model.safetensors").networks["AtoB"].train()
    tensor = torch.rand(1, 3, 16, 16) * 2 - 1
    torch.testing.assert_close(one(tensor), network(tensor).detach(), rtol=0, atol=1e-5)


def test_what_is_no_model_is_refused(tmp_path: Path, pairs: Path):
    with pytest.raises(CheckpointError, match="no checkpoint .*nowhere"):
        translate.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"holds no model.safetensors"):
        translate.load(tmp_path)
    garbage = tmp_path / "garbage.safetensors"
    garbage.write_bytes(b"\0" * 100)
    with pytest.raises(CheckpointError, match="not a model file, or is damaged"):
        translate.load(garbage)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="something else"):
        translate.load(tmp_path / "other.safetensors")
    (tmp_path / "latest_net_G.pth").touch()
    with pytest.raises(CheckpointError, match="translate import"):
        translate.load(tmp_path / "latest_net_G.pth")
    model = train(pairs, "pix2pix", tmp_path, steps=1) / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        translate.load(model)


def test_public_names():
    names = ["Sampler", "Translator", "__version__", "colorize", "distill", "evaluate", "fit", "load", "preflight"]
    names += ["stylize"]
    assert sorted(translate.__all__) == names
    assert all(hasattr(translate, name) for name in translate.__all__)
    with pytest.raises(AttributeError):
        translate.nothing  # noqa: B018


def test_eight_threads_give_the_serial_results(run: Path):
    translator = translate.load(run, "cpu", streams=2)
    draw = np.random.default_rng(0)
    arrays = [draw.integers(0, 256, (8 + index % 5, 16, 3), dtype=np.uint8) for index in range(64)]
    serial = [translator(array) for array in arrays]
    fresh = translate.load(run, "cpu", streams=2)  # whose engine is made by whoever comes first
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fresh, arrays))
    assert all(np.array_equal(one, other) for one, other in zip(serial, together, strict=True))


def test_streams_come_in_order_as_they_are_asked_for(run: Path):
    translator = translate.load(run, "cpu")
    taken = []

    def stream():
        for index in range(100):
            taken.append(index)
            yield Image.fromarray(np.full((4, 4 + index, 3), 2 * index, np.uint8))

    translated = translator.images(stream())
    assert [next(translated).width for _ in range(3)] == [4, 5, 6]
    assert len(taken) < 10
    assert [image.width for image in translated] == list(range(7, 104))
    with pytest.raises(ConfigError, match="takes 3 channels"):
        list(translator.images([pixels(), pixels(channels=2)]))


def test_values_that_are_not_finite_are_refused_and_too_large_ones_done_again(run: Path):
    translator = translate.load(run, "cpu", precision="bf16")
    network = translator.network()
    engine = translator.engine()
    half = engine._run
    engine._run = lambda images: half(images) * float("inf")  # type: ignore[method-assign]
    redone = translator(pixels())
    assert np.array_equal(redone, translate.load(run, "cpu")(pixels())) and "fp32" in translator.notices[0]
    torch.nn.init.constant_(network.head.conv.bias, float("nan"))
    with pytest.raises(ImageError, match="not finite"):
        translate.Translator(translator._model, torch.device("cpu"))(pixels())


def test_tiles_give_the_whole(run: Path):
    whole, tiled = translate.load(run, "cpu"), translate.load(run, "cpu", tile=64)
    large = pixels(150, 201)
    assert np.abs(whole(large).astype(int) - tiled(large)).max() <= 1
    assert "tiles of 64" in tiled.notices[0] and not whole.notices


def test_memory_that_runs_out_goes_on_in_tiles(run: Path):
    translator = translate.load(run, "cpu")
    wanted = translator(pixels(70, 90))

    def short(images: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    translator.engine()._run = short  # type: ignore[method-assign]
    assert np.abs(translator(pixels(70, 90)).astype(int) - wanted).max() <= 1
    assert "in tiles" in translator.notices[0]
    with pytest.raises(RuntimeError, match="can't allocate"):
        off = translator.using(tile="off")
        off.engine()._run = short  # type: ignore[method-assign]
        off(pixels(70, 90))


def test_a_batch_too_large_for_the_memory_is_halved_and_not_tried_again(run: Path):
    translator = translate.load(run, "cpu")
    engine, sizes = translator.engine(), []
    compute = engine._run

    def short(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        if len(images) > 2:
            raise RuntimeError("CUDA out of memory.")
        return compute(images)

    engine._run = short  # type: ignore[method-assign]
    arrays = [pixels(16, 16) for _ in range(8)]
    told: list[str] = []
    for _ in range(2):
        made = translator.translate(arrays, tell=lambda index, text: told.append(text))
        assert len(made) == 8 and all(np.array_equal(one, made[0]) for one in made)
    assert sizes.count(8) == 1 and sizes[-4:] == [2, 2, 2, 2] and not told


def test_values_that_are_not_finite_are_refused_in_tiles_too(run: Path):
    translator = translate.load(run, "cpu", tile=64)
    torch.nn.init.constant_(translator.network().head.conv.bias, float("nan"))
    with pytest.raises(ImageError, match="not finite"):
        translator(pixels(150, 90))


def test_identity_takes_anything():
    translator = translate.load("identity")
    for channels in (1, 3, 5):
        assert np.array_equal(translator(pixels(channels=channels)), pixels(channels=channels))
    wide = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    assert np.array_equal(translator(wide), wide)
