"""Plays the game: the method `dcgan` on points, by the Trainer, under the eyes of the Monitor."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from translate.data.batch import Batch
from translate.errors import TrainingError
from translate.game2d.mixtures import Mixture
from translate.game2d.settings import Chosen
from translate.health import EARLY, HEALTHY, NOT_FINITE, Monitor, Verdict, sure
from translate.methods.dcgan import Dcgan
from translate.metrics.diversity import diversity
from translate.metrics.modes import Modes, modes
from translate.metrics.prdc import prdc
from translate.training.execution import choose_device, configure_backends
from translate.training.trainer import Trainer

SCORED = 2500
"""Samples that are scored, as in PacGAN's experiments."""
PROBED = 500


class Scene(NamedTuple):
    """How the game stands after `step` steps: what a frame shows.

    `real` and `made` are (N, 2); `pull` (N, 2) is the way that lowers G's loss fastest from each of `made`, which is
    what G feels; `judge` answers points (N, 2) with how real D takes each for, (N,), on the objective's own scale.
    """

    step: int
    real: Tensor
    made: Tensor
    pull: Tensor
    judge: Callable[[Tensor], Tensor]


class Game:
    """One game, played by `play`. Samples are those of the averaged generator, if there is an average."""

    def __init__(self, mixture: Mixture, chosen: Chosen) -> None:
        self.mixture = mixture
        self.chosen = chosen
        self.seed = chosen.training.seed
        self.total = chosen.training.steps or 0
        device = choose_device(chosen.training.device)
        configure_backends(chosen.training, device)
        torch.manual_seed(self.seed)
        names = [str(number) for number in range(len(mixture.centres))] if chosen.method.labelled else []
        self.method = Dcgan(chosen.method, (2, 2), 1, labels=names)
        self.trainer = Trainer(self.method, chosen.training, self.total, self.total, device)
        self.monitor = Monitor()
        self.verdicts: list[tuple[int, Verdict]] = []
        """Each verdict that differs from the one before, with its step; at first there is none."""
        self.seconds = 0.0
        """CPU time of training alone."""

    def play(self) -> Iterator[int]:
        """Yields the number of steps done, from 0 on; ends early where a value is not finite."""
        yield 0
        while self.trainer.step < self.total:
            began = time.process_time()
            try:
                scalars = self.trainer.advance(
                    [self.mixture.draw(self.chosen.batch_size, self.seed, self.trainer.step)]
                )
                self.trainer.check_finite()
            except TrainingError:
                self._note(NOT_FINITE)
                return
            finally:
                self.seconds += time.process_time() - began
            self._watch(scalars)
            yield self.trainer.step

    @property
    def verdict(self) -> Verdict:
        """The last one."""
        return self.verdicts[-1][1] if self.verdicts else HEALTHY

    @property
    def told(self) -> bool:
        """Whether there is a verdict: a finding, or enough windows for the rules to call training healthy."""
        return not self.verdict.healthy or sure(self.monitor.rows)

    @property
    def health(self) -> str:
        """The name of the verdict, or why there is none."""
        if self.told:
            return self.verdict.name
        return EARLY if self.chosen.training.health_every else "health is not watched"

    def _watch(self, scalars: dict[str, Tensor]) -> None:
        every, probe = self.chosen.training.health_every, self.chosen.training.probe_every
        if not every:
            return
        self.monitor.observe(scalars)
        step = self.trainer.step
        if step % every == 0:
            looks = bool(probe) and step // probe != (step - every) // probe
            self.monitor.judge(step, self._probe() if looks else {})
            self._note(self.monitor.verdict)

    def _note(self, verdict: Verdict) -> None:
        before = self.verdicts[-1][1] if self.verdicts else HEALTHY
        if verdict.name != before.name:
            self.verdicts.append((self.trainer.step + (verdict is NOT_FINITE), verdict))

    def _probe(self) -> dict[str, float]:
        """The signs of `Dcgan.probe`, in the plane itself in place of a random network's features."""
        real = self.mixture.draw(PROBED, self.seed, self.total).a.flatten(1)
        made = self.samples(PROBED)
        return {"diversity": diversity(made, real), **prdc(real, made)}

    @torch.no_grad()
    def samples(self, count: int) -> Tensor:
        """Points (count, 2) on the CPU, always of the same noise."""
        like = self._like(count)
        return self.method.samples(self._finished(), count, like).flatten(1).float().cpu()

    def score(self) -> Modes:
        """The modes that SCORED samples hit."""
        return modes(self.samples(SCORED), self.mixture.centres, self.mixture.sigma)

    def scene(self, shown: int) -> Scene:
        """How it stands, with `shown` real points and as many samples, of noise that is the same in every scene."""
        self.method.eval()
        batch = self.mixture.draw(shown, self.seed, self.total + 1)
        labels = torch.arange(shown) % len(self.mixture.centres)
        made = self.samples(shown)
        return Scene(self.trainer.step, batch.a.flatten(1), made, self._pull(made, labels, batch), self._answers)

    def _pull(self, made: Tensor, labels: Tensor, batch: Batch) -> Tensor:
        moved = batch.to(self.trainer.device, self.trainer.dtype, torch.contiguous_format)
        points = made.to(moved.a)[:, :, None, None].requires_grad_()
        critic, objective = self.method.discriminator, self.method.judge.objective
        known = self.chosen.method.labelled
        answers = critic(points, labels.to(points.device) if known else None)
        seen = critic(moved.a, moved.labels if known else None) if objective.pairs else None
        (gradient,) = torch.autograd.grad(objective.generator(real=seen, fake=answers), points)
        return -len(made) * gradient.flatten(1).float().cpu()

    @torch.no_grad()
    def _answers(self, points: Tensor) -> Tensor:
        """D's answers on points (N, 2), high for real; where it is told classes, that of the class that fits best."""
        images = points.to(self._like(0))[:, :, None, None]
        if not self.chosen.method.labelled:
            return self.method.answers(Batch(images, None, ()))[0].float().cpu()
        every = [
            self.method.answers(Batch(images, None, (), torch.full((len(points),), number, device=images.device)))[0]
            for number in range(len(self.mixture.centres))
        ]
        return torch.stack(every).amax(dim=0).float().cpu()

    def _finished(self) -> nn.Module:
        return self.trainer.finished()["noise"]

    def _like(self, count: int) -> Tensor:
        return torch.empty(count, 2, 1, 1, device=self.trainer.device, dtype=self.trainer.dtype)
