"""What may be a teacher, and what tells one from another."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import nn

from translate import networks
from translate.config import Direction, Role
from translate.errors import CheckpointError, ConfigError
from translate.networks.blocks import Generator, per_image_statistics

UNFIT = ("colorize", "adain", "dcgan")


class Trained(Protocol):
    """A model as its file holds it: generators by direction, and what the file says of them."""

    @property
    def networks(self) -> dict[Role, nn.Module]: ...

    @property
    def about(self) -> Any: ...


def generator_of(teacher: Trained, direction: Direction) -> Generator:
    """The teacher's network for `direction`, as it is used; raises ConfigError if it has none to learn from."""
    refuse_unfit(teacher.about.mode)
    if direction not in teacher.networks:
        ways = list(teacher.networks)
        raise ConfigError(
            f"The teacher cannot be distilled: it translates {' or '.join(ways)}, not {direction}. "
            f"Give --direction {ways[0]}."
        )
    network = teacher.networks[direction]
    return cast(Generator, per_image_statistics(network) if teacher.about.statistics == "image" else network)


def refuse_unfit(mode: str) -> None:
    """Raise ConfigError if models of `mode` cannot be teachers."""
    if mode in UNFIT:
        raise ConfigError(
            f"The teacher cannot be distilled: it is of --mode {mode}. Models of pix2pix, cycle, style and distill "
            "can, and imported ones of the first two."
        )


def identity(teacher: Trained, direction: Direction) -> dict[str, str]:
    """What tells `teacher` from others, and what it is in words."""
    about = teacher.about
    key = _key(teacher.networks[direction], about.statistics) if direction in teacher.networks else ""
    return {"teacher": key, "origin": f"{about.mode}, {about.step} steps"}


def refuse_other(former: Mapping[str, str], now: Mapping[str, str], path: Path | None) -> None:
    """Raise CheckpointError if the teacher at `path`, whose identity is `now`, is not the `former`."""
    if former["teacher"] != now["teacher"]:
        raise CheckpointError(
            f"The run learned from another teacher ({former['origin']}) than {path} is now ({now['origin']}): give "
            "the former as CHECKPOINT again, or choose another --name."
        )


def count_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _key(network: nn.Module, statistics: str) -> str:
    """A hash of all that decides what `network` makes."""
    digest = hashlib.sha256(repr((networks.name_of(network), network.arguments, statistics)).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
