"""Colour jitter of a whole batch on its device, as albumentations 2.0.8 and OpenCV jitter one 8-bit image on the host.

What they round is rounded here in the same places. One operation alone agrees to a step of 255; four in a row, on
images of 24 pixels, to 3 steps with jitter 0.1, to 4 with 0.3 (0.12 % of values are 3 or more apart) and to 7 with 1.0
(0.76 %).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from translate.data.augment import Colours

_BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = range(4)
_LUMA = (9798 / 32768, 19235 / 32768, 3735 / 32768)  # Rec. 601 in the 15 bits that OpenCV counts in


def jittered(images: Tensor, drawn: Sequence[Colours]) -> Tensor:
    """`images` (N, C, H, W), whole numbers in [0, 255] as float32, each with its own draw; C is 1 or 3.

    Grey has neither saturation nor hue. Nothing waits for the device: which operations are due is known on the host.
    """
    table = torch.tensor([[*one[:4], *one.order] for one in drawn], dtype=torch.float32)
    if images.device.type == "cuda":
        table = table.pin_memory().to(images.device, non_blocking=True)
    factors, orders = table[:, :4], table[:, 4:].long()
    for step in range(4):
        due = {one.order[step] for one in drawn}
        if images.shape[1] == 1:
            due -= {_SATURATION, _HUE}
        now = orders[:, step, None, None, None]
        factor = factors.gather(1, orders[:, step, None])[..., None, None]
        made = _blended(images, now, factor) if due - {_HUE} else images
        turns = (now == _HUE) & (factor != 0)  # the way through hue and back loses a little
        images = torch.where(turns, _turned(images, factor), made) if _HUE in due else made
    return images


def _blended(images: Tensor, now: Tensor, factor: Tensor) -> Tensor:
    """Each image with black, with its mean grey, or with its own grey, as its step is brightness, contrast, saturation.

    `now` (N, 1, 1, 1) is the step; images whose step is another stay as they are.
    """
    colourless = images.shape[1] == 1
    grey = images if colourless else _luma(images)
    mean = grey.mean((1, 2, 3), keepdim=True)
    other = torch.where(now == _CONTRAST, mean, torch.where(now == _SATURATION, grey, 0.0))
    made = images * factor + other * (1 - factor)
    made = torch.where(now == _SATURATION, made.round(), made.floor()).clamp(0, 255)
    return torch.where(now < (_SATURATION if colourless else _HUE), made, images)


def _luma(images: Tensor) -> Tensor:
    """(N, 1, H, W), rounded to whole numbers."""
    red, green, blue = (images[:, channel : channel + 1] * weight for channel, weight in enumerate(_LUMA))
    return (red + green + blue + 0.5).floor()


def _turned(images: Tensor, circles: Tensor) -> Tensor:
    """Colours with their hue turned by `circles` (N, 1, 1, 1), counted in 180 steps of two degrees (Smith 1978)."""
    value = images.amax(1, keepdim=True)
    chroma = value - images.amin(1, keepdim=True)
    red, green, blue = images.split(1, 1)
    later = torch.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma)
    # 30 / chroma and 255 / value in the 12 bits that OpenCV's tables of them have.
    hue = _rounded(torch.where(value == red, green - blue, later) * (30 * 4096 / chroma.clamp(min=1)).round()) % 180
    saturation = _rounded(chroma * (255 * 4096 / value.clamp(min=1)).round()) / 255
    hue = ((hue + 180 * circles) % 180).floor()
    # Each channel is the value less what the hue takes from it: one formula, at three places of the hexagon.
    place = (hue / 30 + torch.arange(5, 0, -2, device=images.device)[:, None, None]) % 6
    share = torch.minimum(place, 4 - place).clamp(0, 1)
    # OpenCV rounds down as well, where it takes 32 pixels of a row at once.
    return (value * (1 - saturation * share)).floor()


def _rounded(parts: Tensor) -> Tensor:
    return ((parts + 2048) / 4096).floor()
