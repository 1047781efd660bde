"""LPIPS, squeeze variant, version 0.1 (Zhang et al., CVPR 2018): distance of SqueezeNet features, learned weights."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from translate.errors import CheckpointError
from translate.metrics.pairs import checked

# The layers of torchvision's squeezenet1_1.features after which features are compared.
TAPS = (1, 4, 7, 9, 10, 11, 12)


class LPIPS(nn.Module):
    """Takes two batches (N, 3, H, W), or of one channel, in [-1, 1], H, W >= 17; returns distances (N,), 0 equal.

    `features` is the state dict of torchvision's squeezenet1_1 (its classifier may be missing), `heads` holds
    "squeeze.lin<i>.model.1.weight". The network stays in evaluation mode and its weights take no gradient; images do.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.features = squeezenet1_1(weights=None).features
        own = {key.removeprefix("features."): v.float() for key, v in features.items() if key.startswith("features.")}
        self.features.load_state_dict(own)
        for place in range(len(TAPS)):
            self.register_buffer(f"head{place}", heads[f"squeeze.lin{place}.model.1.weight"].float())
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    @classmethod
    def from_files(cls, features: Path, heads: Path) -> "LPIPS":
        """Read both from safetensors files; raises CheckpointError naming the one that will not do."""
        states = []
        for path in (features, heads):
            try:
                states.append(load_file(path))
            except (OSError, SafetensorError) as error:
                raise CheckpointError(f"Cannot read the LPIPS weights {path}: {error}") from None
        try:
            return cls(*states)
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"{features} and {heads} are not the weights of LPIPS squeeze: {error}") from None

    def train(self, mode: bool = True) -> "LPIPS":
        """Stay in evaluation mode, whatever the module that holds this one does."""
        return super().train(False)

    def forward(self, images: Tensor, truth: Tensor) -> Tensor:
        images, truth = checked(images, truth)
        distance = images.new_zeros(len(images))
        for place, (one, other) in enumerate(zip(self._unit_features(images), self._unit_features(truth), strict=True)):
            weighted = (one - other).square() * getattr(self, f"head{place}")
            distance = distance + weighted.sum(dim=1).mean(dim=(1, 2))
        return distance

    def _unit_features(self, images: Tensor) -> list[Tensor]:
        """Features after each of TAPS, scaled to length 1 at every place."""
        if images.shape[1] not in (1, 3):
            raise ValueError(f"LPIPS takes images of 3 channels (or 1), not of {images.shape[1]}")
        values = (images - self.mean) / self.deviation
        taken = []
        for place, layer in enumerate(self.features):
            values = layer(values)
            if place in TAPS:
                # The gradient of this norm is 0 where the features are, not undefined.
                taken.append(values / (torch.linalg.vector_norm(values, dim=1, keepdim=True) + 1e-10))
        return taken
