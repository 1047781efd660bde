"""AdaIN: a network that paints photographs in any manner it is shown (Huang and Belongie, ICCV 2017).

The losses are the paper's, each relative to what it aims at, so that the weight of 10 means the same with any encoder:
content to the variance of the features aimed at, style, layer by layer, to the mean square of the painting's features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from translate.config import Direction, Role
from translate.data.batch import Batch
from translate.errors import CheckpointError, ConfigError
from translate.features import find_features, weights
from translate.features.vgg import Vgg
from translate.methods.base import Method, Turn
from translate.methods.likeness import hash_of, read_painting
from translate.methods.set_scores import translation_scores
from translate.methods.style_settings import AdainSettings, at_hand, settled
from translate.networks.adain import AdaIN, Moments, adapted, moments
from translate.networks.blocks import mirrored_to_fit
from translate.networks.init import initialise
from translate.style.base import SMALLEST, exact
from translate.style.content import content_loss

SHOWN = 16
"""Paintings, at most, whose mean statistics are the style of a model file that is given none."""
ENCODERS = ("vgg19", "vgg16")
"""What features=auto takes, best first."""


class Adain(Method):
    """Needs two folders, photographs and paintings, and weights of VGG. The decoder is trained."""

    settings = AdainSettings
    source = "unpaired"
    knows_truth = True
    use = "translate stylize INPUT PAINTING --out OUTPUT --model {run}"
    guarded = frozenset({"style", "features"})
    in_colour = True
    usual: ClassVar = {"batch_size": 8, "preprocess": "scale_shortest"}

    def __init__(self, settings: AdainSettings, channels: tuple[int, int], size: int, direction: Direction) -> None:
        nn.Module.__init__(self)
        if channels != (3, 3):
            raise ConfigError(f"AdaIN is learned on pictures of 3 channels; domains A and B have {channels}.")
        self.config = settings
        self.direction = direction
        self.channels = channels
        encoder = _encoder(settings)
        self.generator = _network(encoder, settings)
        self.encoder_key, self.encoder_about = encoder.key, encoder.about
        self.shown, self.painting_key = 0, ""
        if settings.style is not None:
            painting = read_painting(settings.style, size, settings.style_scale)
            self.painting_key = hash_of(painting)
            self.generator.take(self.generator.style_of([painting]))
        self.notices = (f"The encoder is {encoder.about}, up to {_deepest(encoder, settings.layer)}.",)

    @staticmethod
    def settled(settings: AdainSettings) -> AdainSettings:
        return settled(settings, ENCODERS, "auto")

    def begin(self, images: Callable[[int], Iterator[Batch]]) -> None:
        paintings: list[Tensor] = []
        for batch in images(SHOWN):
            painting = batch.oriented(self.direction)[1]
            if not any(torch.equal(painting, other) for other in paintings):  # the smaller folder comes round again
                paintings.append(painting)
        self.shown = len(paintings)
        self.generator.scale_decoder(paintings)
        if self.config.style is None:
            self.generator.take(self.generator.style_of(paintings))

    def get_extra_state(self) -> dict[str, str]:
        """Which encoder the decoder is trained with, and the painting: a resumed run must have the same."""
        return {"key": self.encoder_key, "about": self.encoder_about, "painting": self.painting_key}

    def set_extra_state(self, state: dict[str, str]) -> None:
        if state["key"] != self.encoder_key:
            raise CheckpointError(
                f"The run was trained with the encoder {state['about']}, and now it would be {self.encoder_about} with "
                "other weights. Put those back (--set features=FILE says where they are), or choose another --name."
            )
        if state["painting"] != self.painting_key:
            raise CheckpointError(
                "The run was begun with another painting, or with none where there is one now. Put that back (--set "
                "style=FILE says where it is), or choose another --name; `translate stylize --model` takes any."
            )

    def described(self) -> dict[str, Any]:
        given = self.config.style
        style = given.name if given else f"the mean of {self.shown} of the paintings that were trained on"
        return {"origin": f"style: {style}; encoder: {self.encoder_about}"}

    def optimizers(self) -> dict[str, Optimizer]:
        betas = (self.config.beta1, self.config.beta2)
        return {"G": Adam(self.generator.trained.parameters(), lr=self.config.learning_rate, betas=betas, fused=True)}

    def compile_networks(self) -> None:
        for layer in self.generator.trained:
            layer.compile(dynamic=False)

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        content, style = self._losses(self.generator, *batch.oriented(self.direction))
        yield Turn("G", {"content": content.mean(), "style": style.mean()})

    def _losses(self, network: AdaIN, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted, of each image (N,): how far from the features aimed at, and from the style."""
        with torch.no_grad():
            aim, style = _aimed(network, source, target)
        found = network.encode(network.decode(aim))
        with exact(source):
            content = content_loss(found[-1], aim)
            apart = [_apart(moments(values.to(source)), wanted) for values, wanted in zip(found, style, strict=True)]
            return self.config.content * content, self.config.style_loss * torch.stack(apart).sum(dim=0)

    def generators(self) -> dict[Role, nn.Module]:
        return {self.direction: self.generator}

    # Held-out pictures

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        ((way, source, made, target),) = self.translated(batch, generators)
        network = cast(AdaIN, generators[self.direction])
        fit = mirrored_to_fit(network, source)
        top, left = ((a - b) // 2 for a, b in zip(fit.shape[2:], source.shape[2:], strict=True))
        painted = network.decode(_aimed(network, source, target)[0])
        painted = painted[..., top : top + source.shape[2], left : left + source.shape[3]]
        return {way[0]: source, way[-1]: target, f"in the manner of {way[-1]}": painted, "as in the model": made}

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        """Content, style and their sum, weighted, of held-out photographs, each with a held-out painting."""
        found: list[tuple[Tensor, Tensor]] = []
        for batch in batches:
            losses = self._losses(cast(AdaIN, generators[self.direction]), *batch.oriented(self.direction))
            found.append((losses[0].cpu(), losses[1].cpu()))
        content, style = (float(torch.cat(each).mean()) for each in zip(*found, strict=True))
        way = self.direction
        return {f"{way}/content": content, f"{way}/style": style, f"{way}/total": content + style}

    def quality(self, scores: Mapping[str, float]) -> float:
        return -scores[f"{self.direction}/total"]

    def probe(
        self, seen: Sequence[Batch], held: Sequence[Batch], generators: Mapping[Role, nn.Module]
    ) -> dict[str, float]:
        """Do outputs depend on inputs? A painting may turn light to dark: that is no sign."""
        pairs = [(source, made) for batch in held for _, source, made, _ in self.translated(batch, generators)]
        found = translation_scores(pairs)
        return {f"{name}_{self.direction}": found[name] for name in ("dependence", "checkerboard") if name in found}


def _aimed(network: AdaIN, source: Tensor, target: Tensor) -> tuple[Tensor, list[Moments]]:
    """Features of `source` with the statistics of `target`, image by image; and what those are at each layer."""
    own = network.encode(mirrored_to_fit(network, source))[-1]
    style = [moments(values) for values in network.encode(mirrored_to_fit(network, target))]
    return adapted(own, style[-1]), style


def _apart(found: Moments, wanted: Moments) -> Tensor:
    """Mean square differences of means and of deviations, (N, C) each, relative to the mean square wanted: (N,)."""
    off = (found.mean - wanted.mean).square() + (found.deviation - wanted.deviation).square()
    size = wanted.mean.square() + wanted.deviation.square()
    return off.mean(dim=1) / size.mean(dim=1).clamp(min=SMALLEST)


def _encoder(settings: AdainSettings) -> Vgg:
    """VGG's features; raises ConfigError, saying what would do, for others."""
    name = at_hand(ENCODERS) if settings.features == "auto" else settings.features
    if not name:
        raise ConfigError(
            f"AdaIN's encoder is VGG, and no weights of it are at hand. {weights.remedy('vgg19')} to "
            f"{weights.place('vgg19')}; --set features=FILE takes weights from a file. --mode style needs none."
        )
    found = find_features(name, pooling="auto" if name == "patch" else settings.pooling)
    if not isinstance(found, Vgg):
        raise ConfigError(
            f"AdaIN's encoder is VGG, whose mirror image can be built, and not {found.name}: --set features=vgg19, "
            "vgg16 or a file of VGG's weights."
        )
    return found


def _deepest(encoder: Vgg, layer: str) -> str:
    """The layer asked for; auto: relu4_1, or the last first one of a size that there is before it."""
    there = [name for name in ("relu4_1", "relu3_1", "relu2_1", "relu1_1") if name in encoder.layers]
    if layer == "auto":
        return there[0]
    if layer not in there:
        raise ConfigError(f"{encoder.about} has no {layer}: --set layer={there[0]}.")
    return layer


def _network(encoder: Vgg, settings: AdainSettings) -> AdaIN:
    """An encoder with given weights, and a decoder with fresh ones."""
    last = encoder.layers.index(_deepest(encoder, settings.layer))
    kept = [
        stage for name, stage in zip(encoder.names, encoder.stages, strict=True) if name in encoder.layers[: last + 1]
    ]
    stages: dict[str, list[int]] = {}
    for name, stage in zip(encoder.layers, kept, strict=False):
        stages.setdefault(name[len("relu")], []).append(len(cast(Tensor, stage.weight)))
    network = AdaIN(3, 3, stages=list(stages.values()), pooling=settings.pooling, strength=settings.strength)
    initialise(network, settings.init, settings.init_gain)
    flat = [layer.conv for stage in network.encoder for layer in cast(nn.ModuleList, stage)]
    with torch.no_grad():
        for layer, given in zip([network.entry, *flat], [encoder.entry, *kept], strict=True):
            cast(nn.Conv2d, layer).weight.copy_(cast(Tensor, given.weight))
            cast(Tensor, cast(nn.Conv2d, layer).bias).copy_(cast(Tensor, given.bias))
    network.requires_grad_(False)
    network.trained.requires_grad_(True)
    return network
