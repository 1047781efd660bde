"""Labels for the discriminator that are not quite 1 and 0, and not always right."""

import torch
from torch import Tensor

from translate.methods.noise_settings import NoiseSettings
from translate.objectives.base import Targets


def soft_labels(own: NoiseSettings, count: int, like: Tensor) -> Targets | None:
    """Labels of `count` reals (1) and fakes (0), softened and exchanged as the settings say; None: as they are.

    One-sided and two-sided smoothing: Salimans et al. 2016. The noise is the course's, which labels fakes with 1 and
    adds it: here it is taken off both.
    """
    if not (own.smooth_real or own.smooth_fake or own.label_noise or own.label_flip):
        return None
    real = like.new_full((count,), 1 - own.smooth_real)
    fake = like.new_full((count,), own.smooth_fake)
    if own.label_flip:
        wrong_real, wrong_fake = torch.rand(2, count, device=like.device) < own.label_flip
        real, fake = (
            torch.where(wrong_real, own.smooth_fake, real),
            torch.where(wrong_fake, 1 - own.smooth_real, fake),
        )
    if own.label_noise:
        real, fake = (each - own.label_noise * torch.rand_like(each) for each in (real, fake))
    return Targets(real, fake)
