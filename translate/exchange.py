"""The mean of one player's gradients over the processes, in buckets that travel while backward goes on.

Backward makes the gradients of the last layers first. A bucket is sent as soon as it is full, as in Li et al. 2020,
"PyTorch Distributed"; we wrap no network, because a game asks a network several times before one backward.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from translate import distributed

BUCKET = 16 * 2**20
"""Bytes of gradients that are worth a message of their own: the U-Net's larger layers have 16 to 32 MiB each."""
ALIGNED = 64
"""Bytes to whose multiples a gradient begins in its bucket: kernels over many tensors are slow at odd addresses."""


class Exchange:
    """Averages the gradients of `parameters` over all processes; in one process it does nothing.

    Once a turn, after which every .grad is the mean:

        with exchange.overlapping():
            loss.backward(inputs=parameters)
        exchange.finish()

    A parameter without a gradient here counts as zeros and receives the mean, so that processes never drift apart;
    one that has a gradient nowhere keeps none, as it would in a single process. Only where a gradient is missing does
    the host wait for a GPU. Gradients become views of memory that this object keeps: the next turn overwrites them.
    Parameters that do not require a gradient when this is made are left alone. All processes must make it, and take
    their turns, in the same order. On GPUs its messages and batch norm's travel through two channels at once.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], bucket_bytes: int = BUCKET) -> None:
        trained = [p for p in parameters if p.requires_grad] if distributed.world() > 1 else []
        self._buckets = [_Bucket(alike) for alike in _divided(trained, bucket_bytes)]
        self._home: dict[Tensor, _Bucket] = {p: bucket for bucket in self._buckets for p in bucket.parameters}
        # Not batch norm's channel: a process that lacks a gradient sends its bucket later than the others.
        self._channel = distributed.second_channel() if self._buckets else None
        self._sent: list[distributed.Sending] = []

    @contextmanager
    def overlapping(self, last: bool = True) -> Iterator[None]:
        """Within it, a backward sends every bucket that it fills, in the same order in every process.

        There may be one backward within it: of several a turn the last one, as only then a gradient is whole. For the
        others say `last=False`, which does nothing, or leave it out.
        """
        if not last:
            yield
            return
        self._sent = []
        for bucket in self._buckets:
            bucket.awaited = len(bucket.parameters)
        hooks = [parameter.register_post_accumulate_grad_hook(self._arrived) for parameter in self._home]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def finish(self) -> None:
        """Send what has not been sent, wait for all of it, and leave the means in .grad."""
        while len(self._sent) < len(self._buckets):
            self._send_next()
        for bucket, sending in zip(self._buckets, self._sent, strict=True):
            sending.wait()
            bucket.hand_out()
        self._sent = []

    def _arrived(self, parameter: Tensor) -> None:
        self._home[parameter].awaited -= 1
        while len(self._sent) < len(self._buckets) and not self._buckets[len(self._sent)].awaited:
            self._send_next()

    def _send_next(self) -> None:
        bucket = self._buckets[len(self._sent)]
        bucket.take_in()
        self._sent.append(distributed.send_sum(bucket.flat, self._channel))


class _Bucket:
    """Gradients of `parameters`, of one type on one device, side by side, then 1 for each that was there, else 0."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.awaited = len(parameters)
        step = ALIGNED // parameters[0].element_size()
        starts = [0]
        for parameter in parameters:
            starts.append(starts[-1] + -(-parameter.numel() // step) * step)
        self.flat = parameters[0].detach().new_zeros(starts[-1] + len(parameters))
        self.counts = self.flat[starts[-1] :]
        self.views = [_shaped_like(p, self.flat[start:]) for p, start in zip(parameters, starts[:-1], strict=True)]
        self.missing: list[int] = []

    def take_in(self) -> None:
        """Copy the gradients, and let .grad be the copy, so that the memory of the original is free at once."""
        self.counts.fill_(1)
        self.missing = []
        gradients, copies = [], []
        for place, (parameter, view) in enumerate(zip(self.parameters, self.views, strict=True)):
            if parameter.grad is None:
                self.missing.append(place)
                view.zero_()
                self.counts[place] = 0
            else:
                gradients.append(parameter.grad)
                copies.append(view)
                parameter.grad = view
        if copies:
            torch._foreach_copy_(copies, gradients)

    def hand_out(self) -> None:
        """Make the sums that have arrived means, and give them to parameters that had no gradient here."""
        self.flat /= distributed.world()
        if self.missing:
            anywhere = self.counts.tolist()
            for place in self.missing:
                if anywhere[place]:
                    self.parameters[place].grad = self.views[place]


def _divided(parameters: list[nn.Parameter], enough: int) -> list[list[nn.Parameter]]:
    """`parameters` from the last to the first, divided where the type or device changes and after `enough` bytes."""
    buckets: list[list[nn.Parameter]] = []
    filled = 0
    for parameter in reversed(parameters):
        kind = (parameter.dtype, parameter.device)
        if not buckets or kind != (buckets[-1][0].dtype, buckets[-1][0].device) or filled >= enough:
            buckets.append([])
            filled = 0
        buckets[-1].append(parameter)
        filled += parameter.numel() * parameter.element_size()
    return buckets


def _shaped_like(parameter: nn.Parameter, memory: Tensor) -> Tensor:
    """The beginning of `memory` with the shape and order in memory of `parameter`."""
    strides = torch.empty_like(parameter, device="meta").stride()
    return memory.as_strided(parameter.shape, strides, memory.storage_offset())
