"""A generator as an OpenVINO graph."""

import warnings
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import openvino as ov
import torch
from openvino import opset13 as ops
from torch import Tensor, nn

from translate.engines.walk import Node, UnknownLayerError, walk
from translate.networks.blocks import Generator


def to_openvino(network: nn.Module, channels: int) -> Any:
    """An ov.Model of `network`, float32 (N, channels, H, W) to the same: any N, H and W that the network takes.

    It reads the network's own tensors, which must be on the CPU and stay as they are.
    """
    own = cast(Generator, network)
    side = 2 * max(own.minimum, own.multiple)
    images = ops.parameter([-1, channels, -1, -1], np.float32, name="images")
    try:
        output = walk(network, _OpenVINOWriter(), images, channels, side)
    except UnknownLayerError:
        return _converted(network, channels, side)
    return _named(ov.Model([ops.result(output)], [images], "generator"))


def _converted(network: nn.Module, channels: int, side: int) -> Any:
    """By OpenVINO's own converter, which knows more layers and takes seconds."""
    example = torch.zeros(1, channels, side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _named(ov.convert_model(network, input=[(-1, channels, -1, -1)], example_input=example))


def _named(model: Any) -> Any:
    model.inputs[0].set_names({"images"})
    model.outputs[0].set_names({"translations"})
    return model


class _OpenVINOWriter:
    def convolution(self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, groups: int) -> Node:
        how = ([stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
        if groups == 1:
            made = ops.convolution(x, _constant(weight), *how)
        else:
            made = ops.group_convolution(x, _constant(weight.unflatten(0, (groups, -1))), *how)
        return made if bias is None else ops.add(made, _per_channel(bias))

    def transposed(self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, output_pad: int) -> Node:
        made = ops.convolution_backprop_data(
            x,
            _constant(weight),
            [stride] * 2,
            pads_begin=[pad] * 2,
            pads_end=[pad] * 2,
            dilations=[1, 1],
            output_padding=[output_pad] * 2,
        )
        return made if bias is None else ops.add(made, _per_channel(bias))

    def instance_norm(self, x: Node, weight: Tensor | None, bias: Tensor | None, eps: float, channels: int) -> Node:
        made = ops.mvn(x, ops.constant(np.array([2, 3])), True, eps, "inside_sqrt")
        if weight is not None:
            made = ops.multiply(made, _per_channel(weight))
        return made if bias is None else ops.add(made, _per_channel(bias))

    def scale_and_shift(self, x: Node, scale: Tensor, shift: Tensor) -> Node:
        return ops.add(ops.multiply(x, _per_channel(scale)), _per_channel(shift))

    def pad(self, x: Node, pads: tuple[int, int, int, int], mode: str) -> Node:
        left, right, top, bottom = pads
        how = {"reflect": "reflect", "replicate": "edge"}[mode]
        return ops.pad(x, np.array([0, 0, top, left]), np.array([0, 0, bottom, right]), how)

    def double(self, x: Node) -> Node:
        scales, axes = np.array([2.0, 2.0], np.float32), np.array([2, 3])
        return ops.interpolate(
            x,
            scales,
            "nearest",
            "scales",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
            axes=axes,
        )

    def pixel_shuffle(self, x: Node, factor: int) -> Node:
        return ops.depth_to_space(x, "depth_first", factor)

    def concat(self, nodes: Sequence[Node]) -> Node:
        return ops.concat(list(nodes), 1)

    def add(self, x: Node, y: Node) -> Node:
        return ops.add(x, y)

    def relu(self, x: Node) -> Node:
        return ops.relu(x)

    def leaky_relu(self, x: Node, slope: float) -> Node:
        return ops.prelu(x, ops.constant(np.array([slope], np.float32)))

    def tanh(self, x: Node) -> Node:
        return ops.tanh(x)


def _constant(tensor: Tensor) -> Node:
    return ops.constant(np.ascontiguousarray(tensor.detach().numpy()), shared_memory=True)


def _per_channel(tensor: Tensor) -> Node:
    return ops.constant(np.ascontiguousarray(tensor.detach().numpy()).reshape(1, -1, 1, 1), shared_memory=True)
