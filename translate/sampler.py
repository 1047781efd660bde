"""A generator ready to make images from noise: picture i of a seed is always the same, whatever is made beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from translate import checkpoint, latent
from translate.checkpoint import About
from translate.config import near_miss
from translate.errors import CheckpointError, ConfigError, NotFiniteError
from translate.networks.blocks import per_image_statistics
from translate.networks.samplers import Sampler as Network
from translate.training.execution import choose_device

Label = str | int
SMALL, MANY, FEW = 128, 16, 4
"""Images of up to 128 pixels are computed 16 at a time, larger ones 4 at a time: what one core is fastest with."""


class Starts(NamedTuple):
    """What images are made of: noise (N, latent), labels (N,) and codes (N, K), or None for a network without."""

    noise: Tensor
    labels: Tensor | None
    codes: Tensor | None


@dataclass(frozen=True)
class _Asked:
    """The pictures of a seed, with what was fixed of them; `labels` and rows of `codes` are used in turn."""

    seed: int
    truncation: float | None
    labels: tuple[int, ...]
    codes: Tensor | None


class Sampler:
    """A generator from noise, from a run folder or a model file of `--mode dcgan`; may be used by several threads.

    labels     names of its classes; of categories that InfoGAN found without names, their numbers; () if it has none
    size       pixels a side
    channels   of its images
    about      what the model file says of itself

    Images are float (N, C, size, size) in [-1, 1] on the CPU (points of a network `mlp` may lie beyond). Image i is a
    function of (seed, i) and of what is asked of it: the network always sees batches of one shape, filled up where
    fewer are left, for libraries choose their way to compute by the shape. On a CPU that holds bit for bit, for one
    version of torch and one number of threads.
    """

    def __init__(self, path: str | PathLike[str], device: str = "auto") -> None:
        """`device` is as in `translate.load`. Raises CheckpointError for what is no model or one that translates."""
        self.device = choose_device(device)
        found = checkpoint.find_model(Path(path))
        model = checkpoint.load_model(found)
        if "noise" not in model.networks:
            raise CheckpointError(
                f"{found} translates images ({model.about.mode}), and makes none from noise: use `translate convert`."
            )
        own = model.networks["noise"]
        if model.about.statistics == "image":
            own = per_image_statistics(own)
        self._network = cast(Network, own.to(self.device).eval())
        self.about: About = model.about
        self.size, self.channels = self._network.size, self._network.out_channels
        classes = self._network.classes
        named = tuple(model.about.labels)
        self.labels: tuple[str, ...] = named if len(named) == classes else tuple(map(str, range(classes)))
        self._rows = MANY if self.size <= SMALL else FEW

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        first: int = 0,
        label: Label | Sequence[Label] | None = None,
        truncation: float | None = None,
        codes: Sequence[float] | Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Tensor:
        """Images `first` to `first + count - 1` of `seed`, (count, C, size, size).

        `label` is one of `labels` as a str, or the place of one as an int, from 0 on; "9" is the class of that name
        wherever it stands. Of several of them image i has number i modulo their count; None: each image draws its class
        from all of them evenly. `codes` (K,) are InfoGAN's continuous codes; several rows (M, K) are used in turn, too;
        None: drawn evenly from [-1, 1], which is what the network knows, though Chen et al. (2016) show codes from -2
        to 2. `truncation` is what `latent.truncate` takes. Raises ConfigError for what the model does not have or that
        will not do, NotFiniteError if a value that comes out is not finite.
        """
        return torch.cat(
            list(self.batches(count, seed=seed, first=first, label=label, truncation=truncation, codes=codes))
        )

    def batches(
        self,
        count: int,
        *,
        seed: int = 0,
        first: int = 0,
        label: Label | Sequence[Label] | None = None,
        truncation: float | None = None,
        codes: Sequence[float] | Sequence[Sequence[float]] | Tensor | None = None,
    ) -> Iterator[Tensor]:
        """The images of `sample` in batches, one after the other, so that millions of them need no memory."""
        _check_numbers(count=(count, 1), first=(first, 0))
        asked = self._asked(seed, truncation, label, codes)
        places = range(first, first + count)
        return (self._images(self._starts(asked, places[at : at + self._rows])) for at in range(0, count, self._rows))

    def interpolate(
        self,
        points: int,
        frames: int,
        *,
        seed: int = 0,
        first: int = 0,
        label: Label | Sequence[Label] | None = None,
        truncation: float | None = None,
        codes: Sequence[float] | Sequence[Sequence[float]] | Tensor | None = None,
        loop: bool = False,
    ) -> Iterator[Tensor]:
        """Images on the way between `points` images of `sample`, path after path, `frames` a path, in batches.

        Paths lead from each image to the next one: points - 1 of them, with both ends. With `loop` one more leads back
        to the first, and a path ends one frame before the next point, so that a film of all runs round without a halt.
        Noise follows the great circle (White 2016), codes the straight line; a path has the class of its start, and its
        first frame is that image of `sample`. All paths at once: torch.cat(list(...)).unflatten(0, (-1, frames)).
        Raises as `sample` does.
        """
        _check_numbers(points=(points, 2), frames=(frames, 1 if loop else 2), first=(first, 0))
        asked = self._asked(seed, truncation, label, codes)
        steps = frames if loop else frames - 1
        total = frames * (points if loop else points - 1)

        def between(places: range) -> Tensor:
            here = [first + place // frames for place in places]
            there = [first + (place // frames + 1) % points for place in places]
            shares = torch.tensor([place % frames / steps for place in places], dtype=torch.float64)
            return self._images(_between(self._starts(asked, here), self._starts(asked, there), shares.float()))

        return (between(range(at, min(at + self._rows, total))) for at in range(0, total, self._rows))

    def _asked(self, seed: int, truncation: float | None, label: Label | Sequence[Label] | None, codes: Any) -> _Asked:
        _check_numbers(seed=(seed, 0))
        if truncation is not None and (isinstance(truncation, bool) or not isinstance(truncation, Real)):
            raise ConfigError(f"truncation={truncation!r} will not do: a number above 0; 2 changes little, 0.5 much.")
        labels: list[Label] = []
        if label is not None:
            several = isinstance(label, Sequence) and not isinstance(label, str)
            labels = list(cast(Sequence[Label], label)) if several else [cast(Label, label)]
            if not labels:
                raise ConfigError("label=() names no class: leave it out for all of them.")
        asked = _Asked(seed, truncation, tuple(map(self._number, labels)), self._checked_codes(codes))
        self._starts(asked, [0])  # raises now, not when the first image is taken
        return asked

    def _number(self, label: Label) -> int:
        """The number of the class `label`: text is a name, an int a number."""
        if not self.labels:
            raise ConfigError(f"label={label!r}: this model was trained without labels; leave it out.")
        if isinstance(label, str):
            if label in self.labels:
                return self.labels.index(label)
            shown = ", ".join(self.labels[:12]) + ", ..."
            known = near_miss(label, self.labels) or f" It has {len(self.labels)}: {shown}"
            raise ConfigError(f"This model has no label {label!r}.{known}")
        if isinstance(label, bool) or not isinstance(label, Integral):
            raise ConfigError(f"label={label!r} will not do: the name of a class as a str, or its number as an int.")
        if label not in range(len(self.labels)):
            raise ConfigError(f"This model has no label {label}: its numbers go from 0 to {len(self.labels) - 1}.")
        return int(label)

    def _checked_codes(self, codes: Any) -> Tensor | None:
        """`codes` as (M, K) of floats."""
        if codes is None:
            return None
        wanted = self._network.continuous
        if not wanted:
            raise ConfigError(
                f"codes={_shown(codes)}: this model was trained without continuous codes; leave them out."
            )
        takes = ConfigError(
            f"codes={_shown(codes)} will not do: this model takes {wanted} finite numbers, or rows of them."
        )
        try:
            given = torch.as_tensor(codes).detach().cpu()
        except (TypeError, ValueError, RuntimeError):
            raise takes from None
        rows = given[None].float() if given.ndim == 1 else given.float()
        if given.dtype == torch.bool or given.is_complex():
            raise takes
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != wanted or not rows.isfinite().all():
            raise takes
        return rows

    def _starts(self, asked: _Asked, indices: Sequence[int]) -> Starts:
        """What the images `indices` of the seed are made of, on the CPU."""
        own = self._network
        noise = latent.draw_each(
            self.about.noise,
            asked.seed,
            indices,
            own.latent,
            spherical=self.about.spherical,
            truncation=asked.truncation,
        )
        labels = codes = None
        if own.classes:
            labels = torch.tensor([_label(asked, index, own.classes) for index in indices])
        if own.continuous:
            codes = torch.stack([_codes(asked, index, own.continuous) for index in indices])
        return Starts(noise, labels, codes)

    @torch.no_grad()
    def _images(self, starts: Starts) -> Tensor:
        count = len(starts.noise)
        parts = (None if part is None else _filled(part, self._rows).to(self.device) for part in starts)
        images: Tensor = self._network(*parts)[:count].float().cpu()
        if not images.isfinite().all():
            raise NotFiniteError("The model makes values that are not finite: its training went wrong. Train it again.")
        return images


def _label(asked: _Asked, index: int, classes: int) -> int:
    if asked.labels:
        return asked.labels[index % len(asked.labels)]
    return int(torch.randint(classes, (1,), generator=latent.generator_of(asked.seed, index, "labels")))


def _codes(asked: _Asked, index: int, count: int) -> Tensor:
    if asked.codes is not None:
        return asked.codes[index % len(asked.codes)]
    return torch.rand(count, generator=latent.generator_of(asked.seed, index, "codes")) * 2 - 1


def _between(a: Starts, b: Starts, shares: Tensor) -> Starts:
    """The starts at `shares` (N,) of the way from `a` to `b`, at 0 and 1 exactly these."""
    share = shares[:, None]
    noise = latent.slerp(a.noise, b.noise, shares)
    # Where the arc is computed, its ends are rounded.
    noise = torch.where(share == 0, a.noise, torch.where(share == 1, b.noise, noise))
    codes = None if a.codes is None or b.codes is None else torch.lerp(a.codes, b.codes, share)
    return Starts(noise, a.labels, codes)


def _filled(part: Tensor, rows: int) -> Tensor:
    """`part` (N, ...) with its first row again and again, up to `rows`."""
    missing = rows - len(part)
    return torch.cat([part, part[:1].expand(missing, *part.shape[1:])]) if missing else part


def _check_numbers(**given: tuple[int, int]) -> None:
    """Raise ConfigError for the first of {name: (value, least)} that is no whole number or below its least."""
    for name, (value, least) in given.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ConfigError(f"{name}={value!r} will not do: a whole number, {least} or more.")
        if value < least:
            raise ConfigError(f"{name}={value} will not do: {least} or more.")


def _shown(codes: Any) -> Any:
    return codes.tolist() if isinstance(codes, Tensor) else codes
