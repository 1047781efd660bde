"""Whether this machine computes faster in bfloat16: measured, for a processor's name says little."""

import time
from functools import cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

CLEARLY = 1.25
SECONDS = 0.04
LEAST = 5


@cache
def choose_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """bf16 if a 3x3 convolution takes clearly less time in it, else fp32. Takes some 50 ms, once a process."""
    if not _has_bf16(device):
        return "fp32"
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, 128, 32, 32, generator=generator).to(device)
    weight = torch.rand(128, 128, 3, 3, generator=generator).to(device)
    pairs = [(images, weight), (images.bfloat16(), weight.bfloat16())]
    times: list[list[float]] = [[], []]
    until = float("inf")
    while len(times[0]) <= LEAST or time.perf_counter() < until:  # by turns, for a machine is seldom quiet
        for own, pair in zip(times, pairs, strict=True):
            own.append(_seconds(*pair))
        if len(times[0]) == 1:
            if times[1][0] > 10 * times[0][0] + 0.02:
                return "fp32"  # emulated: more rounds would take seconds
            until = time.perf_counter() + SECONDS
    full, half = (min(own[1:]) for own in times)
    return "bf16" if full >= CLEARLY * half else "fp32"


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    # Without such instructions torch falls back on loops that are slower by orders of magnitude.
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


@torch.no_grad()
def _seconds(images: Tensor, weight: Tensor) -> float:
    _finish(images)
    start = time.perf_counter()
    F.conv2d(images, weight, padding=1)
    _finish(images)
    return time.perf_counter() - start


def _finish(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
