"""A network as a list of operations in the order of computing, traced by torch.fx.

Whatever is made of the operations named here can be tiled; a new generator needs no code of its own.
"""

import copy
import inspect
import operator
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.networks.blocks import mirror_pad
from translate.tiling.layers import PADS, POINTWISE_LAYERS, convolution, norm, pool, transposed, unchanged
from translate.tiling.operations import Enlarged, Operation, Padded, Pointwise

# Two tracers at once would undo each other's work.
_TRACING = Lock()


@dataclass(eq=False, frozen=True)
class Node:
    """A plane of values: what it is computed by, and from which planes."""

    operation: Operation
    inputs: tuple["Node", ...]
    depth: tuple[str, ...] = ()
    """Names of the modules that compute it, outermost first."""


POINTWISE: set[Any] = {
    *(F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.mish, F.softplus, F.hardtanh, F.hardswish),
    *(F.hardsigmoid, F.sigmoid, F.tanh, torch.relu, torch.sigmoid, torch.tanh, torch.add, torch.sub, torch.mul),
    *(torch.div, torch.neg, torch.abs, torch.exp, torch.sqrt, torch.square, torch.clamp, torch.maximum, torch.minimum),
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pow),
}
IN_PLACE: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}
METHODS = {"relu", "sigmoid", "tanh", "add", "sub", "mul", "div", "neg", "abs", "exp", "sqrt", "square", "clamp"}
SAME = {F.dropout, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout, "contiguous", "clone", "float", "detach"}


class Tracer(fx.Tracer):
    """Looks into every module that this package has no operation for.

    While it traces, torch.fx has every call of every module of the process come here; those of other threads, which
    translate meanwhile, go their usual way.
    """

    def __init__(self) -> None:
        super().__init__(autowrap_functions=(mirror_pad,))
        self._thread = get_ident()

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return (
            super().call_module(m, forward, args, kwargs) if get_ident() == self._thread else forward(*args, **kwargs)
        )

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return super().getattr(attr, attr_val, parameter_proxy_cache) if get_ident() == self._thread else attr_val

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.BatchNorm2d) or super().is_leaf_module(m, module_qualified_name)


def trace(network: nn.Module, device: torch.device, dtype: torch.dtype) -> list[Node]:
    """The nodes of `network` as it translates (no dropout, norms as in eval mode), input first, output last.

    Weights lie on `device`, those of convolutions in `dtype`. Raises ConfigError for what cannot be tiled.
    """
    try:
        with _TRACING:
            graph = Tracer().trace(network)
    except (fx.proxy.TraceError, TypeError, RuntimeError, ValueError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise refusal(f"{type(network).__name__}, whose forward depends on values or sizes ({reason})") from error
    return _Reader(network, device, dtype).read(graph)


def refusal(thing: str) -> ConfigError:
    return ConfigError(f"Tiling cannot compute {thing}. Translate in one piece: --tile off.")


class _Reader:
    """Turns the nodes of an fx graph into ours."""

    def __init__(self, network: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        self.network = network
        self.device = device
        self.dtype = dtype
        self.nodes: list[Node] = []
        self.made: dict[fx.Node, Any] = {}
        self.depth: tuple[str, ...] = ()
        # Each takes what the function of torch takes, under the same names.
        self.functions: dict[Any, Callable[..., Node]] = {
            mirror_pad: lambda images, pads: self.pad(images, pads, "reflect"),
            F.pad: self.pad,
            F.interpolate: self.enlarge,
            F.pixel_shuffle: self.shuffle,
            **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), self.join),
        }

    def read(self, graph: fx.Graph) -> list[Node]:
        name = type(self.network).__name__
        for node in graph.nodes:
            self.depth = tuple(str(key) for key in node.meta.get("nn_module_stack", {}))
            if node.op == "placeholder":
                if self.nodes:
                    raise refusal(f"{name}, which takes more than an image")
                self.made[node] = self.add(Pointwise(operator.itemgetter(0), work=0.0))
            elif node.op == "get_attr":
                self.made[node] = self.constant(str(node.target))
            elif node.op == "call_module":
                self.module(node)
            elif node.op == "output":
                result = self.of(node.args[0])
                if not isinstance(result, Node):
                    raise refusal(f"{name}, which gives more than an image")
                return _needed(self.nodes, result)
            else:
                self.function(node)
        raise refusal(f"{name}, which gives nothing")

    def add(self, operation: Operation, *inputs: Node) -> Node:
        node = Node(operation, inputs, self.depth)
        self.nodes.append(node)
        return node

    def of(self, argument: Any) -> Any:
        """What an argument of an fx node stands for."""
        return fx.node.map_arg(argument, lambda node: self.made[node])

    def replace(self, old: Node, new: Node) -> None:
        """Whoever reads `old` from here on sees `new`, as `new` was computed in its place."""
        for key, value in self.made.items():
            if value is old:
                self.made[key] = new

    def constant(self, name: str) -> Tensor:
        value = operator.attrgetter(name)(self.network)
        if not isinstance(value, Tensor) or (value.ndim and value.shape[-2:] != (1, 1)):
            raise refusal(f"{name}, which is not one value a channel")
        return value.detach().to(self.device, torch.float32)

    def module(self, node: fx.Node) -> None:
        layer = self.network.get_submodule(str(node.target))
        name = f"{type(layer).__name__} ({node.target})"
        if len(node.args) != 1 or node.kwargs:
            raise refusal(f"{name} with these arguments")
        plane = self.of(node.args[0])
        self.made[node] = self.layer(layer, plane, name)
        if getattr(layer, "inplace", False):
            self.replace(plane, self.made[node])

    def layer(self, layer: nn.Module, plane: Node, name: str) -> Node:
        if unchanged(layer):
            return plane
        if isinstance(layer, nn.Conv2d):
            pads, window = convolution(layer, self.device, self.dtype)
            return self.add(window, self.add(pads, plane) if pads else plane)
        if isinstance(layer, nn.ConvTranspose2d):
            return self.add(transposed(layer, self.device, self.dtype), plane)
        if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm):
            return self.add(norm(layer), plane)
        if isinstance(layer, PADS):
            mode = {"Refl": "reflect", "Repl": "replicate"}.get(type(layer).__name__[:4], "constant")
            return self.pad(plane, layer.padding, mode, getattr(layer, "value", 0.0))
        if isinstance(layer, nn.Upsample):
            return self.enlarge(plane, layer.size, layer.scale_factor, layer.mode, layer.align_corners)
        if isinstance(layer, nn.PixelShuffle):
            return self.shuffle(plane, layer.upscale_factor)
        if isinstance(layer, POINTWISE_LAYERS):
            pure = copy.copy(layer)
            pure.__dict__["inplace"] = False
            return self.add(Pointwise(lambda planes: pure(planes[0])), plane)
        window_or_none = pool(layer) if isinstance(layer, nn.AvgPool2d | nn.MaxPool2d) else None
        if window_or_none is None:
            raise refusal(f"the layer {name}")
        return self.add(window_or_none, plane)

    def function(self, node: fx.Node) -> None:
        target, args, kwargs = node.target, self.of(node.args), self.of(node.kwargs)
        name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
        if target in SAME:
            self.made[node] = args[0] if args else kwargs["input"]
            return
        if target in self.functions:
            self.made[node] = self.functions[target](*args, **kwargs)
            return
        call: Any = IN_PLACE.get(target, target if target in POINTWISE else None)
        if isinstance(target, str) and target.rstrip("_") in METHODS:
            call = getattr(Tensor, target.rstrip("_"))
        if call is None:
            raise refusal(f"the operation {name}")
        args, kwargs, asked = _not_in_place(call, args, kwargs)
        self.made[node] = self.pointwise(call, args, kwargs)
        if asked or target in IN_PLACE or (isinstance(target, str) and target.endswith("_")):
            self.replace(args[0], self.made[node])

    def pointwise(self, call: Callable[..., Tensor], args: Any, kwargs: Any) -> Node | Tensor:
        inputs: list[Node] = []
        for value in (*args, *kwargs.values()):
            if isinstance(value, Node) and value not in inputs:
                inputs.append(value)
        if not inputs:
            return call(*args, **kwargs)

        def compute(planes: list[Tensor]) -> Tensor:
            def fill(value: Any) -> Any:
                return planes[inputs.index(value)] if isinstance(value, Node) else value

            return call(*map(fill, args), **{key: fill(value) for key, value in kwargs.items()})

        return self.add(Pointwise(compute), *inputs)

    def join(self, tensors: Any, dim: int = 0) -> Node:
        if dim not in (1, -3):
            raise refusal(f"planes joined along dimension {dim}, which is not that of channels")
        return self.add(Pointwise(lambda planes: torch.cat(planes, 1), joins=True), *tensors)

    def pad(self, input: Node, pad: Any, mode: str = "constant", value: float | None = None) -> Node:
        if len(pad) != 4 or mode not in ("reflect", "replicate", "constant"):
            raise refusal(f"padding of mode {mode} by {pad}")
        left, right, top, bottom = pad
        return self.add(Padded(mode, (top, left), (bottom, right), value or 0.0), input)

    def enlarge(
        self,
        input: Node,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        **others: Any,
    ) -> Node:
        factors = tuple(scale_factor) if isinstance(scale_factor, tuple | list) else (scale_factor, scale_factor)
        halo = {"nearest": 0, "nearest-exact": 0, "bilinear": 1, "bicubic": 2}.get(mode)
        if size or align_corners or halo is None or any(others.values()) or any(not f or f % 1 for f in factors):
            raise refusal(
                f"interpolation of mode {mode} to size {size}, by {scale_factor}, align_corners {align_corners}"
            )

        def call(values: Tensor) -> Tensor:
            return F.interpolate(values, scale_factor=tuple(map(float, factors)), mode=mode)

        return self.add(Enlarged(call, (int(factors[0]), int(factors[1])), halo), input)

    def shuffle(self, input: Node, upscale_factor: int) -> Node:
        def call(values: Tensor) -> Tensor:
            return F.pixel_shuffle(values, upscale_factor)

        return self.add(Enlarged(call, (upscale_factor, upscale_factor), 0, upscale_factor**2), input)


def _not_in_place(call: Any, args: Any, kwargs: Any) -> tuple[Any, Any, bool]:
    """The arguments with `inplace` off, and whether it was on."""
    try:
        bound = inspect.signature(call).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return args, kwargs, False
    asked = bool(bound.arguments.get("inplace"))
    if "inplace" in bound.arguments:
        bound.arguments["inplace"] = False
    return bound.args, bound.kwargs, asked


def _needed(nodes: list[Node], output: Node) -> list[Node]:
    """Those of `nodes` that `output` is computed from, `output` last; the input stays first in any case."""
    wanted = {output, nodes[0]}
    for node in reversed(nodes):
        if node in wanted:
            wanted.update(node.inputs)
    return [node for node in nodes if node in wanted and node is not output] + [output]
