"""CycleGAN: unpaired image-to-image translation with cycle-consistent adversarial networks (Zhu et al., ICCV 2017)."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from translate.config import Direction, Role
from translate.data.batch import Batch
from translate.methods import parts
from translate.methods.base import Method, Turn
from translate.methods.judge import Judge, Judged
from translate.methods.pool import ImagePool
from translate.methods.settings import TranslatorSettings


class CycleSettings(TranslatorSettings):
    """The paper's defaults: two ResNet-9, two 70x70 PatchGANs, least squares, cycle 10/10, identity 0.5, pool 50."""

    generator: Literal["unet", "resnet"] = Field("resnet", description="Generator network.")
    cycle_a: float = Field(10.0, ge=0, description="Weight of the cycle A to B to A.")
    cycle_b: float = Field(10.0, ge=0, description="Weight of the cycle B to A to B.")
    identity: float = Field(0.5, ge=0, description="Identity loss, as a share of the cycle weights; 0: none.")
    pool: int = Field(50, ge=0, description="Past fakes that the discriminators are shown again; 0: none.")


class Cycle(Method):
    """Needs two folders. Both directions are trained, both generators first, then both discriminators."""

    settings = CycleSettings
    source = "unpaired"

    def __init__(self, settings: CycleSettings, channels: tuple[int, int], size: int, direction: Direction) -> None:
        nn.Module.__init__(self)
        self.config = settings
        self.direction = direction
        self.channels = channels
        a, b = channels
        self.a_to_b = parts.make_generator(settings, a, b, size)
        self.b_to_a = parts.make_generator(settings, b, a, size)
        self.discriminator_a = parts.make_discriminator(settings, a, size)
        self.discriminator_b = parts.make_discriminator(settings, b, size)
        self.pool_a = ImagePool(settings.pool)
        self.pool_b = ImagePool(settings.pool)
        self.judge = Judge(settings, together=parts.together(settings, self.discriminator_a))
        self.takes_bf16 = self.graphable = self.compilable = self.judge.compilable
        # An image of one channel count cannot stay what it is in a domain of another.
        self.identity = settings.identity if a == b else 0.0
        if settings.identity and a != b:
            self.notices = (f"The identity loss is off: domain A has {a} channels, domain B has {b}.",)

    def optimizers(self) -> dict[str, Optimizer]:
        rates = parts.rates(self.config)
        return {
            "G": parts.adam(self.config, rates["G"], self.a_to_b, self.b_to_a),
            "D": parts.adam(self.config, rates["D"], self.discriminator_a, self.discriminator_b),
        }

    def step(self, batch: Batch, index: int) -> Iterator[Turn]:
        real_a, real_b = batch.oriented("AtoB")
        fake_b, same_b = self._translate_and_keep(self.a_to_b, real_a, real_b)
        fake_a, same_a = self._translate_and_keep(self.b_to_a, real_b, real_a)
        (again_a,) = parts.run(self.b_to_a, fake_b)
        (again_b,) = parts.run(self.a_to_b, fake_a)
        losses = {
            "gan_b": self.judge.generator(self.discriminator_b, real_b, fake_b),
            "gan_a": self.judge.generator(self.discriminator_a, real_a, fake_a),
            "cycle_a": self.config.cycle_a * _l1(again_a, real_a),
            "cycle_b": self.config.cycle_b * _l1(again_b, real_b),
        }
        if same_a is not None and same_b is not None:
            losses["identity_a"] = self.identity * self.config.cycle_a * _l1(same_a, real_a)
            losses["identity_b"] = self.identity * self.config.cycle_b * _l1(same_b, real_b)
        yield Turn("G", losses)

        past_a, past_b = self.pool_a.exchange(fake_a.detach()), self.pool_b.exchange(fake_b.detach())
        on_a = self.judge.discriminator(self.discriminator_a, real_a, past_a, index)
        on_b = self.judge.discriminator(self.discriminator_b, real_b, past_b, index)
        (losses_a, signals_a), (losses_b, signals_b) = _of(on_a, "a"), _of(on_b, "b")
        yield Turn("D", losses_a | losses_b, signals_a | signals_b)
        self.judge.constrain(self.discriminator_a)
        self.judge.constrain(self.discriminator_b)

    def _translate_and_keep(self, generator: nn.Module, source: Tensor, own: Tensor) -> tuple[Tensor, Tensor | None]:
        """Translate `source`, and `own`, already in the target domain, if there is an identity loss."""
        if not self.identity:
            return parts.run(generator, source)[0], None
        fake, same = parts.run(generator, source, own)
        return fake, same

    def generators(self) -> dict[Role, nn.Module]:
        return {"AtoB": self.a_to_b, "BtoA": self.b_to_a}

    def answers(self, batch: Batch) -> Sequence[Tensor]:
        judges = zip((self.discriminator_a, self.discriminator_b), batch.oriented("AtoB"), strict=True)
        return [judge(images).flatten(1).mean(dim=1) for judge, images in judges]


def _of(judged: Judged, domain: str) -> Judged:
    """The same, each name with its domain."""
    return Judged(*({f"{name}_{domain}": value for name, value in part.items()} for part in judged))


def _l1(one: Tensor, other: Tensor) -> Tensor:
    return F.l1_loss(one.to(other.dtype), other)
