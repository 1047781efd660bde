"""Every error a user can meet, as one tree; the command line prints them without a traceback.

TranslateError
  ConfigError        a setting is unknown, out of range or contradicts another
  DataError          a data set is missing, empty, mismatched or holds unreadable files
    ImageError       one file cannot be read or written
      NotFiniteError a model makes values of it that are not finite
  CheckpointError    a checkpoint is missing, damaged, foreign or of another mode
  TrainingError      training cannot go on: a value is not finite, a device is missing
  UnwritableError    a disk does not take what is written: read-only, no permission, broken
    DiskFullError    no space is left to write to
"""


class TranslateError(Exception):
    """Root of the tree. The message says the thing, the value, what would do, and the next command if there is one."""


class ConfigError(TranslateError):
    """A setting is unknown, out of range or contradicts another."""


class DataError(TranslateError):
    """A data set is missing, empty, mismatched or holds unreadable files."""


class ImageError(DataError):
    """One file cannot be read or written as an image."""


class NotFiniteError(ImageError):
    """What a model makes of an image is not finite."""


class CheckpointError(TranslateError):
    """A checkpoint is missing, damaged, foreign or of another mode."""


class TrainingError(TranslateError):
    """Training cannot go on."""


class UnwritableError(TranslateError):
    """A disk does not take what is written: read-only, no permission, broken."""


class DiskFullError(UnwritableError):
    """No space is left to write to."""
