"""The judge of an adversarial game: its objective, penalties and constraints, as loss terms and as signs of health."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from translate.methods.settings import AdversarialSettings
from translate.objectives import OBJECTIVES
from translate.objectives.base import Targets
from translate.objectives.constraints import clip_weights
from translate.objectives.penalties import PENALTIES

Discriminate = Callable[[Tensor], Tensor]


class Judged(NamedTuple):
    """D's weighted loss terms, and scalars that say how it fares; the latter carry no gradient."""

    losses: dict[str, Tensor]
    signals: dict[str, Tensor]


class Judge(nn.Module):
    """Holds no weights, but the state of an objective that has one (BEGAN's k).

    `halved`: D's terms are halved, as both translators' papers do to slow D down; not beside a penalty, whose weight
    is balanced against the whole of them (Gulrajani et al. 2017). `together`: made and real images of one shape may go
    through the discriminator in one pass.
    """

    def __init__(self, settings: AdversarialSettings, *, halved: bool = True, together: bool = False) -> None:
        super().__init__()
        kind = OBJECTIVES[settings.objective]
        options = {name: getattr(settings, name) for name in kind.options}
        self.objective = kind(**{name: value for name, value in options.items() if value is not None})
        self.penalties = settings.penalties
        self.every = settings.penalty_every
        self.together = together
        self.weight_clip = settings.weight_clip
        self.share = 0.5 if halved and not self.penalties else 1.0

    @property
    def compilable(self) -> bool:
        """Whether torch.compile can take the discriminator: not where a loss holds its gradient."""
        return not self.penalties

    def discriminator(self, discriminate: Discriminate, real: Tensor, fake: Tensor, index: int = 0) -> Judged:
        """What D lowers on `real` and `fake` (detached) at step `index`."""
        if self.together and fake.shape == real.shape:
            judged, seen = discriminate(torch.cat([fake.to(real.dtype), real])).split([len(fake), len(real)])
        else:
            # Fakes first, as in the published training: batch norm's running statistics depend on the order.
            judged = discriminate(fake)
            seen = discriminate(real)
        losses = self.terms(seen, judged) | self.penalise(discriminate, real, fake, index)
        return Judged(losses, self.signals(seen, judged, real, fake))

    def generator(self, discriminate: Discriminate, real: Tensor, fake: Tensor) -> Tensor:
        """G's adversarial loss."""
        seen = discriminate(real) if self.objective.pairs else None
        return self.objective.generator(real=seen, fake=discriminate(fake))

    def terms(self, seen: Tensor, judged: Tensor, targets: Targets | None = None) -> dict[str, Tensor]:
        """The objective's terms of D's answers on real (`seen`) and made (`judged`) images."""
        soft = {} if targets is None else {"targets": targets}
        return {
            name: self.share * term
            for name, term in self.objective.discriminator(real=seen, fake=judged, **soft).items()
        }

    def penalise(self, discriminate: Discriminate, real: Tensor, fake: Tensor, index: int = 0) -> dict[str, Tensor]:
        """The penalties due at step `index`, weighted."""
        if index % self.every:
            return {}
        terms = [weight * PENALTIES[name](discriminate, real, fake) for name, weight in self.penalties.items()]
        return {"penalty": self.every * torch.stack(terms).sum()} if terms else {}

    def constrain(self, discriminator: nn.Module) -> None:
        """Bring D's weights back to where they may be; to be called after its turn."""
        if self.weight_clip:
            clip_weights(discriminator, self.weight_clip)

    @torch.no_grad()
    def signals(self, seen: Tensor, judged: Tensor, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Mean scores, accuracy, the range of the real images, and how far the fakes differ from each other.

        spread is the fakes' mean deviation over the batch, pixel by pixel, over that of the real images; of batches of
        one there is none. accuracy is the share of pairs of a real and a made image (or patch) in which D finds the
        real one more real, ties counted half: 1/2 is a D that knows nothing, whatever scale the objective has. BEGAN
        wants a fake's energy at gamma times a real one's: there that is the tie.
        """
        seen, judged = seen.detach().float(), judged.detach().float()
        scores = {"score_real": seen.mean(), "score_fake": judged.mean()}
        count = min(len(seen), len(judged))
        seen = getattr(self.objective, "gamma", 1.0) * seen
        gap = seen[:count] - judged[:count] if seen.shape[1:] == judged.shape[1:] else seen.mean() - judged.mean()
        gap = -gap if self.objective.energy else gap
        accuracy = (torch.sign(gap).mean() + 1) / 2
        low, high = torch.aminmax(real.detach())
        spread = {"spread": _deviation(fake) / _deviation(real).clamp(min=1e-6)} if count > 1 else {}
        return scores | {"accuracy": accuracy, "low": low.float(), "high": high.float()} | spread


def _deviation(images: Tensor) -> Tensor:
    return images.detach().float().std(dim=0).mean()
