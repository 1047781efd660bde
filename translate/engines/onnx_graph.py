"""A generator as an ONNX graph."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from translate.engines.walk import Node, UnknownLayerError, walk
from translate.networks.blocks import Generator

OPSET = 18
"""Of the operators; old enough for the runtimes in use."""


def to_onnx(network: nn.Module, channels: tuple[int, int], metadata: Mapping[str, str] | None = None) -> bytes:
    """The ONNX file of `network`, float32 (N, C, H, W) to the same: any N, H and W that the network takes."""
    own = cast(Generator, network)
    side = 2 * max(own.minimum, own.multiple)
    writer = _ONNXWriter()
    try:
        output = walk(network, writer, "images", channels[0], side)
    except UnknownLayerError:
        model = _converted(network, channels[0], side)
    else:
        writer.node("Identity", [output], name="translations")
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count, "height", "width"])
            for name, count in zip(("images", "translations"), channels, strict=True)
        ]
        graph = helper.make_graph(writer.nodes, "generator", ends[:1], ends[1:], initializer=writer.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _converted(network: nn.Module, channels: int, side: int) -> Any:
    """By torch's own exporter, which knows more layers, and takes seconds and the package onnxscript."""
    free = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            network,
            (torch.zeros(2, channels, side, side + cast(Generator, network).multiple),),
            dynamo=True,
            input_names=["images"],
            output_names=["translations"],
            dynamic_shapes=({0: free, 2: free, 3: free},),
            opset_version=OPSET,
            verbose=False,
        )
    return program.model_proto


class _ONNXWriter:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, kind: str, inputs: Sequence[str], name: str | None = None, **attributes: Any) -> str:
        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Tensor | np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        array = values.detach().numpy() if isinstance(values, Tensor) else values
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def convolution(self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, groups: int) -> Node:
        weights = [self.constant(tensor) for tensor in (weight, bias) if tensor is not None]
        return self.node("Conv", [x, *weights], strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def transposed(self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, output_pad: int) -> Node:
        weights = [self.constant(tensor) for tensor in (weight, bias) if tensor is not None]
        extra = [output_pad] * 2
        return self.node("ConvTranspose", [x, *weights], strides=[stride] * 2, pads=[pad] * 4, output_padding=extra)

    def instance_norm(self, x: Node, weight: Tensor | None, bias: Tensor | None, eps: float, channels: int) -> Node:
        weight = torch.ones(channels) if weight is None else weight
        bias = torch.zeros(channels) if bias is None else bias
        return self.node("InstanceNormalization", [x, self.constant(weight), self.constant(bias)], epsilon=eps)

    def scale_and_shift(self, x: Node, scale: Tensor, shift: Tensor) -> Node:
        scale_name, shift_name = (self.constant(tensor.reshape(1, -1, 1, 1)) for tensor in (scale, shift))
        return self.node("Add", [self.node("Mul", [x, scale_name]), shift_name])

    def pad(self, x: Node, pads: tuple[int, int, int, int], mode: str) -> Node:
        left, right, top, bottom = pads
        amounts = self.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
        return self.node("Pad", [x, amounts], mode={"reflect": "reflect", "replicate": "edge"}[mode])

    def double(self, x: Node) -> Node:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", [x, "", scales], mode="nearest", **how)

    def pixel_shuffle(self, x: Node, factor: int) -> Node:
        return self.node("DepthToSpace", [x], blocksize=factor, mode="CRD")

    def concat(self, nodes: Sequence[Node]) -> Node:
        return self.node("Concat", nodes, axis=1)

    def add(self, x: Node, y: Node) -> Node:
        return self.node("Add", [x, y])

    def relu(self, x: Node) -> Node:
        return self.node("Relu", [x])

    def leaky_relu(self, x: Node, slope: float) -> Node:
        return self.node("LeakyRelu", [x], alpha=slope)

    def tanh(self, x: Node) -> Node:
        return self.node("Tanh", [x])
