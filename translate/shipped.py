"""The models that come with translate: where they lie, in a checkout and installed."""

import sysconfig
from importlib import metadata
from pathlib import Path

from translate.errors import CheckpointError

NAMES = ("colorize-small",)
_PLACE = Path("share", "translate", "checkpoints")


def find(name: str) -> Path:
    """The run folder of the model `name`, one of NAMES; raises CheckpointError if it was not installed."""
    above = Path(__file__).resolve().parent.parent
    places = [above / "checkpoints", above / _PLACE, Path(sysconfig.get_path("data")) / _PLACE, *_installed(name)]
    for place in places:
        if (place / name / "model.safetensors").is_file():
            return place / name
    looked = ", ".join(dict.fromkeys(map(str, places)))
    raise CheckpointError(f"The model {name} was not installed: it is in none of {looked}. Give another by its path.")


def _installed(name: str) -> list[Path]:
    """Where the installer says that it put the model."""
    try:
        files = metadata.files("translate") or []
    except metadata.PackageNotFoundError:
        return []
    found = [Path(str(file.locate())) for file in files if file.parts[-2:] == (name, "model.safetensors")]
    return [path.parent.parent for path in found]
