"""Augmentation: the two of a pair in step to the pixel, draws that follow from the generator alone."""

import pickle
from collections import Counter
from itertools import product

import numpy as np
import pytest

from translate.config import DataSettings
from translate.data import geometry
from translate.data.augment import Augment, Domain
from translate.data.geometry import Geometry
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


def pair(augment: Augment, rng: np.random.Generator, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variant = augment.draw(rng, a.shape[:2], "a", "b")
    return augment.apply(variant, a, "a"), augment.apply(variant, b, "b")


def one(augment: Augment, rng: np.random.Generator, image: np.ndarray, domain: Domain) -> np.ndarray:
    return augment.apply(augment.draw(rng, image.shape[:2], domain), image, domain)


def rng(index: int) -> np.random.Generator:
    return np.random.default_rng([7, 0, index])


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(("channels", "dtype"), [((3, 3), (np.uint8, np.uint8)), ((5, 16), (np.uint16, np.float32))])
def test_the_two_of_a_pair_stay_in_step_to_the_pixel(name: str, channels, dtype):
    augment = Augment(settings(**GEOMETRIES[name]))
    a, b = (grid(count, kind) for count, kind in zip(channels, dtype, strict=True))
    seen = set()
    for index in range(1000):
        first, second = pair(augment, rng(index), a, b)
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


def test_what_a_geometry_does_is_its_definition():
    """Against numpy's own slices and turns, for pixels of every size."""
    for channels, dtype in ((1, np.uint8), (3, np.uint8), (3, np.uint16), (5, np.uint8), (16, np.float32)):
        image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, channels)).astype(dtype)
        for mirror, flip, turns in product((False, True), (False, True), range(4)):
            drawn = Geometry(3, 5, 20, 30, mirror, flip, turns)
            wanted = image[3:23, 5:35]
            wanted = np.rot90(wanted[:: -1 if flip else 1, :: -1 if mirror else 1], turns)
            made = geometry.apply(image, drawn)
            assert np.array_equal(made, wanted) and made.shape[:2] == drawn.shape and made.dtype == dtype


def test_all_geometries_are_equally_likely():
    """Mirrors by halves, turns by quarters, places all alike: within five standard deviations of what is expected."""
    generator = np.random.default_rng(0)
    values = settings(flip=True, vertical_flip=True, turn=True)
    count = 20000
    drawn = [geometry.draw(generator, HEIGHT, WIDTH, values) for _ in range(count)]
    for field in ("mirror", "flip"):
        assert abs(sum(getattr(one, field) for one in drawn) / count - 0.5) < 5 * 0.5 / count**0.5
    for chances in ([one.turns for one in drawn], [one.top for one in drawn], [one.left for one in drawn]):
        found = np.bincount(chances)
        share = 1 / len(found)
        assert (np.abs(found / count - share) < 5 * (share * (1 - share) / count) ** 0.5).all()
    assert {one.top for one in drawn} == set(range(HEIGHT - SIDE + 1))
    assert {one.left for one in drawn} == set(range(WIDTH - SIDE + 1))
    assert {one.turns for one in drawn} == set(range(4))


def test_no_setting_changes_the_draws_of_another():
    plain, moved = (geometry.draw(rng(3), HEIGHT, WIDTH, settings(flip=on, turn=on)) for on in (False, True))
    assert plain[:4] == moved[:4] and not plain.mirror and plain.turns == 0


def test_jitter_draws_factors_evenly_and_every_order():
    augment = Augment(settings(jitter=0.4))
    generator = np.random.default_rng(0)
    drawn = [colours for _ in range(4000) if (colours := augment.draw(generator, (HEIGHT, WIDTH), "a").colours)]
    for field, middle, reach in (("brightness", 1, 0.4), ("contrast", 1, 0.4), ("saturation", 1, 0.4), ("hue", 0, 0.1)):
        values = np.array([getattr(one, field) for one in drawn])
        assert abs(values.min() - middle + reach) < 0.01 * reach and abs(values.max() - middle - reach) < 0.01 * reach
        assert abs(values.mean() - middle) < 5 * reach / 3**0.5 / len(values) ** 0.5
        assert abs(values.var() / (reach**2 / 3) - 1) < 0.1
    counts = Counter(one.order for one in drawn)
    assert len(counts) == 24 and min(counts.values()) > 4000 / 24 * 0.6


@pytest.mark.parametrize("on", ["a", "b", "both"])
def test_draws_follow_from_the_generator_alone(on: str):
    values = settings(flip=True, turn=True, jitter=0.5, jitter_on=on)
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    used, fresh = Augment(values), pickle.loads(pickle.dumps(Augment(values)))
    for index in range(20):
        pair(used, rng(100 + index), picture, picture)
    for index in range(20):
        np.random.seed(index)
        for first, second in zip(
            pair(used, rng(index), picture, picture), pair(fresh, rng(index), picture, picture), strict=True
        ):
            assert np.array_equal(first, second)
        assert np.array_equal(one(used, rng(index), picture, "a"), one(fresh, rng(index), picture, "a"))


def test_crop_and_mirror_are_drawn_independently():
    """Transforms that were each seeded alike would mirror exactly the crops from one side."""
    augment = Augment(settings(flip=True))
    crops: dict[bool, list[int]] = {False: [], True: []}
    for index in range(1000):
        columns = one(augment, rng(index), grid(3, np.uint8), "a")[0, :, 1].astype(int)
        crops[bool(columns[1] < columns[0])].append(int(columns.min()))
    assert 400 < len(crops[True]) < 600
    assert set(crops[True]) == set(crops[False]) == set(range(WIDTH - SIDE + 1))


@pytest.mark.parametrize("on", ["a", "b", "both"])
def test_jitter_changes_the_domain_it_is_set_on(on: str):
    augment = Augment(settings(preprocess="none", jitter=0.5, jitter_on=on))
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    kept = picture.copy()
    a, b = pair(augment, rng(0), picture, picture)
    assert np.array_equal(picture, kept)
    assert np.array_equal(a, picture) == (on == "b") and np.array_equal(b, picture) == (on == "a")
    assert on != "both" or np.array_equal(a, b)
    for domain in "ab":
        assert np.array_equal(one(augment, rng(0), picture, domain), picture) == (on not in (domain, "both"))


def test_jitter_refuses_what_has_no_colours():
    augment = Augment(settings(jitter=0.5, jitter_on="b"))
    five, sixteen_bits = grid(5, np.uint8), grid(3, np.uint16)
    pair(augment, rng(0), five, grid(3, np.uint8))
    for picture in (five, sixteen_bits):
        with pytest.raises(ConfigError, match="jitter"):
            pair(augment, rng(0), five, picture)


def test_read_only_arrays_will_do():
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    picture.flags.writeable = False
    pair(Augment(settings(flip=True, vertical_flip=True, turn=True, jitter=0.3)), rng(0), picture, picture)
