"""Augmentation: the two of a pair in step to the pixel, draws that follow from the generator alone."""

import pickle

import numpy as np
import pytest

from translate.config import DataSettings
from translate.data.augment import Augment
from translate.errors import ConfigError

HEIGHT, WIDTH, SIDE = 40, 52, 32

GEOMETRIES = {
    "crop": {},
    "flip": {"flip": True},
    "vertical_flip": {"vertical_flip": True},
    "turn": {"turn": True},
    "all": {"flip": True, "vertical_flip": True, "turn": True},
    "whole": {"preprocess": "none", "flip": True, "vertical_flip": True, "turn": True},
}


def settings(**values) -> DataSettings:
    return DataSettings.checked({"size": SIDE, "flip": False, "preprocess": "crop"} | values)


def grid(channels: int, dtype) -> np.ndarray:
    """Every pixel says where it lies: its row in channel 0, its column in channel 1."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([y, x] + [y * 0] * (channels - 2), axis=2).astype(dtype)


def rng(index: int) -> np.random.Generator:
    return np.random.default_rng([7, 0, index])


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(("channels", "dtype"), [((3, 3), (np.uint8, np.uint8)), ((5, 16), (np.uint16, np.float32))])
def test_the_two_of_a_pair_stay_in_step_to_the_pixel(name: str, channels, dtype):
    augment = Augment(settings(**GEOMETRIES[name]))
    a, b = (grid(count, kind) for count, kind in zip(channels, dtype, strict=True))
    seen = set()
    for index in range(1000):
        first, second = augment.pair(rng(index), a, b)
        assert np.array_equal(first[..., :2].astype(int), second[..., :2].astype(int))
        assert (first.dtype, second.dtype) == dtype
        assert first.shape[2:] == channels[:1] and second.shape[2:] == channels[1:]
        if name != "whole":
            assert first.shape[:2] == (SIDE, SIDE)
        # Whole pixels of one rigid motion: neighbours stay neighbours, and the corners tell which motion it was.
        rows, columns = first[..., 0].astype(int), first[..., 1].astype(int)
        steps = {(int(rows[0, 1] - rows[0, 0]), int(columns[0, 1] - columns[0, 0]))}
        assert (np.abs(np.diff(rows, axis=1)) + np.abs(np.diff(columns, axis=1)) == 1).all()
        assert (np.abs(np.diff(rows, axis=0)) + np.abs(np.diff(columns, axis=0)) == 1).all()
        seen.add((int(rows[0, 0]), int(columns[0, 0]), *steps))
    orientations = {(at[2], int(np.sign(at[0] - HEIGHT / 2)), int(np.sign(at[1] - WIDTH / 2))) for at in seen}
    assert len(orientations) >= {"crop": 1, "flip": 2, "vertical_flip": 2}.get(name, 4)
    if name != "whole":
        places = (HEIGHT - SIDE + 1) * (WIDTH - SIDE + 1)
        assert len(seen) > 0.9 * places * (1 - np.exp(-1000 / places / max(len(orientations), 1)))


@pytest.mark.parametrize("on", ["a", "b", "both"])
def test_draws_follow_from_the_generator_alone(on: str):
    values = settings(flip=True, turn=True, jitter=0.5, jitter_on=on)
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    used, fresh = Augment(values), pickle.loads(pickle.dumps(Augment(values)))
    for index in range(20):
        used.pair(rng(100 + index), picture, picture)
    for index in range(20):
        np.random.seed(index)
        for one, two in zip(
            used.pair(rng(index), picture, picture), fresh.pair(rng(index), picture, picture), strict=True
        ):
            assert np.array_equal(one, two)
        assert np.array_equal(used.one(rng(index), picture, "a"), fresh.one(rng(index), picture, "a"))


def test_crop_and_mirror_are_drawn_independently():
    """Transforms that were each seeded alike would mirror exactly the crops from one side."""
    augment = Augment(settings(flip=True))
    crops: dict[bool, list[int]] = {False: [], True: []}
    for index in range(1000):
        columns = augment.one(rng(index), grid(3, np.uint8), "a")[0, :, 1].astype(int)
        crops[bool(columns[1] < columns[0])].append(int(columns.min()))
    assert 400 < len(crops[True]) < 600
    assert set(crops[True]) == set(crops[False]) == set(range(WIDTH - SIDE + 1))


@pytest.mark.parametrize("on", ["a", "b", "both"])
def test_jitter_changes_the_domain_it_is_set_on(on: str):
    augment = Augment(settings(preprocess="none", jitter=0.5, jitter_on=on))
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    kept = picture.copy()
    a, b = augment.pair(rng(0), picture, picture)
    assert np.array_equal(picture, kept)
    assert np.array_equal(a, picture) == (on == "b") and np.array_equal(b, picture) == (on == "a")
    assert on != "both" or np.array_equal(a, b)
    for domain in "ab":
        assert np.array_equal(augment.one(rng(0), picture, domain), picture) == (on not in (domain, "both"))


def test_jitter_refuses_what_has_no_colours():
    augment = Augment(settings(jitter=0.5, jitter_on="b"))
    five, sixteen_bits = grid(5, np.uint8), grid(3, np.uint16)
    augment.pair(rng(0), five, grid(3, np.uint8))
    for picture in (five, sixteen_bits):
        with pytest.raises(ConfigError, match="jitter"):
            augment.pair(rng(0), five, picture)


def test_read_only_arrays_will_do():
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    picture.flags.writeable = False
    Augment(settings(flip=True, vertical_flip=True, turn=True, jitter=0.3)).pair(rng(0), picture, picture)
