"""Style: a network that paints photographs in the manner of one painting (Johnson, Alahi, Fei-Fei, ECCV 2016).

With instance norm (Ulyanov, Vedaldi, Lempitsky 2016) and resize-convolutions (Odena et al. 2016). The losses are those
of `translate stylize`, relative to painting and photograph, and not the paper's sums: see translate.methods.likeness.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from translate import networks
from translate.config import Direction, Role
from translate.data.batch import Batch
from translate.errors import CheckpointError, ConfigError
from translate.features import find_features, weights
from translate.methods.base import Method, Turn
from translate.methods.likeness import MANY, Likeness, Losses, read_painting
from translate.methods.set_scores import translation_scores
from translate.methods.style_settings import StyleSettings, settled
from translate.networks.blocks import translate_any_size
from translate.networks.init import initialise
from translate.style import find_statistic, make_recipe


class Weights(NamedTuple):
    """Of the parts of Losses."""

    content: float
    style: float
    variation: float


class Style(Method):
    """Needs one folder of photographs, 100 are enough, and a painting: --set style=FILE."""

    settings = StyleSettings
    source = "single"
    knows_truth = True
    guarded = frozenset({"style", "features"})
    in_colour = True
    usual: ClassVar = {"batch_size": 4, "preprocess": "scale_shortest"}

    def __init__(self, settings: StyleSettings, channels: tuple[int, int], size: int, direction: Direction) -> None:
        nn.Module.__init__(self)
        if channels[0] != 3:
            raise ConfigError(f"Style is learned on pictures of 3 channels; these have {channels[0]}.")
        if direction != "AtoB":
            raise ConfigError("Photographs become paintings, not the other way: leave --direction out.")
        self.config = settings
        self.channels = channels
        arguments = {name: getattr(settings, name) for name in ("width", "blocks", "norm", "upsampling")}
        self.generator = networks.build("resnet", {"in_channels": 3, "out_channels": 3} | arguments)
        initialise(self.generator, settings.init, settings.init_gain)
        # In a tuple: no part of the model, nor of what a resumed run needs.
        self._frozen = (_likeness(settings, size),)
        usual = self.likeness.features.usual_weights
        self.weights = Weights(
            usual[0] if settings.content is None else settings.content,
            settings.strength,
            usual[1] if settings.variation is None else settings.variation,
        )
        self.notices = (self.likeness.about,)

    @staticmethod
    def settled(settings: StyleSettings) -> StyleSettings:
        return settled(settings, weights.KINDS, "patch")

    @property
    def likeness(self) -> Likeness:
        """What pictures are judged by."""
        return self._frozen[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.likeness._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def get_extra_state(self) -> dict[str, str]:
        """What the run is judged by: a resumed one must not be judged by anything else."""
        return {"key": self.likeness.key, "about": self.likeness.about}

    def set_extra_state(self, state: dict[str, str]) -> None:
        if state["key"] != self.likeness.key:
            before = state["about"]
            why = f"{before} Now it would be: {self.likeness.about}" if before != self.likeness.about else before
            raise CheckpointError(
                f"The run was trained with other weights or another painting. {why} Put those back "
                "(--set style=FILE and features=FILE say where they are), or choose another --name."
            )

    def described(self) -> dict[str, Any]:
        return {"origin": f"painted in the manner of {cast(Path, self.config.style).name}. {self.likeness.about}"}

    def optimizers(self) -> dict[str, Optimizer]:
        betas = (self.config.beta1, self.config.beta2)
        return {"G": Adam(self.generator.parameters(), lr=self.config.learning_rate, betas=betas, fused=True)}

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        made = translate_any_size(self.generator, batch.a)
        yield Turn("G", {name: value.mean() for name, value in self._weighed(self.likeness(made, batch.a)).items()})

    def _weighed(self, losses: Losses) -> dict[str, Tensor]:
        """The parts of the total; without those of no weight, which still took part in the drawing."""
        parts = zip(Losses._fields, self.weights, losses, strict=True)
        return {name: weight * loss for name, weight, loss in parts if weight or name == "style"}

    def generators(self) -> dict[Role, nn.Module]:
        return {"AtoB": self.generator}

    # Held-out pictures

    def translated(
        self, batch: Batch, generators: Mapping[Role, nn.Module]
    ) -> Iterator[tuple[Direction, Tensor, Tensor, Tensor]]:
        yield "AtoB", batch.a, translate_any_size(generators["AtoB"], batch.a), batch.a

    def preview(self, batch: Batch, generators: Mapping[Role, nn.Module]) -> dict[str, Tensor]:
        ((_, source, made, _),) = self.translated(batch, generators)
        painting = F.interpolate(self.likeness.painting, source.shape[2:], mode="area").to(source)
        return {"A": source, "painted": made, "painting": painting.expand_as(source)}

    def evaluate(self, batches: Iterator[Batch], generators: Mapping[Role, nn.Module]) -> dict[str, float]:
        """Content, style and the weighted total, as `translate stylize` counts them."""
        found: dict[str, list[Tensor]] = {"content": [], "style": [], "total": []}
        draw = torch.Generator().manual_seed(0)  # the same at every look
        for batch in batches:
            ((_, source, made, _),) = self.translated(batch, generators)
            losses = self.likeness(made, source, draw, MANY)
            total = torch.stack(list(self._weighed(losses).values())).sum(dim=0)
            for name, value in (("content", losses.content), ("style", losses.style), ("total", total)):
                found[name].append(value.cpu())
        return {f"AtoB/{name}": float(torch.cat(each).mean()) for name, each in found.items()}

    def quality(self, scores: Mapping[str, float]) -> float:
        return -scores["AtoB/total"]

    def probe(
        self, seen: Sequence[Batch], held: Sequence[Batch], generators: Mapping[Role, nn.Module]
    ) -> dict[str, float]:
        """Do outputs depend on inputs, where they should? A painting may turn light to dark: that is no sign."""
        pairs = [(source, made) for batch in held for _, source, made, _ in self.translated(batch, generators)]
        found = translation_scores(pairs)
        wanted = ("dependence", "checkerboard") if self.weights.content else ("checkerboard",)
        return {f"{name}_AtoB": found[name] for name in wanted if name in found}


def _likeness(settings: StyleSettings, size: int) -> Likeness:
    if settings.style is None:
        raise ConfigError("--mode style needs a painting: --set style=FILE names it.")
    features = find_features(settings.features, pooling=settings.pooling)
    chosen = features.usual_statistic if settings.statistic == "auto" else settings.statistic
    # What is usual of patches is for a picture that grows: a network sees pictures of one size.
    style_layers = settings.style_layers or (features.layers if features.sampled else ())
    recipe = make_recipe(features, find_statistic(chosen), style_layers, settings.content_layers)
    return Likeness(recipe, read_painting(settings.style, size, settings.style_scale), size)
