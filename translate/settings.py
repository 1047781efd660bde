"""One run's settings, put together: defaults, then a saved config, then what was asked for."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from translate.config import Config, DataSettings, TrainingSettings, sort_settings
from translate.errors import CheckpointError, ConfigError
from translate.methods import find_method
from translate.version import __version__

# What may change when a run is resumed: what nothing learned depends on, and what makes it longer or helps it along.
WITHOUT_EFFECT = {"device", "workers", "threads", "cache", "resident", "tensorboard", "licence"}
WITHOUT_EFFECT |= {"execution", "channels_last", "checkpointing", "deterministic"}
WITHOUT_EFFECT |= {"report_every", "sample_every", "save_every", "validate_every", "validate_images"}
WITHOUT_EFFECT |= {"health_every", "probe_every"}
FREE_ON_RESUME = {
    "epochs",
    "steps",
    "clip",
    "learning_rate",
    "learning_rate_d",
    "precision",
    "skip_bad",
    "on_trouble",
    "labels",
}


@dataclass(frozen=True)
class Settings:
    """Everything that a run's config.json says."""

    mode: str
    dataset: str
    data: DataSettings
    training: TrainingSettings
    method: Config

    def to_json(self, channels: tuple[int, int]) -> dict[str, Any]:
        return {
            "format": 1,
            "mode": self.mode,
            "dataset": self.dataset,
            "channels": list(channels),
            "data": self.data.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "method": self.method.model_dump(mode="json"),
            "versions": {"translate": __version__, "torch": torch.__version__, "python": platform.python_version()},
        }


def resolve(mode: str, dataset: str, asked: Mapping[str, Any], saved: Mapping[str, Any]) -> Settings:
    """Merge `asked` (flat, by field name; strings are converted) over `saved` (a config.json) over the defaults.

    Raises ConfigError for an unknown mode, setting or value.
    """
    groups: dict[str, type[Config]] = {
        "data": DataSettings,
        "training": TrainingSettings,
        "method": find_method(mode).settings,
    }
    strange = sorted(set(saved) - {*groups, "format", "mode", "dataset", "channels", "versions"})
    if strange:
        raise ConfigError(
            f"The saved config has {', '.join(strange)} at its top: settings stand in the groups {', '.join(groups)}."
        )
    if saved.get("mode", mode) != mode:
        raise ConfigError(f"The saved config is of --mode {saved['mode']}, not {mode}.")
    if not all(isinstance(saved.get(name, {}), Mapping) for name in groups):
        raise ConfigError(f"The saved config does not hold settings: {', '.join(groups)} are groups of name and value.")
    new = sort_settings(asked, groups)
    flat = {key: value for group in groups for key, value in {**saved.get(group, {}), **new[group]}.items()}
    kind = find_method(mode)
    usual = kind.usually(flat)
    before = kind.usually({key: value for group in groups for key, value in saved.get(group, {}).items()})
    # What follows from another setting (a preset, a size) follows from the one that is asked for now.
    follows = {key for key, value in usual.items() if before.get(key) != value}
    merged: dict[str, dict[str, Any]] = {}
    for name, group in groups.items():
        old = dict(saved.get(name, {}))
        unknown = sorted(set(old) - set(group.model_fields))
        if unknown:
            raise ConfigError(f"The saved config has settings that this version does not know: {', '.join(unknown)}.")
        old = {key: value for key, value in old.items() if key not in follows}
        if {"epochs", "steps"} & set(new[name]):
            old = {key: value for key, value in old.items() if key not in ("epochs", "steps")}
        merged[name] = {key: value for key, value in usual.items() if key in group.model_fields} | old | new[name]
    if merged["training"].get("epochs") is None and merged["training"].get("steps") is None:
        merged["training"]["epochs"] = 200
    data = DataSettings.checked(merged["data"])
    if data.preprocess == "none" and not kind.any_size:
        raise ConfigError(f"--mode {mode} makes images of one size: preprocess=none leaves them as they are.")
    return Settings(
        mode=mode,
        dataset=dataset,
        data=data,
        training=TrainingSettings.checked(merged["training"]),
        method=kind.settled(groups["method"].checked(merged["method"])),
    )


def refuse_other_mode(run: Path, saved: Mapping[str, Any], mode: str) -> None:
    """Raise CheckpointError if the `saved` config of `run` is not of `mode`."""
    if saved.get("mode") != mode:
        raise CheckpointError(
            f"Run {run} was trained with --mode {saved.get('mode')}, not {mode}. "
            "Resume it with that mode, or choose another --name."
        )


def changes(run: Path, saved: Mapping[str, Any], settings: Settings) -> list[str]:
    """One sentence for each setting of `saved` that `settings` changes and that what is learned depends on.

    Raises CheckpointError for a change that would make another run of `run`.
    """
    notices = []
    if saved.get("dataset", settings.dataset) != settings.dataset:
        notices.append(f"From here on the data is {settings.dataset}, no longer {saved['dataset']}.")
    now, free = settings.to_json((0, 0)), FREE_ON_RESUME | find_method(settings.mode).guarded
    for group in ("data", "training", "method"):
        for key, value in now[group].items():
            old = saved.get(group, {}).get(key, value)
            if old == value or key in WITHOUT_EFFECT:
                continue
            if key not in free:
                raise CheckpointError(
                    f"Run {run} was trained with {key}={old}, not {value}. A resumed run keeps its settings: "
                    f"leave {key} out, or choose another --name."
                )
            notices.append(f"From here on {key} is {value}, no longer {old}.")
    return notices
