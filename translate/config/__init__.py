"""Settings: immutable, checked, said once.

A field's default, range and help text stand on the field alone; the command line, the checkpoint's JSON and the
documentation derive from it. Nothing here imports torch or numpy, so that `--help` is instant.
"""

from translate.config.base import Config, near_miss, parse_assignment, sort_settings
from translate.config.colouring import ColouringSettings
from translate.config.convert import ConvertSettings
from translate.config.data import DataSettings, Direction, Norm, Role
from translate.config.styling import StylingSettings
from translate.config.training import TrainingSettings

__all__ = [
    "ColouringSettings",
    "Config",
    "ConvertSettings",
    "DataSettings",
    "Direction",
    "Norm",
    "Role",
    "StylingSettings",
    "TrainingSettings",
    "near_miss",
    "parse_assignment",
    "sort_settings",
]
