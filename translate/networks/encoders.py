"""Ways down for ColourUNet: our own, or a torchvision network whose pretrained weights may be at hand."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from translate.config import near_miss
from translate.errors import CheckpointError, ConfigError
from translate.networks.blocks import has_bias, normalisation

IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


class ResidualBlock(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, added to the input, ReLU (He et al. 2016)."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.norm1 = normalisation(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=bias)
        self.norm2 = normalisation(norm, channels)

    def forward(self, images: Tensor) -> Tensor:
        inner = F.relu(self.norm1(self.conv1(images)))
        return F.relu(images + self.norm2(self.conv2(inner)))


class Halving(nn.Module):
    """A convolution that halves, norm, ReLU, then residual blocks."""

    def __init__(self, in_channels: int, out_channels: int, norm: str, blocks: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=has_bias(norm))
        self.norm = normalisation(norm, out_channels)
        self.blocks = nn.Sequential(*(ResidualBlock(out_channels, norm) for _ in range(blocks)))

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(F.relu(self.norm(self.conv(images))))


def own(in_channels: int, width: int, depth: int, norm: str) -> tuple[nn.ModuleList, list[int]]:
    """`depth` halvings of width, 2, 4, 8, 8 ... times `width`; one block in the first and the last, two between."""
    widths = [width * min(2**level, 8) for level in range(depth)]
    counts = [1, *[2] * (depth - 2), 1]
    inputs = [in_channels, *widths[:-1]]
    return nn.ModuleList(Halving(*each) for each in zip(inputs, widths, [norm] * depth, counts, strict=True)), widths


def _resnet(name: str) -> Callable[[int, int, int, str], tuple[nn.ModuleList, list[int]]]:
    def make(in_channels: int, width: int, depth: int, norm: str) -> tuple[nn.ModuleList, list[int]]:
        from torchvision import models

        network = getattr(models, name)(weights=None, norm_layer=lambda channels: normalisation(norm, channels))
        network.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        levels = [
            nn.Sequential(network.conv1, network.bn1, network.relu),
            nn.Sequential(network.maxpool, network.layer1),
            network.layer2,
            network.layer3,
            network.layer4,
        ]
        return nn.ModuleList(levels[:depth]), [64, 64, 128, 256, 512][:depth]

    return make


ENCODERS: dict[str, Callable[[int, int, int, str], tuple[nn.ModuleList, list[int]]]] = {
    "own": own,
    "resnet18": _resnet("resnet18"),
    "resnet34": _resnet("resnet34"),
}
"""Makes (in_channels, width, depth, norm) the levels, each half as large as the one before, and their channels."""

DEEPEST = {"own": 12, "resnet18": 5, "resnet34": 5}


def make_encoder(name: str, in_channels: int, width: int, depth: int, norm: str) -> tuple[nn.ModuleList, list[int]]:
    """The levels of encoder `name` and their channels; raises ConfigError for an unknown name or depth."""
    if name not in ENCODERS:
        raise ConfigError(f"Unknown encoder {name!r}.{near_miss(name, ENCODERS)}")
    if not 2 <= depth <= DEEPEST[name]:
        raise ConfigError(f"colour_unet: depth is {depth}; with encoder {name} it is 2 to {DEEPEST[name]}.")
    return ENCODERS[name](in_channels, width, depth, norm)


def cached_weights(name: str) -> Path | None:
    """Where torchvision keeps the pretrained weights of encoder `name`, if they have been downloaded."""
    from torchvision import models

    if name == "own":
        return None
    url = models.get_model_weights(name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    return path if path.is_file() else None


@torch.no_grad()
def load_pretrained(levels: Sequence[nn.Module], path: Path) -> None:
    """Give the levels of a torchvision encoder the weights in `path`, a state dict of torchvision's.

    What was learned on RGB is summed for light; further input channels begin at 0. Raises CheckpointError.
    """
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _read(path)
    except Exception as error:  # whatever a damaged file makes torch raise
        raise CheckpointError(f"Cannot read the encoder's weights {path}: {error}") from None
    if not levels or "0.weight" not in levels[0].state_dict():
        raise CheckpointError(f"{path}: this network has no encoder of torchvision's to give weights to.")
    names = ("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",)
    for level, (own_level, parts) in enumerate(zip(levels, names, strict=False)):
        chosen: dict[str, Tensor] = {}
        for place, part in enumerate(parts):
            before = f"{place + (level == 1)}." if level < 2 else ""
            chosen |= {before + k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
        own_state = own_level.state_dict()
        if level == 0 and "0.weight" in chosen:
            chosen["0.weight"] = _for_light(chosen["0.weight"], own_state["0.weight"])
        known = {k: v for k, v in chosen.items() if k in own_state}  # an instance norm has no weights to take
        more = [k for k, v in chosen.items() if k not in own_state and v.dim() > 1]
        if more:  # the first blocks of a deeper network would fit
            raise CheckpointError(f"{path} holds another network: it has {parts[-1]}.{more[0]}, too.")
        try:
            missing = own_level.load_state_dict(known, strict=False).missing_keys
        except RuntimeError as error:
            raise CheckpointError(f"{path} holds another network: {str(error).splitlines()[-1].strip()}") from None
        if missing:
            raise CheckpointError(f"{path} holds another network: it has no {', '.join(parts)}: {missing[0]}.")


def _read(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("it is no state dict")
    return state


def _for_light(weight: Tensor, like: Tensor) -> Tensor:
    """The first convolution (64, 3, 7, 7) on normalised RGB in [0, 1], for light in [-1, 1] and other channels."""
    made = torch.zeros_like(like)
    deviation = torch.tensor(IMAGENET_DEVIATION).view(1, 3, 1, 1)
    made[:, :1] = (weight.float() / (2 * deviation)).sum(dim=1, keepdim=True)
    return made
