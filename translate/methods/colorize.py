"""Colorizing: chroma for a picture's light, from any folder of colour pictures.

Two heads. regression: L1 with a conditional PatchGAN (Isola et al., CVPR 2017), trained generator alone, critic alone,
then both for a short while that ends by itself (the NoGAN schedule that Antic described for DeOldify, 2019).
classification: distributions over quantised chroma, rare colours weighed up (Zhang, Isola, Efros, ECCV 2016).
Either is trained with simulated hints (Zhang et al., SIGGRAPH 2017).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from translate import distributed
from translate.colour import bins
from translate.colour.lab import MOST_CHROMA, exact, from_lab, from_network, to_lab, to_network
from translate.colour.monochrome import is_monochrome
from translate.colour.simulated import simulate_hints
from translate.config import DataSettings, Direction, Role
from translate.data.batch import Batch
from translate.errors import ConfigError
from translate.methods import parts
from translate.methods.base import Held, Method, Turn
from translate.methods.colorize_settings import ColorizeSettings
from translate.methods.judge import Judge
from translate.metrics import COLOUR_METRICS
from translate.metrics.colour_distance import distance, features
from translate.networks.blocks import mirrored_to_fit, translate_any_size
from translate.networks.encoders import cached_weights, load_pretrained

TURNED = 3
"""Held-out looks without a better one after which the joint phase is over."""
MEMORY = 1000
"""Batches that the running prior of the classes looks back on."""


class Colorize(Method):
    """Needs one folder of colour pictures. Learns chroma from light, with hints where there are any."""

    settings = ColorizeSettings
    source = "single"
    knows_truth = True
    use = "translate colorize PHOTOS OUT --model {run}"
    usual: ClassVar = {"batch_size": 8, "preprocess": "scale_shortest", "ema": 0.99}

    prior: Tensor
    seen: Tensor

    def __init__(self, settings: ColorizeSettings, channels: tuple[int, int], size: int, direction: Direction) -> None:
        nn.Module.__init__(self)
        if channels[0] != 3:
            raise ConfigError(f"Colorizing learns from pictures of 3 channels; these have {channels[0]}.")
        if direction != "AtoB":
            raise ConfigError("Colorizing goes one way, from grey to colour: leave --direction out.")
        self.config = settings
        self.channels = (1, 3)
        self.generator = parts.make_generator(settings, 4 if settings.hints else 1, 2, size, **_own(settings, size))
        self.discriminator = parts.make_discriminator(settings, 3, size) if settings.adversarial else None
        self.judge = Judge(settings)
        self.compilable = self.judge.compilable or not settings.adversarial
        self.classifies = settings.head == "classification"
        if self.classifies:
            count = len(cast(Tensor, self.generator.centres))
            self.register_buffer("prior", torch.full((count,), 1 / count))
            self.register_buffer("seen", torch.zeros(()))
        self._joint_from = self._critic_from = 0
        if settings.encoder != "own":
            self.notices = (self._begin_pretrained(settings),)

    def _begin_pretrained(self, settings: ColorizeSettings) -> str:
        path = settings.encoder_weights or cached_weights(settings.encoder)
        if path is None:
            return (
                f"No pretrained weights of {settings.encoder} are at hand: its encoder is trained from scratch. "
                "--set encoder_weights=FILE names them."
            )
        load_pretrained(cast(Sequence[nn.Module], self.generator.downs), path)
        return f"The encoder begins with {path}."

    def get_extra_state(self) -> dict[str, int]:
        """Where the phases begin: a run that is made longer goes on in its last phase."""
        return {"critic_from": self._critic_from, "joint_from": self._joint_from}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self._critic_from, self._joint_from = state["critic_from"], state["joint_from"]

    def plan(self, total: int) -> None:
        self._critic_from = round(total * self.config.pretrain)
        self._joint_from = round(total * (self.config.pretrain + self.config.critic))

    def side(self, data: DataSettings) -> int:
        # Colours depend on what a thing is, and that on its scale: the one at which crops were cut.
        return data.size if self.config.generator == "unet" or data.preprocess == "none" else data.resized

    @staticmethod
    def unfit(pixels: np.ndarray) -> str:
        # Other channels than one and three are refused as a whole, with what they are.
        return "grey" if pixels.shape[2] in (1, 3) and is_monochrome(pixels) else ""

    def optimizers(self) -> dict[str, Optimizer]:
        rates = parts.rates(self.config)
        made: dict[str, Optimizer] = {"G": parts.adam(self.config, rates["G"], self.generator)}
        if self.discriminator is not None:
            made["D"] = parts.adam(self.config, rates["D"], self.discriminator)
        return made

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        light, chroma = to_lab(mirrored_to_fit(self.generator, batch.a))
        seen = self._seen(light, simulate_hints(chroma) if self.config.hints else None)
        if self.classifies:
            yield Turn("G", {"classes": self._cross_entropy(seen, chroma)})
            return
        truth = chroma / MOST_CHROMA
        alone = self.discriminator is None or index < self._critic_from
        with torch.set_grad_enabled(alone or index >= self._joint_from):
            (fake,) = parts.run(self.generator, seen)
        if not alone:
            yield Turn("D", *self.judge.discriminator(self._beside(light), truth, fake.detach(), index))
            self.judge.constrain(cast(nn.Module, self.discriminator))
        if alone or index >= self._joint_from:
            losses = {"l1": self.config.l1 * F.l1_loss(fake.to(truth.dtype), truth)}
            if not alone:
                losses["gan"] = self.config.gan * self.judge.generator(self._beside(light), truth, fake)
            yield Turn("G", losses)

    def _seen(self, light: Tensor, hints: Tensor | None) -> Tensor:
        """What the generator takes."""
        if not self.config.hints:
            return to_network(light)
        if hints is None:
            hints = light.new_zeros(len(light), 3, *light.shape[2:])
        return torch.cat([to_network(light), hints], dim=1)

    def _beside(self, light: Tensor) -> Any:
        """The discriminator, which is conditional: it sees chroma beside the light."""
        judge = cast(nn.Module, self.discriminator)
        shown = to_network(light)
        return lambda chroma: judge(torch.cat([shown, chroma.to(shown.dtype)], dim=1))

    def _cross_entropy(self, seen: Tensor, chroma: Tensor) -> Tensor:
        logits = self.generator(seen)
        with exact(chroma):
            small = F.avg_pool2d(chroma, chroma.shape[-1] // logits.shape[-1])
            classes, shares = bins.encode(small, cast(Tensor, self.generator.centres).to(small))
            self._count(classes, shares)
            chances = F.log_softmax(logits.to(small.dtype), dim=1)
            losses = -(chances.gather(1, classes) * shares).sum(dim=1)
            weights = cast(Tensor, self.generator.balance).exp().to(small.dtype)
            return (losses * weights[classes[:, 0]]).mean()

    @torch.no_grad()
    def _count(self, classes: Tensor, shares: Tensor) -> None:
        """Take the classes of a batch, over all processes, into the running prior."""
        counts = torch.zeros_like(self.prior).index_add_(0, classes.flatten(), shares.flatten().to(self.prior))
        counts = distributed.sum_over_processes(counts)
        self.seen += 1
        self.prior.lerp_(counts / counts.sum(), 1 / self.seen.clamp(max=MEMORY))
        cast(Tensor, self.generator.balance).copy_(bins.rebalanced(self.prior, 1 - self.config.rebalance).log())

    def generators(self) -> dict[Role, nn.Module]:
        return {"AtoB": self.generator}

    # Held-out pictures

    def colored(self, images: Tensor, generator: nn.Module) -> Tensor:
        """What `generator` makes of the light of `images`, sRGB (N, 3, H, W) in [-1, 1]; the same, clipped."""
        light, _ = to_lab(images)
        chroma = from_network(translate_any_size(generator, self._seen(light, None)).to(light.dtype))
        return from_lab(light, chroma).clamp(-1, 1)

    def translated(
        self, batch: Batch, generators: Mapping[Role, nn.Module]
    ) -> Iterator[tuple[Direction, Tensor, Tensor, Tensor]]:
        light, _ = to_lab(batch.a)
        grey = from_lab(light, torch.zeros_like(light).expand(-1, 2, -1, -1))
        yield "AtoB", grey, self.colored(batch.a, generators["AtoB"]), batch.a

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        if self.discriminator is None:
            return ()
        light, chroma = to_lab(batch.a)
        return (self._beside(light)(chroma / MOST_CHROMA).flatten(1).mean(dim=1),)

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        ((_, grey, ours, truth),) = self.translated(batch, generators)
        return {"grey": grey, "ours": ours, "truth": truth}

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        values: dict[str, list[Tensor]] = {}
        made, real = [], []
        for batch in batches:
            ours = self.colored(batch.a, generators["AtoB"])
            for name, metric in COLOUR_METRICS.items():
                values.setdefault(name, []).append(metric(ours, batch.a).cpu())
            made.append(features(ours).cpu())
            real.append(features(batch.a).cpu())
        scores = {name: float(torch.cat(each).mean()) for name, each in values.items()}
        if len(torch.cat(real)) > 1:
            scores["colour_distance"] = float(distance(torch.cat(made), torch.cat(real), paired=True))
        return {f"AtoB/{name}": score for name, score in scores.items()}

    def quality(self, scores: Mapping[str, float]) -> float:
        """A game is judged by how far its colours are from real ones as a set; all else by its chroma."""
        if not self.config.adversarial:
            return scores["AtoB/ab_psnr"]
        if "AtoB/colour_distance" in scores:
            return -scores["AtoB/colour_distance"]
        return -abs(math.log(max(scores["AtoB/colourfulness_ratio"], 1e-6)))  # a single image makes no set

    def looks(self, step: int) -> bool:
        joint = step - self._joint_from
        return self.config.adversarial and joint >= 0 and joint % self.config.look_every == 0

    def over(self, history: Sequence[Held]) -> bool:
        if not self.config.adversarial:
            return False
        looked = (held for held in history if held.step > self._joint_from and self.looks(held.step))
        joint = [self.quality(held.scores) for held in looked]
        return len(joint) > TURNED and max(joint[-TURNED:]) <= max(joint[:-TURNED])


def _own(settings: ColorizeSettings, size: int) -> dict[str, object]:
    """Arguments that only a colour_unet has."""
    if settings.generator != "colour_unet":
        return {}
    return {
        "depth": settings.depth or max(2, min(5, int(math.log2(size)) - 2)),
        "encoder": settings.encoder,
        "attention": settings.attention,
        "head": settings.head,
        "temperature": settings.temperature,
        "vividness": settings.vividness,
    }
