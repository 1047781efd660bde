"""Features of pictures by SqueezeNet 1.1 (Iandola et al., 2016) from a file of weights trained on ImageNet.

Nothing is downloaded: the file is one that the user has, as for LPIPS. Distances on these features are named
FD-squeezenet and KID-squeezenet, never FID or KID, which mean Inception features, and compare with each other only.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import squeezenet1_1

from translate.errors import CheckpointError

LEAST = 64  # pixels a side: of less, four halvings leave too few places to average over
TYPICAL = 8.0  # about the root mean square of the averages in photographs


class LocalFeatures(nn.Module):
    """Takes images (N, 3, H, W), or of one channel, in [-1, 1]; returns features (N, 512) of the order of 1.

    They are the averages over the picture of the last layer before the classifier, over TYPICAL. `state` is the state
    dict of torchvision's squeezenet1_1 (its classifier may be missing). Sides below 64 are enlarged to 64, bilinearly;
    compare pictures of one size. The network stays in evaluation mode and its weights take no gradient; images do.
    Raises ValueError for other shapes.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        with torch.device("meta"):  # no weights are drawn, and the global random state stays as it is
            self.features = squeezenet1_1(weights=None).features
        own = {key.removeprefix("features."): v.float() for key, v in state.items() if key.startswith("features.")}
        self.features.load_state_dict(own, assign=True)
        # ImageNet's mean and deviation, for values in [-1, 1].
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "LocalFeatures":
        """Stay in evaluation mode, whatever the module that holds this one does."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"images (N, 3, H, W), or of one channel, are needed, not {images.shape}")
        size = (max(images.shape[2], LEAST), max(images.shape[3], LEAST))
        images = images.float()
        values = images if images.shape[2:] == size else F.interpolate(images, size=size, mode="bilinear")
        return self.features((values - self.mean) / self.deviation).mean(dim=(2, 3)) / TYPICAL


def local_features(path: Path) -> LocalFeatures:
    """Read the network from a safetensors file of squeezenet1_1; raises CheckpointError naming one that will not do."""
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot read the SqueezeNet weights {path}: {error}") from None
    try:
        return LocalFeatures(state)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not hold the weights of torchvision's squeezenet1_1: {error}") from None
