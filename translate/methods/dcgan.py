"""DCGAN: images from noise (Radford et al., ICLR 2016), with other networks, objectives, conditions and tricks.

Conditions: concatenation (Mirza and Osindero 2014), projection (Miyato and Koyama, ICLR 2018), an auxiliary classifier
(Odena et al., ICML 2017), codes found again (InfoGAN, Chen et al., NIPS 2016).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from translate import latent
from translate.config import DataSettings, Direction, Role
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.grid import draw_mosaic
from translate.images import Picture
from translate.methods import noise_networks, parts, presets
from translate.methods.base import Method, Turn
from translate.methods.diffaugment import diffaugment
from translate.methods.judge import Judge, Judged
from translate.methods.noise_settings import NoiseSettings
from translate.methods.pool import ImagePool
from translate.methods.set_scores import scores
from translate.methods.soft_labels import soft_labels
from translate.networks.samplers import Sampler

SHOWN = 64
"""Images of a sample sheet."""
AT_ONCE = 64 * 64**2
"""Pixels that are made at once when looking at samples: memory is that of training, whatever the size."""


class Asked(NamedTuple):
    """What images are made of besides noise: classes or categories (N,), continuous codes (N, K); None: not any."""

    labels: Tensor | None = None
    codes: Tensor | None = None


class Dcgan(Method):
    """Needs one folder of images, in folders by class if conditioned. Plays D first, then G on the same fakes."""

    settings = NoiseSettings
    source = "single"
    knows_truth = True
    use = "translate sample {run} -n 64 --out samples.png"
    usual: ClassVar = presets.usual({}, "paper64")
    any_size = False
    probe_images = 64

    def __init__(
        self,
        settings: NoiseSettings,
        channels: tuple[int, int],
        size: int,
        direction: Direction = "AtoB",
        labels: Sequence[str] = (),
    ) -> None:
        nn.Module.__init__(self)
        if direction != "AtoB":
            raise ConfigError("Noise has no direction: leave --direction out.")
        self.config = settings
        self.channels = channels
        self.labels = tuple(labels)
        self.generator = noise_networks.make_generator(settings, channels[0], size, len(labels))
        self.discriminator = noise_networks.make_discriminator(settings, channels[0], size, len(labels))
        self.pool = ImagePool(settings.replay)
        self.judge = Judge(settings, halved=False)
        self.compilable = self.judge.compilable
        self._total = 1
        self._skipped = 0
        if settings.norm_d is None and settings.discriminator_norm != settings.norm:
            self.notices = (
                "The discriminator has instance norm in place of batch norm, which a gradient penalty cannot have.",
            )

    @classmethod
    def usually(cls, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
        return presets.usual(chosen, NoiseSettings.model_fields["preset"].default)

    @staticmethod
    def label_file(settings: NoiseSettings) -> Path | None:
        return settings.labels

    @staticmethod
    def labelled(settings: NoiseSettings) -> bool:
        return settings.labelled

    def described(self) -> dict[str, Any]:
        return {"labels": self.labels, "noise": self.config.noise, "spherical": self.config.spherical}

    def compile_networks(self) -> None:
        self.generator.compile(dynamic=False)
        critic: Any = self.discriminator
        critic.heads = torch.compile(critic.heads, dynamic=False)  # what is called in place of forward

    def leave_plain(self) -> None:
        super().leave_plain()
        vars(self.discriminator).pop("heads", None)

    def plan(self, total: int) -> None:
        self._total = total

    def get_extra_state(self) -> dict[str, int]:
        return {"total": self._total, "skipped": self._skipped}

    def set_extra_state(self, state: dict[str, int]) -> None:
        # The noise on D's images fades as it was planned, also in a run that is made longer.
        self._total, self._skipped = state["total"], state["skipped"]

    def optimizers(self) -> dict[str, Optimizer]:
        rates = parts.rates(self.config)
        return {
            "D": parts.optimizer(self.config, rates["D"], self.discriminator),
            "G": parts.optimizer(self.config, rates["G"], self.generator),
        }

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        real = batch.a
        asked = self._asked(real, batch.labels)
        plays = (index + 1) % self.config.n_critic == 0
        with torch.set_grad_enabled(plays):
            fake = self.made(self.generator, len(real), asked, real)
        judged = self._judge(real, fake.detach(), asked, index)
        yield Turn("D", judged.losses, judged.signals, self._sits_out if self.config.skip_below is not None else None)
        self.judge.constrain(self.discriminator)
        if plays:
            yield Turn("G", self._persuade(real, fake, asked, index))

    def _asked(self, real: Tensor, labels: Tensor | None) -> Asked:
        """What the fakes are to be: of the classes of the real images, or of codes drawn for them."""
        if self.config.labelled:
            return Asked(labels)
        if self.config.conditioning != "infogan":
            return Asked()
        return self._drawn(len(real), real)

    def _drawn(self, count: int, like: Tensor) -> Asked:
        """Random codes."""
        kinds, numbers = self.config.categories, self.config.continuous
        labels = torch.randint(kinds, (count,), device=like.device) if kinds else None
        codes = torch.rand(count, numbers, device=like.device, dtype=like.dtype) * 2 - 1 if numbers else None
        return Asked(labels, codes)

    def made(self, generator: nn.Module, count: int, asked: Asked, like: Tensor) -> Tensor:
        """`count` images (N, C, H, W) in [-1, 1] from fresh noise of the kind of `like`."""
        own = self.config
        noise = latent.draw(own.noise, count, own.latent, device=like.device, dtype=like.dtype, spherical=own.spherical)
        return generator(noise, asked.labels, asked.codes).to(like.dtype)

    # The discriminator's turn

    def _judge(self, real: Tensor, fake: Tensor, asked: Asked, index: int) -> Judged:
        past, past_labels = self._past(fake, asked.labels)
        on_real, on_fake = self._both(real, past, asked.labels, past_labels, index)
        targets = soft_labels(self.config, len(real), real) if self.judge.objective.targets else None
        losses = self.judge.terms(on_real["logits"], on_fake["logits"], targets)
        # The fresh fakes: a penalty between real and made images needs them of the same classes.
        losses |= self.judge.penalise(lambda x: self._heads(x, asked.labels, index)["logits"], real, fake, index)
        if "classes" in on_real:
            losses["class_real"] = self.config.class_weight * _cross_entropy(on_real["classes"], asked.labels)
            losses["class_fake"] = self.config.class_weight * _cross_entropy(on_fake["classes"], past_labels)
        if self.config.conditioning == "infogan":
            losses["info"] = self._information(self._heads(fake, None, index) if self.pool.size else on_fake, asked)
        return Judged(losses, self.judge.signals(on_real["logits"], on_fake["logits"], real, fake))

    def _past(self, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Fakes from the pool with the classes they were made for."""
        if not self.config.labelled or labels is None:
            return self.pool.exchange(fake), None
        # The class travels as one more plane of the image.
        planes = labels.to(fake.dtype).view(-1, 1, 1, 1).expand(-1, 1, *fake.shape[2:])
        past = self.pool.exchange(torch.cat([fake, planes], dim=1))
        return past[:, :-1], past[:, -1, 0, 0].round().long()

    def _both(
        self, real: Tensor, fake: Tensor, labels: Tensor | None, fake_labels: Tensor | None, index: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """D's answers on real and made images, in one batch or in two."""
        if self.config.batches == "separate":
            on_fake = self._heads(fake, fake_labels, index)
            return self._heads(real, labels, index), on_fake
        together = None if labels is None or fake_labels is None else torch.cat([labels, fake_labels])
        answers = self._heads(torch.cat([real, fake]), together, index)
        sizes = [len(real), len(fake)]
        first, second = zip(*(answer.split(sizes) for answer in answers.values()), strict=True)
        return dict(zip(answers, first, strict=True)), dict(zip(answers, second, strict=True))

    def _heads(self, images: Tensor, labels: Tensor | None, index: int) -> dict[str, Tensor]:
        """D's answers on `images`, changed as all that D sees is."""
        own = self.config
        if own.diffaugment:
            images = diffaugment(images, own.diffaugment)
        spread = own.instance_noise * max(0.0, 1 - index / (own.instance_noise_until * self._total))
        if spread:
            images = images + spread * torch.randn_like(images)
        return cast(Any, self.discriminator).heads(images, labels if own.labelled else None)

    def _sits_out(self, loss: float) -> bool:
        below = self.config.skip_below is not None and loss < self.config.skip_below
        if below and self._skipped < self.config.skip_most:
            self._skipped += 1
            return True
        self._skipped = 0
        return False

    # The generator's turn

    def _persuade(self, real: Tensor, fake: Tensor, asked: Asked, index: int) -> dict[str, Tensor]:
        on_fake = self._heads(fake, asked.labels, index)
        seen = self._heads(real, asked.labels, index)["logits"] if self.judge.objective.pairs else None
        losses = {"gan": self.judge.objective.generator(real=seen, fake=on_fake["logits"])}
        if "classes" in on_fake:
            losses["class"] = self.config.class_weight * _cross_entropy(on_fake["classes"], asked.labels)
        if self.config.conditioning == "infogan":
            losses["info"] = self._information(on_fake, asked)
        return losses

    def _information(self, answers: Mapping[str, Tensor], asked: Asked) -> Tensor:
        """What Q misses of the codes: the variational bound of Chen et al. 2016, its Gaussian's variance held at 1."""
        missed = answers["logits"].float().mean() * 0
        if asked.labels is not None:
            missed = missed + _cross_entropy(answers["categories"], asked.labels)
        if asked.codes is not None:
            missed = missed + (answers["codes"].float() - asked.codes.float()).square().sum(dim=1).mean() / 2
        return self.config.info_weight * missed

    # What was learned

    def generators(self) -> dict[Role, nn.Module]:
        return {"noise": self.generator}

    def side(self, data: DataSettings) -> int:
        return data.size

    def samples(self, generator: nn.Module, count: int, like: Tensor, labels: Tensor | None = None) -> Tensor:
        """The same `count` samples at every look: sample i is made of noise number i and of codes drawn once for all.

        Their classes are those of `labels` in turn; without these, i modulo the number of classes.
        """
        own, sampler = self.config, cast(Sampler, generator)
        noise = latent.draw_each(own.noise, 0, range(count), own.latent, spherical=own.spherical).to(like)
        turns = torch.arange(count, device=like.device)
        classes = None
        if sampler.classes:
            classes = turns % sampler.classes if labels is None else labels[turns % len(labels)]
        draw = torch.Generator().manual_seed(0)
        codes = (torch.rand(count, sampler.continuous, generator=draw) * 2 - 1).to(like) if sampler.continuous else None
        at_once = max(1, AT_ONCE // like.shape[-1] ** 2)
        parts = [slice(start, start + at_once) for start in range(0, count, at_once)]
        chosen = [[None if each is None else each[part] for each in (noise, classes, codes)] for part in parts]
        return torch.cat([generator(*each).to(like.dtype) for each in chosen])

    def picture(self, batches: Sequence[Batch], generators: Mapping[Role, nn.Module]) -> Picture:
        return draw_mosaic(self.samples(generators["noise"], SHOWN, batches[0].a))

    def _scored(self, batches: Sequence[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        """Scores of samples of the classes that the real images of `batches` have."""
        real = torch.cat([batch.a for batch in batches])
        known = [batch.labels for batch in batches if batch.labels is not None]
        labels = torch.cat(known) if self.config.labelled and known else None
        return scores(self.samples(generators["noise"], max(len(real), SHOWN), real, labels), real)

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        made = self.samples(generators["noise"], 2 * len(batch.a), batch.a)
        return {"real": batch.a, "made": made[: len(batch.a)], "made too": made[len(batch.a) :]}

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        return {f"noise/{name}": value for name, value in self._scored(list(batches), generators).items()}

    def quality(self, scores: Mapping[str, float]) -> float:
        return -scores.get("noise/kid_random", math.inf)

    def probe(
        self, seen: Sequence[Batch], held: Sequence[Batch], generators: Mapping[Role, nn.Module]
    ) -> dict[str, float]:
        return self._scored(held, generators) | super().probe(seen, held, {})

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        answers = self.discriminator(batch.a, batch.labels if self.config.labelled else None)
        return (-answers if self.judge.objective.energy else answers,)


def _cross_entropy(logits: Tensor, labels: Tensor | None) -> Tensor:
    if labels is None:
        raise ValueError("these images have no labels")
    return F.cross_entropy(logits.float(), labels)
