"""VGG-19 and VGG-16 (Simonyan and Zisserman 2015) as far as a file holds them: relu1_1, relu1_2, relu2_1 ...

Style is usually taken from relu1_1 to relu5_1 and content from relu4_2 (Gatys et al. 2016), of a shorter network from
those that exist, content from the deepest of relu4_1, relu3_1, relu2_1, relu1_1. Pooling is average, which Gatys et al.
prefer, unless max is asked for. Their rescaling of the filters to a mean activation of 1 is left out: losses here are
relative to the target's own scale.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from translate.features.chain import Chain, Convolution, Pool, Stage, imagenet

BLOCKS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}
"""Convolutions between one pooling and the next."""
Convolutions = dict[str, tuple[Tensor, Tensor]]
"""Weight (C', C, 3, 3) and bias (C',) by place, shallow to deep: 1_1, 1_2, 2_1 ..."""


class Vgg(Chain):
    """3 x 3 convolutions, ReLU after each, 2 x 2 pooling between blocks; `mode` is how borders are padded."""

    def __init__(
        self,
        name: str,
        about: str,
        convolutions: Convolutions,
        *,
        entry: tuple[Tensor, Tensor],
        mode: str,
        pooling: str = "auto",
    ) -> None:
        pooling = "average" if pooling == "auto" else pooling
        stages: list[tuple[str, Stage]] = []
        block = "1"
        for place, (weight, bias) in convolutions.items():
            if place[0] != block:
                stages.append(("", Pool(2, average=pooling == "average")))
                block = place[0]
            stages.append((f"relu{place}", Convolution(weight, bias, padding=1, mode=mode)))
        super().__init__(name, about, stages, *entry, pooling=pooling)
        self.style_layers = {layer: 1.0 for layer in self.layers if layer.endswith("_1")}
        usual = ("relu4_2", "relu4_1", "relu3_1", "relu2_1", "relu1_1")
        self.content_layers = {next(layer for layer in usual if layer in self.layers): 1.0}


def places(name: str) -> dict[str, int]:
    """Where in torchvision's `features` the convolutions of vgg19 or vgg16 are: 1_1 at 0, 1_2 at 2, 2_1 at 5 ..."""
    found, index = {}, 0
    for block, count in enumerate(BLOCKS[name], start=1):
        for number in range(1, count + 1):
            found[f"{block}_{number}"] = index
            index += 2
        index += 1
    return found


def torchvision_vgg(name: str, state: Mapping[str, Tensor], about: str, pooling: str = "auto") -> Vgg:
    """vgg19 or vgg16 of the state of torchvision's `features` ("0.weight" ...), to the deepest that is there.

    Input is RGB of ImageNet's mean and deviation; at its borders the picture goes on as its last pixels.
    """
    found = _convolutions(state, {place: str(index) for place, index in places(name).items()})
    return Vgg(name, about, found, entry=imagenet(), mode="replicate", pooling=pooling)


def normalised_vgg(state: Mapping[str, Tensor], about: str, pooling: str = "auto") -> Vgg:
    """VGG-19 with filters scaled to a mean activation of 1: "encoder.conv1_1.weight" ..., "preproc.weight".

    `preproc`, 1 x 1, takes RGB in [0, 1] to BGR in [0, 255] less the mean; borders are reflected.
    """
    found = _convolutions(state, {place: f"encoder.conv{place}" for place in places("vgg19")})
    return Vgg("vgg19_normalised", about, found, entry=_entry(state, "preproc"), mode="reflect", pooling=pooling)


def distilled_vgg(state: Mapping[str, Tensor], about: str, pooling: str = "auto") -> Vgg:
    """A narrow VGG-19 distilled from the whole (Wang et al. 2020, Collaborative Distillation): "enc5.conv11.weight" ...

    The deepest encoder of the file; `conv0`, 1 x 1, takes RGB in [0, 1] to its input; borders are reflected. Layers are
    taken before the `_aux` maps that lift them linearly to VGG's 64 to 512 channels. Those add no knowledge, are there
    for the first layer of a block only, and stretch most directions about alike (relu4_1: 0.7 to 2 times), so that
    relative statistics change little; second moments of a quarter of the channels cost a sixteenth.
    """
    deepest = max(int(match[1]) for key in state if (match := re.match(r"enc(\d)\.conv0\.weight$", key)))
    names = {place: f"enc{deepest}.conv{place.replace('_', '')}" for place in places("vgg19")}
    entry = _entry(state, f"enc{deepest}.conv0")
    return Vgg("vgg19_distilled", about, _convolutions(state, names), entry=entry, mode="reflect", pooling=pooling)


def _convolutions(state: Mapping[str, Tensor], names: Mapping[str, str]) -> Convolutions:
    """Those of `names`, the state's name by place, that `state` has, in order."""
    return {place: _pair(state, name) for place, name in names.items() if f"{name}.weight" in state}


def _pair(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return state[f"{name}.weight"], state[f"{name}.bias"]


def _entry(state: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    weight, bias = _pair(state, name)
    return torch.reshape(weight, (3, 3)), bias
