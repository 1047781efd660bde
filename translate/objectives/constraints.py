"""Constraints on a discriminator's weights that keep it smooth, as its gradient's penalties do."""

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.errors import ConfigError


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Bring every parameter into [-limit, limit], in place (Arjovsky et al. 2017).

    To be called after each of D's steps; the paper's limit is 0.01. Raises ConfigError if `limit` is not above 0.
    """
    if not limit > 0:
        raise ConfigError(f"Weights cannot be clipped to {limit}: use a limit above 0, such as 0.01.")
    for parameter in network.parameters():
        parameter.clamp_(-limit, limit)


def spectrally_normalise(network: nn.Module) -> None:
    """Divide each convolution, linear layer and embedding by its largest singular value (Miyato et al. 2018).

    In place, once, after initialisation: a weight becomes a function of the parameter
    `parametrizations.weight.original` and of two buffers, which one step of the power method improves in each forward
    pass while training. They start 15 steps from vectors that are always the same; nothing is drawn from torch's
    generators. A convolution's weight is taken as a matrix with a row for each output channel, as in the paper; the
    convolution's own norm can be larger.
    """
    with torch.random.fork_rng(devices=[]):
        for module in list(network.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
                torch.default_generator.manual_seed(0)
                spectral_norm(module)
