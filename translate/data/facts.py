"""What is known of a data set once every image was decoded, and whether it makes batches: channels, pairs, crops."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from translate.config import DataSettings
from translate.data.layout import Source, listing
from translate.errors import ConfigError, DataError

Place = tuple[int, int]
"""(domain, index): 0 is A, 1 is B."""


class Facts(NamedTuple):
    """What is known of one decoded image: its size on disk and as kept, channels and type."""

    size: tuple[int, int]
    kept: tuple[int, int]
    channels: int
    dtype: np.dtype


def leave_out(bad: Sequence[str], settings: DataSettings) -> list[str]:
    """Notices of the files that cannot be read; raises DataError, listing them, unless settings.skip_bad."""
    if not settings.skip_bad:
        raise DataError(
            f"{_count(len(bad), 'file')} cannot be read:\n{listing(bad)}\n--skip-bad leaves them out; "
            "`translate datasets check` lists all."
        )
    return [f"Left out, because it cannot be read: {reason}" for reason in bad]


def say_unfit(useless: Sequence[str], count: int) -> list[str]:
    """Notices of the images, of `count` in all, that are of no use; raises DataError, listing them, if all are."""
    if len(useless) == count:
        raise DataError(f"Nothing can be learned from these images; add others.\n{listing(useless)}")
    return [f"Left out {len(useless)} of {count} images: {useless[0]}" + ("." if len(useless) == 1 else ", for one.")]


def find_channels(domains: Sequence[Sequence[Source]], facts: Mapping[Place, Facts]) -> tuple[list[int], list[str]]:
    """The channels of every domain, and notices of grey images among RGB; raises DataError for any other mixture."""
    channels, notices = [], []
    for domain, sources in enumerate(domains):
        counts = Counter(facts[domain, index].channels for index in range(len(sources)))
        usual = max(counts, key=lambda count: (counts[count], count))
        others = [index for index in range(len(sources)) if facts[domain, index].channels != usual]
        if set(counts) == {1, 3} and usual == 3:
            notices.append(
                f"{_count(len(others), 'grey image')} among {len(sources)} of domain {'AB'[domain]} "
                f"will be read as RGB, for instance {sources[others[0]].path}."
            )
        elif others:
            raise DataError(
                f"The images of domain {'AB'[domain]} differ in their channels. Most have {usual}, but:\n"
                + listing([f"{sources[i].path} has {facts[domain, i].channels}" for i in others])
                + "\nConvert them to one kind."
            )
        channels.append(usual)
    return channels, notices


def check_sizes(
    domains: Sequence[Sequence[Source]],
    units: Sequence[Sequence[Place]],
    facts: Mapping[Place, Facts],
    settings: DataSettings,
) -> None:
    """Raise DataError or ConfigError if the two of a pair differ in size, or the images make no batch of `settings`."""
    _check_pairs(domains, units, facts)
    if settings.preprocess == "none":
        _check_whole(domains, facts, settings)
    else:
        _check_crop(domains, facts, settings)


def _check_pairs(
    domains: Sequence[Sequence[Source]], units: Sequence[Sequence[Place]], facts: Mapping[Place, Facts]
) -> None:
    wrong = []
    for unit in units:
        sizes = {facts[place].size for place in unit}
        if len(sizes) > 1:
            named = [f"{domains[domain][i].path} is {_size(facts[domain, i].size)}" for domain, i in unit]
            wrong.append(" but ".join(named))
    if wrong:
        raise DataError(
            f"The two images of a pair must be equal in size; {len(wrong)} of {len(units)} are not:\n" + listing(wrong)
        )


def _check_crop(domains: Sequence[Sequence[Source]], facts: Mapping[Place, Facts], settings: DataSettings) -> None:
    side = settings.size
    small = [place for place, fact in facts.items() if min(fact.kept) < side]
    if small:
        domain, index = small[0]
        first = facts[domain, index]
        scaled = "" if first.kept == first.size else f", {_size(first.kept)} once scaled to {settings.resized},"
        least = min(min(facts[place].kept) for place in small)
        raise DataError(
            f"{domains[domain][index].path} is {_size(first.size)}{scaled} and too small for crops of {side} "
            f"({len(small)} of {len(facts)} images are): use --size {least} or less, or "
            "--set preprocess=resize_and_crop, which enlarges."
        )


def _check_whole(domains: Sequence[Sequence[Source]], facts: Mapping[Place, Facts], settings: DataSettings) -> None:
    if settings.batch_size == 1:
        return
    for domain, sources in enumerate(domains):
        (first, fact), *rest = ((index, fact) for (where, index), fact in facts.items() if where == domain)
        for index, other in rest:
            if other.kept != fact.kept:
                raise DataError(
                    f"{sources[first].path} is {_size(fact.kept)} but {sources[index].path} is "
                    f"{_size(other.kept)}: whole images of different sizes do not make a batch. Use --batch-size 1, "
                    "or another preprocess than none."
                )
        if settings.turn and fact.kept[0] != fact.kept[1]:
            raise ConfigError(
                f"Setting turn=True with preprocess=none lays some images of {_size(fact.kept)} on their side: "
                "they make no batch with upright ones. Use --batch-size 1, or another preprocess than none."
            )


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
