"""Instance normalisation by statistics that do not depend on the image: for clips, whose frames must not flicker."""

import copy
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from translate.networks.blocks import translate_any_size


@torch.no_grad()
def lock_statistics(network: nn.Module, images: Iterable[Tensor]) -> nn.Module:
    """Return a copy of `network` in which each InstanceNorm2d uses the mean of its statistics over `images`.

    `images` are (N, C, H, W) in [-1, 1], of any height and width. Means and variances are each averaged over the
    images; the layers become BatchNorm2d layers in evaluation mode that hold them. Of an image that was the only one
    given, the output is what `network` makes of it.
    """
    sums: dict[str, tuple[Tensor, Tensor]] = {}
    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.InstanceNorm2d)}
    hooks = [layer.register_forward_pre_hook(partial(_gather, sums, name)) for name, layer in layers.items()]
    count = 0
    try:
        for batch in images:
            translate_any_size(network, batch)
            count += len(batch)
    finally:
        for hook in hooks:
            hook.remove()
    if not count:
        raise ValueError("statistics need an image to be taken from")
    locked = copy.deepcopy(network)
    for name, layer in layers.items():
        parent, _, child = name.rpartition(".")
        setattr(locked.get_submodule(parent), child, _fixed(layer, *(total / count for total in sums[name])))
    return locked


def _gather(sums: dict[str, tuple[Tensor, Tensor]], name: str, layer: nn.Module, inputs: tuple[Tensor]) -> None:
    variance, mean = torch.var_mean(inputs[0].double(), dim=(2, 3), correction=0)
    old_mean, old_variance = sums.get(name, (0.0, 0.0))
    sums[name] = (old_mean + mean.sum(0), old_variance + variance.sum(0))


def _fixed(layer: nn.InstanceNorm2d, mean: Tensor, variance: Tensor) -> nn.BatchNorm2d:
    fixed = nn.BatchNorm2d(len(mean), eps=layer.eps, affine=layer.affine).to(mean.device)
    assert fixed.running_mean is not None and fixed.running_var is not None
    fixed.running_mean.copy_(mean)
    fixed.running_var.copy_(variance)
    if layer.affine:
        fixed.load_state_dict({"weight": layer.weight, "bias": layer.bias}, strict=False)
    return fixed.eval()
