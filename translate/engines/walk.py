"""Writes a generator down as the graph of another runtime, in a hundredth of the time of a general converter.

The network runs once on a stand-in for its input; each function of torch that it calls becomes a call of a Writer.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Node = Any
"""What a Writer makes: a value (N, C, H, W) in its graph."""


class Writer(Protocol):
    """The layers that generators are made of, as one runtime writes them. Tensors are weights on the CPU in float32."""

    def convolution(self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, groups: int) -> Node: ...
    def transposed(
        self, x: Node, weight: Tensor, bias: Tensor | None, stride: int, pad: int, output_pad: int
    ) -> Node: ...
    def instance_norm(self, x: Node, weight: Tensor | None, bias: Tensor | None, eps: float, channels: int) -> Node: ...
    def scale_and_shift(self, x: Node, scale: Tensor, shift: Tensor) -> Node: ...
    def pad(self, x: Node, pads: tuple[int, int, int, int], mode: str) -> Node:
        """By (left, right, top, bottom); `mode` is reflect or replicate."""

    def double(self, x: Node) -> Node:
        """Each pixel twice in both directions."""

    def pixel_shuffle(self, x: Node, factor: int) -> Node: ...
    def concat(self, nodes: Sequence[Node]) -> Node:
        """Along the channels."""

    def add(self, x: Node, y: Node) -> Node: ...
    def relu(self, x: Node) -> Node: ...
    def leaky_relu(self, x: Node, slope: float) -> Node: ...
    def tanh(self, x: Node) -> Node: ...


class UnknownLayerError(Exception):
    """The network calls something that Writers do not know; a general converter has to take it."""


@torch.no_grad()
def walk(network: nn.Module, writer: Writer, entry: Node, channels: int, side: int) -> Node:
    """Write `network` by `writer` from the node `entry` on; returns the node of the output.

    `side` is a size of image that the network takes without special cases. Raises UnknownLayerError.
    """
    output = network(_StandIn(entry, writer, (1, channels, side, side)))
    if not isinstance(output, _StandIn):
        raise UnknownLayerError("the output does not follow from the input")
    return output.node


class _StandIn:
    """Passes for a tensor (N, C, H, W) while the network runs."""

    is_cuda = False

    def __init__(self, node: Node, writer: Writer, shape: Sequence[int]) -> None:
        self.node, self.writer, self.shape = node, writer, torch.Size(shape)

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return len(self.shape)

    def __add__(self, other: "_StandIn") -> "_StandIn":
        return self.like(self.writer.add(self.node, other.node))

    def tanh(self) -> "_StandIn":
        return self.like(self.writer.tanh(self.node))

    def __getattr__(self, name: str) -> Any:
        raise UnknownLayerError(name)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if function not in _LAYERS:
            raise UnknownLayerError(str(function))
        try:
            return _LAYERS[function](*args, **(kwargs or {}))
        except TypeError as error:  # an argument that the row of the table does not take
            raise UnknownLayerError(f"{function}: {error}") from error

    def like(self, node: Node, channels: int | None = None, height: int = 0, width: int = 0) -> "_StandIn":
        count, own, tall, wide = self.shape
        return _StandIn(node, self.writer, (count, channels or own, height or tall, width or wide))


def _convolution(
    x: _StandIn, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> _StandIn:
    _plain(dilation)
    step, pad = _one(stride), _one(padding)
    tall, wide = ((side + 2 * pad - weight.shape[-1]) // step + 1 for side in x.shape[-2:])
    _square(weight)
    return x.like(x.writer.convolution(x.node, weight, bias, step, pad, groups), weight.shape[0], tall, wide)


def _transposed(
    x: _StandIn,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> _StandIn:
    _plain(dilation)
    if groups != 1:
        raise UnknownLayerError("a transposed convolution in groups")
    _square(weight)
    step, pad, extra = _one(stride), _one(padding), _one(output_padding)
    tall, wide = ((side - 1) * step - 2 * pad + weight.shape[-1] + extra for side in x.shape[-2:])
    return x.like(x.writer.transposed(x.node, weight, bias, step, pad, extra), weight.shape[1], tall, wide)


def _instance_norm(
    x: _StandIn,
    running_mean: Any,
    running_var: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> _StandIn:
    if not use_input_stats:
        raise UnknownLayerError("instance norm by running statistics")
    return x.like(x.writer.instance_norm(x.node, weight, bias, eps, x.shape[1]))


def _batch_norm(
    x: _StandIn,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> _StandIn:
    if training or weight is None or bias is None:
        raise UnknownLayerError("batch norm in training, or without weights")
    scale = weight * torch.rsqrt(running_var + eps)
    return x.like(x.writer.scale_and_shift(x.node, scale, bias - running_mean * scale))


def _pad(x: _StandIn, pads: Any, mode: str = "constant", value: Any = None) -> _StandIn:
    if mode not in ("reflect", "replicate"):
        raise UnknownLayerError(f"padding {mode}")
    left, right, top, bottom = pads
    _, _, tall, wide = x.shape
    node = x.writer.pad(x.node, (left, right, top, bottom), mode)
    return x.like(node, height=tall + top + bottom, width=wide + left + right)


def _interpolate(x: _StandIn, size: Any = None, scale_factor: Any = None, mode: str = "", **others: Any) -> _StandIn:
    if size is not None or scale_factor != 2.0 or mode != "nearest":
        raise UnknownLayerError(f"interpolation {mode} by {scale_factor} to {size}")
    return x.like(x.writer.double(x.node), height=2 * x.shape[2], width=2 * x.shape[3])


def _pixel_shuffle(x: _StandIn, factor: int) -> _StandIn:
    _, channels, tall, wide = x.shape
    node = x.writer.pixel_shuffle(x.node, factor)
    return x.like(node, channels // factor**2, factor * tall, factor * wide)


def _cat(parts: Sequence[_StandIn], dim: int = 0) -> _StandIn:
    if dim != 1:
        raise UnknownLayerError(f"concatenation along dimension {dim}")
    node = parts[0].writer.concat([part.node for part in parts])
    return parts[0].like(node, sum(part.shape[1] for part in parts))


def _dropout(x: _StandIn, p: float = 0.5, training: bool = True, inplace: bool = False) -> _StandIn:
    if training and p:
        raise UnknownLayerError("dropout in training")
    return x


def _relu(x: _StandIn, inplace: bool = False) -> _StandIn:
    return x.like(x.writer.relu(x.node))


def _leaky_relu(x: _StandIn, negative_slope: float = 0.01, inplace: bool = False) -> _StandIn:
    return x.like(x.writer.leaky_relu(x.node, negative_slope))


_LAYERS: dict[Callable[..., Any], Callable[..., _StandIn]] = {
    F.conv2d: _convolution,
    F.conv_transpose2d: _transposed,
    F.instance_norm: _instance_norm,
    F.batch_norm: _batch_norm,
    F.pad: _pad,
    F.interpolate: _interpolate,
    F.pixel_shuffle: _pixel_shuffle,
    F.dropout: _dropout,
    F.relu: _relu,
    F.leaky_relu: _leaky_relu,
    torch.tanh: lambda x: x.tanh(),
    torch.cat: _cat,
}


def _one(value: Any) -> int:
    """The number that stands for both directions."""
    if isinstance(value, int):
        return value
    if isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    raise UnknownLayerError(f"a layer with {value}")


def _plain(dilation: Any) -> None:
    if _one(dilation) != 1:
        raise UnknownLayerError("a convolution with dilation")


def _square(weight: Tensor) -> None:
    if weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        raise UnknownLayerError("a convolution that is not square")
