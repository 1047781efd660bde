"""The version, said once; setup.cfg and the checkpoints read it from here."""

__version__ = "0.1.0"
