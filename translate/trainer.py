"""The trainer: plays a method's rounds on batches. It knows nothing of GANs, files or screens.

A step is a function of the state, of its batch and of its number: the learning rate is a function of the number, and
torch's random generators are seeded from (seed, number, process). So there is no random state to save, and a sample
or a validation between two steps changes nothing.
"""

import copy
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from translate import distributed, schedule
from translate.checkpoint import to_cpu
from translate.config import Role, TrainingSettings
from translate.data.batch import Batch
from translate.errors import ConfigError, TrainingError
from translate.methods import Method

UPDATE_EVERY = 11
"""Steps from one measurement of how far a player's weights move to the next: it costs a copy of them.

No multiple of a usual n_critic: a player that moves every fifth step only would never be measured.
"""
DTYPES = {"32": torch.float32, "bf16": torch.float32, "64": torch.float64}


class Trainer:
    """Holds a method, its optimizers and the number of steps done.

    `total` is in optimizer steps, `batches` is how many batches an epoch has; the learning rate is counted in epochs
    if settings.epochs is set, else in steps. Raises ConfigError if the method cannot be compiled but should be.
    """

    def __init__(
        self, method: Method, settings: TrainingSettings, total: int, batches: int, device: torch.device
    ) -> None:
        self.settings = settings
        self.total = total
        self.batches = batches
        self.device = device
        self.dtype = DTYPES[settings.precision]
        self.memory_format = torch.channels_last if settings.channels_last else torch.contiguous_format
        method.plan(total)
        self.method = method.to(device, self.dtype)
        if settings.channels_last:
            self.method.to(memory_format=torch.channels_last)
        distributed.broadcast(self.method)
        self.optimizers = method.optimizers()
        self.rates = {player: optimizer.param_groups[0]["lr"] for player, optimizer in self.optimizers.items()}
        self.rate_scale = 1.0
        """What the learning rates are multiplied by besides the schedule, once training has run into trouble."""
        self.step = 0
        self.looks_at_once = device.type == "cpu"  # where looking at a value does not wait for anything
        self._averages = copy.deepcopy(method.generators()) if settings.ema else None
        made = {id(p) for network in method.generators().values() for p in network.parameters()}
        self._makers = {
            player
            for player, optimizer in self.optimizers.items()
            if any(id(p) in made for group in optimizer.param_groups for p in group["params"])
        }
        self._unchecked: list[tuple[str, Tensor]] = []
        if settings.compile:
            if not method.compilable:
                raise ConfigError(
                    "A gradient penalty cannot be compiled: leave out --compile, or use another objective."
                )
            method.compile_networks()

    def advance(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Do one optimizer step a player on `batches` (several: their gradients are averaged).

        Returns the losses as "player/name" and signs of health as "health/name", scalars on the device. Raises
        TrainingError, before any weight has changed by it, if a loss or gradient is not finite (on a GPU: at the latest
        at the next step's beginning).
        """
        self.check_finite()
        self._playing = self.step + 1
        seed_step(self.settings.seed, self.step)
        self._set_rates()
        self.method.train()
        moved = [batch.to(self.device, self.dtype, self.memory_format) for batch in batches]
        self._files = [name for batch in batches for name in batch.files]
        games = [self.method.step(batch, self.step) for batch in moved]
        losses: dict[str, Tensor] = {}
        while True:
            turn = self._turn(games)
            if not turn:
                break
            losses.update(turn)
        if self._makers & {name.partition("/")[0] for name in losses}:
            self._update_averages()
        self.step += 1
        return losses

    def _turn(self, games: Sequence[Any]) -> dict[str, Tensor]:
        """One turn of every game, then one step of its player's optimizer; empty when the games are over."""
        sums: dict[str, Tensor] = {}
        signals: dict[str, Tensor] = {}
        player = skip = None
        for game in games:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
                turn = next(game, None)
            if turn is None:
                return {}
            if player is None:
                player, skip = turn.player, turn.skip
                optimizer = self.optimizers[player]
                optimizer.zero_grad(set_to_none=True)
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
            share = {name: loss / len(games) for name, loss in turn.losses.items()}
            torch.stack(list(share.values())).sum().backward(inputs=parameters)
            _add(sums, {f"{player}/{name}": loss.detach() for name, loss in share.items()})
            _add(signals, {f"health/{name}": value.detach() / len(games) for name, value in turn.signals.items()})
        distributed.average_gradients(parameters)
        signals[f"health/gradient_{player}"] = self._guard(player, sums, parameters)
        if skip:
            (total,) = distributed.average([torch.stack([loss.float() for loss in sums.values()]).sum()])
            sits_out = skip(float(total))
            signals[f"health/skipped_{player}"] = total.new_tensor(float(sits_out))
            if sits_out:
                return sums | signals
        measured = self.step % UPDATE_EVERY == 0
        before = [p.detach().clone() for p in parameters] if measured else []
        optimizer.step()
        if measured:
            signals[f"health/update_{player}"] = _moved(before, parameters)
        return sums | signals

    def _guard(self, player: str | None, losses: dict[str, Tensor], parameters: list[nn.Parameter]) -> Tensor:
        """Note this turn's finiteness, clip if asked, return the gradient's norm before that.

        On a CPU, where looking costs nothing, what is not finite is refused at once.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        self._unchecked += [*losses.items(), (f"{player}'s gradient", norm)]
        if self.looks_at_once:
            self.check_finite()
        if self.settings.clip:
            nn.utils.clip_grads_with_norm_(parameters, self.settings.clip, norm)
        if self.settings.clip_value:
            nn.utils.clip_grad_value_(parameters, self.settings.clip_value)
        return norm

    def check_finite(self) -> None:
        """Raise TrainingError if a loss or gradient seen since the last check was not finite."""
        if not self._unchecked:
            return
        names, values = zip(*self._unchecked, strict=True)
        self._unchecked = []
        finite = torch.isfinite(torch.stack([value.double() for value in values]))
        if not bool(finite.all()):
            bad = [name for name, fine in zip(names, finite.tolist(), strict=True) if not fine]
            shown = ", ".join(self._files[:8]) + (f" and {len(self._files) - 8} more" if len(self._files) > 8 else "")
            raise TrainingError(
                f"Step {self._playing}: {', '.join(bad)} is not finite, on {shown}. Nothing was saved since the last "
                "checkpoint, which is good: --resume it with --set clip=1, a lower learning_rate, or --precision 32."
            )

    def forgive(self) -> None:
        """Forget what was seen since the last check of finiteness: the state is another now."""
        self._unchecked = []

    def _set_rates(self) -> None:
        for player, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.rates[player] * self.rate_factor() * self.rate_scale

    def current_rates(self) -> dict[str, float]:
        """The learning rate of each player in the last step."""
        return {player: optimizer.param_groups[0]["lr"] for player, optimizer in self.optimizers.items()}

    def rate_factor(self) -> float:
        """What the base learning rates are multiplied by at the next step."""
        if self.settings.epochs is not None and self.settings.schedule != "inverse":
            epoch = self.step * self.settings.accumulate // self.batches
            return schedule.factor(self.settings, min(epoch, self.settings.epochs - 1), self.settings.epochs)
        return schedule.factor(self.settings, self.step, self.total)

    @torch.no_grad()
    def _update_averages(self) -> None:
        if self._averages is None:
            return
        # A short run's average must not be its first weights: the decay warms up, as in Karras et al. 2018's code.
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        for direction, network in self.method.generators().items():
            average = self._averages[direction]
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
            for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
                kept.copy_(buffer)

    def finished(self) -> dict[Role, nn.Module]:
        """Copies of the generators as they should be used: averaged if asked for, in evaluation mode."""
        source = self._averages if self._averages is not None else self.method.generators()
        return {direction: _plain_copy(network).eval() for direction, network in source.items()}

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.step * self.settings.accumulate / self.batches

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs, as tensors on the CPU and plain values; save it before the next step.

        Every process must ask: "processes" gathers what each keeps of its own, such as its pool of past fakes.
        """
        averages = self._averages or {}
        method = to_cpu(self.method.state_dict())
        return {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "method": method,
            "processes": distributed.gather({k: v for k, v in method.items() if k.endswith("_extra_state")}),
            "optimizers": {player: to_cpu(o.state_dict()) for player, o in self.optimizers.items()},
            "averages": {direction: to_cpu(network.state_dict()) for direction, network in averages.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up `state`; raises KeyError or RuntimeError if it is another method's."""
        own = state["processes"][distributed.rank()] if len(state["processes"]) == distributed.world() else {}
        self.method.load_state_dict(state["method"] | own)
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        for direction, network in (self._averages or {}).items():
            network.load_state_dict(state["averages"][direction])
        self.step = state["step"]
        self.rate_scale = state.get("rate_scale", 1.0)


def _add(sums: dict[str, Tensor], more: dict[str, Tensor]) -> None:
    for name, value in more.items():
        sums[name] = sums[name] + value if name in sums else value


@torch.no_grad()
def _moved(before: list[Tensor], parameters: list[nn.Parameter]) -> Tensor:
    """The length of the way that weights have gone, relative to their own length; `before` is used up."""
    size = nn.utils.get_total_norm(before)
    torch._foreach_sub_(before, [p.detach() for p in parameters])
    return nn.utils.get_total_norm(before) / size.clamp(min=1e-12)


def _plain_copy(network: nn.Module) -> nn.Module:
    """A copy without gradients and without the compiled form."""
    memo: dict[int, Any] = {id(p.grad): None for p in network.parameters() if p.grad is not None}
    return copy.deepcopy(network, memo).requires_grad_(False)


def seed_step(seed: int, step: int) -> None:
    """Seed torch's generators for `step` of this process; draws of different steps and processes are unrelated."""
    mixed = (seed * 1_000_003 + step) * 4099 + distributed.rank()
    torch.manual_seed((mixed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**63)


def configure_backends(settings: TrainingSettings, device: torch.device) -> None:
    """Set what torch keeps for the whole process: threads, TF32, deterministic kernels."""
    if settings.threads:
        torch.set_num_threads(settings.threads)
    torch.set_float32_matmul_precision("high" if settings.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = settings.tf32
    if device.type == "cuda":
        if settings.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # warn_only: a layer without a deterministic kernel is named by torch and trains all the same.
        torch.use_deterministic_algorithms(settings.deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not settings.deterministic


def choose_device(name: str) -> torch.device:
    """auto: cuda, else mps, else cpu. Raises TrainingError if the device asked for is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(f"Unknown device {name!r}: auto, cpu, cuda, cuda:1, mps.") from None
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if not there.get(device.type, False):
        raise TrainingError(f"There is no device {name!r} on this machine; --device auto takes the best there is.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise TrainingError(f"There are {torch.cuda.device_count()} CUDA devices, numbered from 0: no {name!r}.")
    return device
