"""The trainer: plays a method's rounds on batches. It knows nothing of GANs, files or screens.

A step is a function of the state, of its batch and of its number: the learning rate is a function of the number, and
torch's random generators are seeded from (seed, number, process). So there is no random state to save, and a sample
or a validation between two steps changes nothing.
"""

import copy
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from translate import distributed, schedule
from translate.checkpoint import to_cpu
from translate.config import Role, TrainingSettings
from translate.data.batch import Batch
from translate.exchange import Exchange
from translate.methods import Method
from translate.networks.blocks import Padded
from translate.training import execution
from translate.training.averages import Averages
from translate.training.finite import FiniteCheck, refuse
from translate.training.graphed import Graphs, Played
from translate.training.stepping import add, moved, parameters_of, plain_copy, seed_step, together

UPDATE_EVERY = 11
"""Steps from one measurement of how far a player's weights move to the next: it costs a copy of them.

No multiple of a usual n_critic: a player that moves every fifth step only would never be measured.
"""
DTYPES = {"32": torch.float32, "bf16": torch.float32, "64": torch.float64}


class Trainer:
    """Holds a method, its optimizers and the number of steps done.

    `total` is in optimizer steps, `batches` is how many batches an epoch has; the learning rate is counted in epochs
    if settings.epochs is set, else in steps. `operations` of a step, and whether all batches are of `one_size`, help to
    decide how it is executed. Raises ConfigError if the method cannot be compiled but should be.
    """

    def __init__(
        self,
        method: Method,
        settings: TrainingSettings,
        total: int,
        batches: int,
        device: torch.device,
        operations: float = 0,
        one_size: bool = True,
    ) -> None:
        self.settings = settings
        self.total = total
        self.batches = batches
        self.device = device
        self.execution = execution.choose(settings, method, device, operations, total, one_size)
        self._notices = list(self.execution.notices)
        self.dtype = DTYPES[self.execution.precision]
        self.memory_format = torch.channels_last if self.execution.channels_last else torch.contiguous_format
        method.plan(total)
        self.method = method.to(device, self.dtype)
        for module in method.modules():
            if isinstance(module, Padded):
                module.in_squares = device.type == "cpu"
        if self.execution.channels_last:
            self.method.to(memory_format=torch.channels_last)
        distributed.broadcast(self.method)
        self.optimizers = method.optimizers()
        self.rates = {player: optimizer.param_groups[0]["lr"] for player, optimizer in self.optimizers.items()}
        self._graphs = Graphs(self._round) if self.execution.graph else None
        self._prepare_optimizers()
        self._exchanges = {player: Exchange(parameters_of(o)) for player, o in self.optimizers.items()}
        self._rates = dict(self.rates)
        self.rate_scale = 1.0
        """What the learning rates are multiplied by besides the schedule, once training has run into trouble."""
        self.step = 0
        self.looks_at_once = device.type == "cpu"  # where looking at a value does not wait for anything
        self._averages = Averages(method.generators(), settings.ema) if settings.ema else None
        made = {id(p) for network in method.generators().values() for p in network.parameters()}
        self._makers = {
            player
            for player, optimizer in self.optimizers.items()
            if any(id(p) in made for p in parameters_of(optimizer))
        }
        self._finite = FiniteCheck()
        self._untried = self.execution.compile
        if self.execution.compile:
            method.compile_networks()

    def advance(self, batches: Sequence[Batch]) -> dict[str, Tensor]:
        """Do one optimizer step a player on `batches` (several: their gradients are averaged).

        Returns the losses as "player/name" and signs of health as "health/name", scalars on the device. Raises
        TrainingError if a loss or gradient is not finite: on a CPU before any weight has changed by it. A GPU is not
        waited for: there Adam leaves the weights alone by a gradient that is not finite, and the error comes within the
        next steps, or, so that several processes get it at the same one, when check_finite is called.
        """
        if distributed.world() == 1 or self.device.type != "cuda":
            self._finite.look(wait=self.device.type != "cuda")
        seed_step(self.settings.seed, self.step)
        self._set_rates()
        self.method.train()
        here = [batch.to(self.device, self.dtype, self.memory_format) for batch in batches]
        self._files = tuple(name for batch in batches for name in batch.files)
        kind = (self.step % UPDATE_EVERY == 0, self.method.variant(self.step))
        played = self._played(here, kind)
        if not self.looks_at_once:
            self._finite.leave(self.step + 1, self._files, played.checked, played.finite)
        losses = dict(zip(played.names, played.values.unbind(), strict=True))
        if self._averages and self._makers & {name.partition("/")[0] for name in losses}:
            self._averages.update(self.method.generators(), self.step)
        self.step += 1
        return losses

    def _played(self, batches: Sequence[Batch], kind: Hashable) -> Played:
        """A round, in the way that was chosen; what cannot go on so goes on otherwise, with a notice."""
        if self._untried:
            return self._first_compiled(batches, kind)
        if not self._graphs:
            return self._round(batches, kind)
        played = self._graphs(batches, kind)
        if notice := self._graphs.take_notice():
            self._notices.append(f"Step {self.step + 1}: {notice}")
        return played

    def _first_compiled(self, batches: Sequence[Batch], kind: Hashable) -> Played:
        """The first round with compiled networks, which shows whether they can be; played again if not."""
        self._untried = False
        before = copy.deepcopy(self.state()) if distributed.world() == 1 else None
        try:
            return self._played(batches, kind)
        except Exception as error:
            if before is None or not execution.of_compiler(error):
                raise
            self._notices.append(f"Not compiled: {execution.in_short(error)}.")
        self.method.leave_plain()
        self.execution = replace(self.execution, compile=False)
        self.restore(before)
        seed_step(self.settings.seed, self.step)
        return self._played(batches, kind)

    def _round(self, batches: Sequence[Batch], kind: Any) -> Played:
        """All turns on `batches`, which lie on the device; nothing in here waits for it unless a turn wants to skip."""
        measured = bool(kind[0])
        games = [self.method.step(batch, self.step) for batch in batches]
        losses: dict[str, Tensor] = {}
        checked: dict[str, Tensor] = {}
        while turn := self._turn(games, measured, checked):
            losses.update(turn)
        return Played(tuple(losses), together(losses), tuple(checked), torch.isfinite(together(checked)))

    def _turn(self, games: Sequence[Any], measured: bool, checked: dict[str, Tensor]) -> dict[str, Tensor]:
        """One turn of every game, then one step of its player's optimizer; empty when the games are over."""
        sums: dict[str, Tensor] = {}
        signals: dict[str, Tensor] = {}
        player, skip = "", None
        for place, game in enumerate(games):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.execution.precision == "bf16"):
                turn = next(game, None)
            if turn is None:
                return {}
            if not player:
                player, skip = turn.player, turn.skip
                optimizer = self.optimizers[player]
                optimizer.zero_grad(set_to_none=True)
                parameters = parameters_of(optimizer)
            share = {name: loss / len(games) for name, loss in turn.losses.items()}
            with self._exchanges[player].overlapping(last=place == len(games) - 1):
                torch.stack(list(share.values())).sum().backward(inputs=parameters)
            add(sums, {f"{player}/{name}": loss.detach() for name, loss in share.items()})
            add(signals, {f"health/{name}": value.detach() / len(games) for name, value in turn.signals.items()})
        self._exchanges[player].finish()
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        self._guard(optimizer, {**sums, f"{player}'s gradient": norm}, checked)
        self._clip(parameters, norm)
        signals[f"health/gradient_{player}"] = norm
        if skip:
            (total,) = distributed.average([torch.stack([loss.float() for loss in sums.values()]).sum()])
            sits_out = skip(float(total))
            signals[f"health/skipped_{player}"] = total.new_tensor(float(sits_out))
            if sits_out:
                return sums | signals
        before = [p.detach().clone() for p in parameters] if measured else []
        optimizer.step()
        if measured:
            signals[f"health/update_{player}"] = moved(before, parameters)
        return sums | signals

    def _guard(self, optimizer: torch.optim.Optimizer, values: dict[str, Tensor], checked: dict[str, Tensor]) -> None:
        """Note `values` in `checked`, and see to it that the optimizer does nothing if one of them is not finite.

        On a CPU, where looking costs nothing, that is refused at once. On a GPU the optimizer is told by a tensor.
        """
        finite = torch.isfinite(together(values))
        if self.looks_at_once:
            refuse(self.step + 1, self._files, tuple(values), finite)
        elif getattr(optimizer, "_step_supports_amp_scaling", False):
            optimizer.found_inf = (~finite.all()).float()  # type: ignore[attr-defined]
        checked.update(values)

    def _clip(self, parameters: list[nn.Parameter], norm: Tensor) -> None:
        if self.settings.clip:
            nn.utils.clip_grads_with_norm_(parameters, self.settings.clip, norm)
        if self.settings.clip_value:
            nn.utils.clip_grad_value_(parameters, self.settings.clip_value)

    def check_finite(self) -> None:
        """Raise TrainingError if a loss or gradient seen since the last check was not finite."""
        self._finite.look(wait=True)

    def take_notices(self) -> list[str]:
        """What has not come as it was asked for since this was last called, one sentence each."""
        taken, self._notices = self._notices, []
        return taken

    def forgive(self) -> None:
        """Forget what was seen since the last check of finiteness: the state is another now."""
        self._finite.forgive()

    def _prepare_optimizers(self) -> None:
        """Have what a graph reads lie on the device: the rates, and Adam's count of steps."""
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                # A saved rate may lie in a tensor, where it was trained with graphs.
                group["lr"] = float(group["lr"])
                if self._graphs:
                    group["lr"] = torch.tensor(group["lr"], device=self.device)
                if "capturable" in group:
                    group["capturable"] = self._graphs is not None

    def _set_rates(self) -> None:
        for player, optimizer in self.optimizers.items():
            rate = self._rates[player] = self.rates[player] * self.rate_factor() * self.rate_scale
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate

    def current_rates(self) -> dict[str, float]:
        """The learning rate of each player in the last step."""
        return dict(self._rates)

    def rate_factor(self) -> float:
        """What the base learning rates are multiplied by at the next step."""
        if self.settings.epochs is not None and self.settings.schedule != "inverse":
            epoch = self.step * self.settings.accumulate // self.batches
            return schedule.factor(self.settings, min(epoch, self.settings.epochs - 1), self.settings.epochs)
        return schedule.factor(self.settings, self.step, self.total)

    def finished(self) -> dict[Role, nn.Module]:
        """Copies of the generators as they should be used: averaged if asked for, in evaluation mode."""
        source = self._averages.networks if self._averages else self.method.generators()
        return {direction: plain_copy(network).eval() for direction, network in source.items()}

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.step * self.settings.accumulate / self.batches

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs, as tensors on the CPU and plain values; save it before the next step.

        Every process must ask: "processes" gathers what each keeps of its own, such as its pool of past fakes.
        """
        method = to_cpu(self.method.state_dict())
        return {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "execution": str(self.execution),
            "method": method,
            "processes": distributed.gather({k: v for k, v in method.items() if k.endswith("_extra_state")}),
            "optimizers": {player: to_cpu(o.state_dict()) for player, o in self.optimizers.items()},
            "averages": self._averages.state() if self._averages else {},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up `state`; raises KeyError or RuntimeError if it is another method's."""
        own = state["processes"][distributed.rank()] if len(state["processes"]) == distributed.world() else {}
        self.method.load_state_dict(state["method"] | own)
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])
        self._prepare_optimizers()
        if self._graphs:
            self._graphs.forget()
        if self._averages:
            self._averages.restore(state["averages"])
        self.step = state["step"]
        self.rate_scale = state.get("rate_scale", 1.0)
