"""Distill: a small generator learns what a large one does (Li et al., GAN Compression, CVPR 2020).

Of the paper's three parts we take one, the losses; the student's shape is fixed (translate.networks.separable_resnet),
not searched for, and its weights are drawn, not taken from the teacher's. With pairs it learns from the truth and from
the teacher's output, where the paper has the truth alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from translate import networks, shipped
from translate.config import Direction, Role
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.methods import parts
from translate.methods.base import Method, Turn
from translate.methods.distill_settings import DistillSettings
from translate.methods.judge import Judge
from translate.methods.students import ENDS, SHARES, find_lessons, make_student, share
from translate.methods.teachers import Trained, count_parameters, generator_of, identity, refuse_other
from translate.metrics import METRICS
from translate.metrics.luminance import WEIGHTS
from translate.networks.blocks import Generator, mirrored_to_fit, translate_any_size
from translate.networks.init import initialise
from translate.networks.operations import observed
from translate.objectives.constraints import spectrally_normalise


class Distill(Method):
    """Needs a trained model, and pairs, two folders or one. Plays D first, then G on the same fakes."""

    settings = DistillSettings
    source: ClassVar[Literal["paired", "unpaired", "single"]] = "paired"
    guarded = frozenset({"teacher"})
    again = "translate distill {teacher} {dataset} --size {student} --out {out} --name {name} --resume"

    def __init__(
        self,
        settings: DistillSettings,
        channels: tuple[int, int],
        size: int,
        direction: Direction,
        *,
        teacher: Trained,
    ) -> None:
        nn.Module.__init__(self)
        self.config = settings
        self.direction = direction
        network = generator_of(teacher, direction)
        self.channels = self.fitting(channels, teacher.about.channels)
        # In a tuple: no part of the model, nor of what a resumed run needs.
        self._frozen = (network.eval().requires_grad_(False),)
        self._identity = identity(teacher, direction)
        self.student = make_student(settings, network, teacher.about.size)
        self.lessons = find_lessons(network, self.student, size, settings.lessons) if settings.inner else []
        self.adapters = nn.ModuleList(nn.Conv2d(here, there, 1) for (_, here), (_, there) in self.lessons)
        source, target = (network.arguments[name] for name in ENDS)
        self.discriminator = _discriminator(settings, target + source * (self.source == "paired"))
        self.judge = Judge(settings, together=parts.together(settings, self.discriminator))
        self.takes_bf16 = self.graphable = self.compilable = self.judge.compilable
        if settings.inner and not self.lessons:
            self.notices = ("Teacher and student have no inner values of one size: only outputs are compared.",)
        if settings.width:
            reached = 100 * share(self.student, network, teacher.about.size)
            self.notices += (
                f"With width={settings.width} the student has {reached:.3g} % of the teacher's operations "
                f"({settings.student} alone: at most {100 / SHARES[settings.student]:.3g} %).",
            )

    def fitting(self, channels: tuple[int, int], taught: Sequence[int]) -> tuple[int, int]:
        """Channels of domains (A, B) for a data set of `channels` and a teacher of `taught`, or ConfigError."""
        if tuple(taught) != channels:
            raise ConfigError(
                f"The teacher's domains have {tuple(taught)} channels, those of the data set {channels}: give what it "
                "was trained on, or the folder of inputs alone with --set domains=single."
            )
        return channels

    @classmethod
    def suited(cls, settings: DistillSettings) -> type[Method]:
        return {"paired": Distill, "unpaired": DistillUnpaired, "single": DistillSingle}[settings.domains]

    @staticmethod
    def models(settings: DistillSettings) -> dict[str, Path]:
        if settings.teacher is None:
            raise ConfigError("--mode distill needs a teacher: `translate distill CHECKPOINT DATASET` names it.")
        return {"teacher": settings.teacher}

    @staticmethod
    def settled(settings: DistillSettings) -> DistillSettings:
        teacher = settings.teacher
        if teacher is None or (str(teacher) in shipped.NAMES and not teacher.exists()):
            return settings
        return settings.model_copy(update={"teacher": teacher.expanduser().absolute()})

    @property
    def teacher(self) -> nn.Module:
        return self._frozen[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def get_extra_state(self) -> dict[str, str]:
        """Whose student this is: a resumed run must not learn from anybody else."""
        return dict(self._identity)

    def set_extra_state(self, state: dict[str, str]) -> None:
        refuse_other(state, self._identity, self.config.teacher)

    def described(self) -> dict[str, Any]:
        of = f"{count_parameters(self.teacher)} parameters ({self._identity['origin']})"
        return {"origin": f"distilled from a model of {of}"}

    def compile_networks(self) -> None:
        # Not the generators: their inner values are read on the way, where a compiled one has none.
        self.discriminator.compile(dynamic=False)

    def optimizers(self) -> dict[str, Optimizer]:
        rates = parts.rates(self.config)
        return {
            "D": parts.adam(self.config, rates["D"], self.discriminator),
            "G": parts.adam(self.config, rates["G"], self.student, self.adapters),
        }

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        source, truth = self.sides(batch)
        whole = self._fitted(source)
        with torch.no_grad():
            taught, wanted = observed(self.teacher, [there for _, (there, _) in self.lessons], whole)
        made, seen = observed(self.student, [here for (here, _), _ in self.lessons], whole)
        taught, made = _cut(taught, source), _cut(made, source)
        real = taught if truth is None else truth

        def discriminate(output: Tensor) -> Tensor:
            # With pairs D sees the input too. There may be several outputs an input, one after another.
            output = output.to(source.dtype)
            if self.source == "paired":
                output = torch.cat([source.repeat(len(output) // len(source), 1, 1, 1), output], dim=1)
            return self.discriminator(output)

        yield Turn("D", *self.judge.discriminator(discriminate, real, made.detach(), index))
        self.judge.constrain(self.discriminator)
        losses = {
            "gan": self.config.gan * self.judge.generator(discriminate, real, made),
            "output": self.config.output * F.l1_loss(made.to(source.dtype), taught.to(source.dtype)),
        }
        if truth is not None and self.source == "paired":
            losses["truth"] = self.config.truth * F.l1_loss(made.to(source.dtype), truth)
        if self.lessons:
            away = [
                F.mse_loss(adapt(one).to(source.dtype), other.to(source.dtype))
                for adapt, one, other in zip(self.adapters, seen, wanted, strict=True)
            ]
            losses["inner"] = self.config.inner * torch.stack(away).mean()
        yield Turn("G", losses)

    def sides(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Inputs, and images of the target domain if there are any: with pairs the truth."""
        return batch.oriented(self.direction)

    def _fitted(self, images: Tensor) -> Tensor:
        for network in (self.teacher, self.student):
            images = mirrored_to_fit(network, images)
        return images

    def generators(self) -> dict[Role, nn.Module]:
        return {self.direction: self.student}

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        source, target = self.sides(batch)
        if target is None:
            return ()
        seen = torch.cat([source, target], dim=1) if self.source == "paired" else target
        return (self.discriminator(seen).flatten(1).mean(dim=1),)

    # Held-out pictures

    def taught(self, source: Tensor) -> Tensor:
        """What the teacher makes of `source`."""
        with torch.no_grad():
            return translate_any_size(self.teacher, source)

    def translated(
        self, batch: Batch, generators: Mapping[Role, nn.Module]
    ) -> Iterator[tuple[Direction, Tensor, Tensor, Tensor]]:
        source, truth = self.sides(batch)
        target = truth if truth is not None and self.source == "paired" else self.taught(source)
        yield self.direction, source, translate_any_size(generators[self.direction], source), target

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        ((_, source, made, target),) = self.translated(batch, generators)
        columns = {self.direction[0]: source, "teacher": self.taught(source), "student": made}
        return columns | ({f"{self.direction[-1]} true": target} if self.source == "paired" else {})

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        """Of the student's outputs: every metric against the truth, with pairs, and against the teacher's outputs."""
        values: dict[str, list[Tensor]] = {}
        for batch in batches:
            ((_, source, made, target),) = self.translated(batch, generators)
            taught = {f"teacher_{name}": (metric, self.taught(source)) for name, metric in METRICS.items()}
            true = {name: (metric, target) for name, metric in METRICS.items()}
            for name, (metric, wanted) in (true | taught if self.source == "paired" else true).items():
                values.setdefault(f"{self.direction}/{name}", []).append(metric(made, wanted).cpu())
        return {name: float(torch.cat(each).mean()) for name, each in values.items()}


class DistillUnpaired(Distill):
    """Two folders that are no pairs: D tells what the student makes from true images, whatever the input."""

    source = "unpaired"
    knows_truth = True


class DistillSingle(Distill):
    """One folder of inputs: D tells what the student makes from what the teacher makes."""

    source = "single"
    knows_truth = True
    in_colour = True

    def fitting(self, channels: tuple[int, int], taught: Sequence[int]) -> tuple[int, int]:
        takes = taught[0 if self.direction == "AtoB" else 1]
        if takes not in (1, channels[0]):
            raise ConfigError(
                f"The teacher takes images of {takes} channels, those of the data set have {channels[0]}: give images "
                "such as it was trained on."
            )
        return (taught[0], taught[1])

    def sides(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Inputs, grey where the teacher takes grey ones."""
        takes = cast(Generator, self.student).arguments["in_channels"]
        if takes == batch.a.shape[1]:
            return batch.a, None
        red, green, blue = (weight * part for weight, part in zip(WEIGHTS, batch.a.split(1, dim=1), strict=True))
        return red + green + blue, None


def _discriminator(settings: DistillSettings, channels: int) -> nn.Module:
    arguments = {"width": settings.width_d, "layers": settings.layers, "norm": settings.norm_d}
    network = networks.build("patchgan", {"in_channels": channels, **arguments})
    initialise(network, "normal", 0.02)
    if settings.spectral_norm:
        spectrally_normalise(network)
    return network


def _cut(images: Tensor, like: Tensor) -> Tensor:
    """The middle of `images`, which were mirrored to fit, of the size of `like`."""
    height, width = like.shape[-2:]
    top, left = (images.shape[-2] - height) // 2, (images.shape[-1] - width) // 2
    return images[..., top : top + height, left : left + width]
