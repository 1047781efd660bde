"""Repaint a picture or a folder in the manner of paintings: what `translate stylize` does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from translate import distributed
from translate.config import ConvertSettings, StylingSettings
from translate.convert import Summary, Watch, convert
from translate.convert.plan import Plan
from translate.engines.unchanged import Unchanged
from translate.errors import ConfigError
from translate.features import Features, find_features, weights
from translate.loading import load
from translate.stylize.kinds import Progress
from translate.stylize.masks import NONE, Places
from translate.stylize.paintings import Painting, check_counts, listed, make_style
from translate.stylize.restyling import Follow, Painter, Restyling
from translate.stylize.stylizer import Stylizer
from translate.stylize.watching import Frames
from translate.training.execution import choose_device
from translate.translator import IDENTITY

Notice = Callable[[str], None]


def stylize_folder(
    source: str | PathLike[str],
    styles: Sequence[Painting],
    target: str | PathLike[str],
    *,
    styling: StylingSettings,
    device: str = "auto",
    download: bool = False,
    watch: Watch | None = None,
    follow: Follow | None = None,
    frames: Frames | None = None,
    **settings: Any,
) -> Summary:
    """Repaint every image under `source` into `target`, as `convert` translates them, with its settings and errors.

    `styles` are as `make_stylizer` takes them; `follow` hears how each picture gets on, `frames` saves it under way.
    With `sequence` each frame goes on from the output before it. Raises DataError for a painting that cannot be read,
    ConfigError for settings that will not do, CheckpointError for features whose weights are not at hand.
    """
    watch = watch or Watch()
    plain = ConvertSettings.checked(settings)
    if plain.sequence and distributed.world() > 1:
        raise ConfigError(
            f"The frames of a --sequence follow from each other: one process paints them, not {distributed.world()}. "
            "Start it without torchrun."
        )
    plan = Plan(Path(source), Path(target), plain, channels=3)  # its errors before anything is downloaded
    if frames:
        frames.refuse_input(plan.source)
        frames.refuse_output(plan)
    paintings = listed(styles, without=[*outputs_of(plan), *([frames.folder] if frames else [])])
    check_counts(len(paintings), styling)
    places = places_of(styling, len(paintings))
    painter: Painter
    if plain.dry_run and download and _lacking(styling.features):
        painter = _unfetched(paintings, styling, device, watch.notice)
    else:
        if frames and not plain.dry_run:
            frames.make()
        painter = make_stylizer(paintings, styling, device, watch.notice, download=download)
    return paint_folder(
        painter, places, source, target, styling=styling, watch=watch, follow=both(follow, frames), **settings
    )


def outputs_of(plan: Plan) -> list[Path]:
    """The folder that all outputs go into; of a single picture, its output."""
    return [next(plan.jobs()).target] if plan.single else [plan.target]


def paint_folder(
    painter: Painter,
    places: Places,
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    styling: StylingSettings,
    watch: Watch | None = None,
    follow: Follow | None = None,
    **settings: Any,
) -> Summary:
    """The same with a painter that is ready and masks that have been read."""
    engine = Unchanged()
    engine.about = f"torch on {painter.device}"
    rendering = Restyling(painter, styling, places, follow or (lambda name, progress: None))
    translator = load(IDENTITY).using(rendering=rendering).with_engine(engine, "AtoB")
    return convert(translator, source, target, watch=watch, **settings)


def make_stylizer(
    styles: Sequence[Painting],
    settings: StylingSettings,
    device: str = "auto",
    notice: Notice = lambda text: None,
    *,
    download: bool = False,
) -> Stylizer:
    """The painter of these paintings: files, folders of them, PIL images or arrays as `translate.load`'s models take.

    `notice` hears which features are used and why. Weights are fetched only with `download`, their size said first.
    Raises ConfigError for settings, DataError for a painting, CheckpointError for features.
    """
    paintings = listed(styles)
    check_counts(len(paintings), settings)
    shares = settings.style_weight or (1.0,) * len(paintings)
    masks = settings.style_mask or (NONE,) * len(paintings)
    made = [make_style(*each) for each in zip(paintings, shares, masks, strict=True)]
    chosen = choose_device(device)
    if chosen.type == "cuda" and chosen.index is None:
        chosen = torch.device("cuda", torch.cuda.current_device())  # threads have a current device of their own
    features = features_of(settings, chosen, notice, download=download)
    return Stylizer(features, made, settings, chosen)


@dataclass
class Unfetched:
    """Stands in a dry run for the painter whose features would be fetched first: nothing that is there is its work."""

    device: torch.device
    name: str

    described: ClassVar[dict[str, Any]] = {}
    key = about = ""

    def paint(self, content: np.ndarray, **how: Any) -> np.ndarray:
        raise weights.missing(self.name)


def _unfetched(styles: Sequence[Painting], settings: StylingSettings, device: str, notice: Notice) -> Unfetched:
    """Reads the paintings, for their errors, and says what would be fetched."""
    for painting, mask in zip(styles, settings.style_mask or (NONE,) * len(styles), strict=True):
        make_style(painting, 1.0, mask)
    notice(f"Would download {_what(settings.features)}.")
    return Unfetched(choose_device(device), settings.features)


def features_of(settings: StylingSettings, device: torch.device, notice: Notice, *, download: bool = False) -> Features:
    """The features that `settings` ask for, and a word to the user on which they are."""
    name = settings.features
    if download:
        _fetch(name, notice)
    features = find_features(name, pooling=settings.pooling, device=device)
    kinds = ", ".join(weights.KINDS)
    if name != "auto":
        notice(f"Features: {features.about}.")
    elif features.name in weights.KINDS:
        notice(f"Features: {features.about}, the first of {kinds} whose weights are at hand.")
    else:
        size, kind = min(_sizes())
        notice(
            f"Features: {features.about}, for no weights of {kinds} are at hand. --features {kind} --download fetches "
            f"{size / 1e6:.0f} MB of them."
        )
    return features


def _fetch(name: str, notice: Notice) -> None:
    if name == "auto" and not any(weights.place(kind).is_file() for kind in weights.KINDS):
        offered = ", ".join(f"{kind} ({size / 1e6:.0f} MB)" for size, kind in sorted(_sizes()))
        raise ConfigError(f"--download fetches the weights of one of {offered}: add --features with its name.")
    if _lacking(name):
        notice(f"Downloading {_what(name)}.")
        if distributed.is_main():
            weights.download(name, notice=notice)
    distributed.barrier()


def _lacking(name: str) -> bool:
    return name in weights.KINDS and not weights.place(name).is_file()


def _what(name: str) -> str:
    known = weights.published(name)
    return f"{known.size / 1e6:.0f} MB from {known.url} to {weights.place(name)}"


def _sizes() -> list[tuple[int, str]]:
    return [(weights.published(kind).size, kind) for kind in weights.KINDS]


def places_of(settings: StylingSettings, count: int) -> Places:
    """Where the `count` paintings go."""
    return Places(settings.mask, [weight > 0 for weight in settings.style_weight or (1.0,) * count])


def both(follow: Follow | None, frames: Frames | None) -> Follow | None:
    """Tell both, frames first."""
    if follow is None or frames is None:
        return follow or frames

    def tell(name: str, progress: Progress) -> None:
        frames(name, progress)
        follow(name, progress)

    return tell
