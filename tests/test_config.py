"""Settings: checked, frozen, and clear when they are wrong."""

import pytest
from pydantic import ValidationError

from translate.config import DataSettings, TrainingSettings, parse_assignment, sort_settings
from translate.errors import ConfigError
from translate.methods import METHODS
from translate.settings import resolve

GROUPS = {"data": DataSettings, "training": TrainingSettings}
USUALLY: list[tuple[dict, dict]] = [
    ({}, {}),
    ({}, {"data": {"batch_size": 3}}),
    ({"batch_size": "2"}, {"data": {"batch_size": 3}}),
]


def test_an_unknown_setting_names_the_near_miss():
    with pytest.raises(ConfigError, match="Unknown setting 'batchsize'. Did you mean 'batch_size'?"):
        sort_settings({"batchsize": 3}, GROUPS)


def test_a_value_out_of_range_is_named():
    with pytest.raises(ConfigError, match="batch_size=0 will not do.*greater than or equal to 1"):
        DataSettings.checked({"batch_size": 0})


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        DataSettings().size = 3  # type: ignore[misc]


def test_contradictions_are_refused():
    with pytest.raises(ConfigError, match="epochs and steps"):
        TrainingSettings.checked({"epochs": 1, "steps": 1})
    with pytest.raises(ConfigError, match="load_size is 20"):
        DataSettings.checked({"size": 64, "load_size": 20})


def test_assignments():
    assert parse_assignment("save-every=5") == ("save_every", "5")
    with pytest.raises(ConfigError, match="name=value"):
        parse_assignment("save_every")


def test_order_is_defaults_then_saved_then_asked():
    saved = {"data": {"size": 64, "batch_size": 2}, "training": {"epochs": 7}, "method": {"l1": 10.0}}
    chosen = resolve("pix2pix", "x", {"batch_size": "3", "steps": "9"}, saved)
    assert (chosen.data.size, chosen.data.batch_size, chosen.data.flip) == (64, 3, True)
    assert (chosen.training.epochs, chosen.training.steps) == (None, 9)
    assert chosen.method.model_dump()["l1"] == 10


def test_what_a_mode_usually_sets_gives_way_to_what_is_saved_and_asked():
    chosen = [resolve("colorize", "x", asked, saved).data for asked, saved in USUALLY]
    assert [data.batch_size for data in chosen] == [8, 3, 2]
    assert {data.preprocess for data in chosen} == {"scale_shortest"}
    assert resolve("pix2pix", "x", {}, {}).data == DataSettings()


def test_the_papers_length_is_the_default():
    assert resolve("cycle", "x", {}, {}).training.epochs == 200


def test_an_unknown_mode_names_the_near_miss():
    with pytest.raises(ConfigError, match="Unknown mode 'pixpix'. Did you mean 'pix2pix'?"):
        resolve("pixpix", "x", {}, {})


def test_no_two_groups_share_a_name():
    for method in METHODS.values():
        groups = [DataSettings, TrainingSettings, method.settings]
        names = [name for group in groups for name in group.model_fields]
        assert len(names) == len(set(names))


def test_every_setting_says_what_it_is():
    for group in [DataSettings, TrainingSettings, *(method.settings for method in METHODS.values())]:
        assert all(field.description for field in group.model_fields.values())
