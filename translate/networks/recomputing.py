"""Gradient checkpointing: values inside a layer are computed a second time when gradients are (Chen et al. 2016).

"Training deep nets with sublinear memory cost", arXiv 1604.06174. What is computed again is the same to the last bit:
dropout draws what it drew, autocast is as it was, and batch norm does not count its statistics twice.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Layer = Callable[..., Tensor]


def recomputed(network: nn.Module, layer: Layer, *inputs: Tensor) -> Tensor:
    """`layer(*inputs)`, keeping nothing but `inputs` for the backward pass if `network.checkpointing` and it trains.

    A `layer` that is a function and no module must hold neither batch norm nor dropout.
    """
    if not (network.checkpointing and network.training and torch.is_grad_enabled()):
        return layer(*inputs)
    modules = list(layer.modules()) if isinstance(layer, nn.Module) else []
    draws = any(isinstance(module, nn.Dropout) and module.p > 0 for module in modules)
    if torch.compiler.is_compiling():  # a compiled graph writes each buffer once, whatever it computes twice
        return checkpoint(layer, *inputs, use_reentrant=False, preserve_rng_state=draws)
    # Keeping the random state costs a copy of it, and a CUDA graph cannot hold that: only where something is drawn.
    return checkpoint(
        layer, *inputs, use_reentrant=False, preserve_rng_state=draws, context_fn=partial(_contexts, modules)
    )


def _contexts(modules: list[nn.Module]) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What surrounds the first computation, and the second."""
    return nullcontext(), _copied_buffers(modules)


@contextmanager
def _copied_buffers(modules: list[nn.Module]) -> Iterator[None]:
    """Meanwhile what `modules` count, they count on copies: batch norms have counted this batch already."""
    kept = [(module, name, buffer) for module in modules for name, buffer in module.named_buffers(recurse=False)]
    for module, name, buffer in kept:
        setattr(module, name, buffer.clone())
    try:
        yield
    finally:
        for module, name, buffer in kept:
            setattr(module, name, buffer)
