"""Layers of torch.nn as operations."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.errors import ConfigError
from translate.tiling.operations import Norm, Padded, Pair, Transposed, Window

PADS = (nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d, nn.ConstantPad2d)
POINTWISE_LAYERS = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Hardtanh),
    *(nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh),
)


def unchanged(layer: nn.Module) -> bool:
    """Whether `layer` does nothing when translating."""
    return isinstance(layer, nn.Identity | nn.Dropout | nn.Dropout2d | nn.AlphaDropout | nn.FeatureAlphaDropout)


def convolution(layer: nn.Conv2d, device: torch.device, dtype: torch.dtype) -> tuple[Padded | None, Window]:
    """The convolution, and what continues the plane before it if that is not zeros."""
    stride, dilation, kernel = _pair(layer.stride), _pair(layer.dilation), _pair(layer.kernel_size)
    weight, bias = _to(layer.weight, device, dtype), _to(layer.bias, device, dtype)
    if layer.padding == "same":
        total = [dilation[axis] * (kernel[axis] - 1) for axis in (0, 1)]
        before = (total[0] // 2, total[1] // 2)
        after = (total[0] - before[0], total[1] - before[1])
    else:
        before = after = (0, 0) if layer.padding == "valid" else _pair(layer.padding)
    pads = None
    if layer.padding_mode != "zeros":
        if layer.padding_mode not in ("reflect", "replicate"):
            raise ConfigError(
                f"Tiling cannot compute padding of mode {layer.padding_mode}. Translate in one piece: --tile off."
            )
        pads = Padded(layer.padding_mode, before, after)
        before = after = (0, 0)

    def call(values: Tensor, zeros: Pair) -> Tensor:
        made = F.conv2d(values.to(dtype), cast(Tensor, weight), bias, stride, zeros, dilation, layer.groups)
        return made.float()

    work = layer.weight[0].numel()
    return pads, Window(call, kernel, stride, before, after, dilation, layer.out_channels, work)


def transposed(layer: nn.ConvTranspose2d, device: torch.device, dtype: torch.dtype) -> Transposed:
    return Transposed(
        cast(Tensor, _to(layer.weight, device, dtype)),
        _to(layer.bias, device, dtype),
        _pair(layer.stride),
        _pair(layer.padding),
        _pair(layer.output_padding),
        _pair(layer.dilation),
        layer.groups,
    )


def norm(layer: nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm) -> Norm:
    """The norm as in eval mode: by running statistics where it has some, else by those of the plane."""
    # Where float64 is sure to exist.
    device = torch.device("cpu")
    weight, bias = (_to(each, device, torch.float64) for each in (layer.weight, layer.bias))
    if isinstance(layer, nn.GroupNorm):
        return Norm(weight, bias, layer.eps, None, layer.num_groups)
    mean, variance = (_to(each, device, torch.float64) for each in (layer.running_mean, layer.running_var))
    return Norm(weight, bias, layer.eps, None if mean is None or variance is None else (mean, variance))


def pool(layer: nn.AvgPool2d | nn.MaxPool2d) -> Window | None:
    """None for a pooling whose border is not that of plain windows."""
    if layer.padding not in (0, (0, 0)) or layer.ceil_mode or getattr(layer, "return_indices", False):
        return None
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
    dilation = _pair(getattr(layer, "dilation", 1))

    def call(values: Tensor, zeros: Pair) -> Tensor:
        if isinstance(layer, nn.MaxPool2d):
            return F.max_pool2d(values, kernel, stride, 0, dilation)
        return F.avg_pool2d(values, kernel, stride, divisor_override=layer.divisor_override)

    return Window(call, kernel, stride, (0, 0), (0, 0), dilation, None, float(kernel[0] * kernel[1]))


def _pair(value: object) -> Pair:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


def _to(value: Tensor | None, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    return None if value is None else value.detach().to(device, dtype)
