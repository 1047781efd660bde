"""One picture on its way: read and made ready, computed with others of its size, finished and written."""

import os
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from translate import files, images
from translate.config import ConvertSettings, Direction
from translate.convert.chain import Chain
from translate.convert.manifest import Manifest, State, stamp
from translate.convert.plan import Job
from translate.errors import ImageError, TranslateError
from translate.images import Picture
from translate.images.formats import reason, too_many
from translate.rendering.base import Guide
from translate.translator import Translator

_SMALL = 2**18
"""Bytes of a file that cannot hold more pixels than memory can, packed a thousandfold as it may be."""
_BYTES = 24
"""Bytes a pixel that a picture holds on its way: as read, as the network sees it, as it comes out, with alpha."""
_LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".avif", ".gif")


@dataclass
class Work:
    """A picture in memory: as it was read, as the network sees it, and what the network made of it."""

    job: Job
    stamp: str
    picture: Picture
    pixels: np.ndarray
    mask: np.ndarray | None = None
    guide: Guide = field(default_factory=Guide)
    made: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Hashable:
        return self.pixels.shape, self.pixels.dtype.str


@dataclass
class Seen:
    """What a finished picture leaves behind for the report."""

    job: Job
    notes: tuple[str, ...]
    before: Picture
    after: Picture


@dataclass
class Worker:
    """Does the three steps. `settings_key` is all that an output depends on besides its input."""

    translator: Translator
    direction: Direction
    settings: ConvertSettings
    settings_key: str
    manifest: Manifest | None
    places: tuple[Path, Path]
    seen: Callable[[Seen], None]
    _made_folders: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        rendering = self.translator.rendering
        chained = self.settings.sequence and rendering is not None and rendering.chained
        self._chain = Chain(self.settings.side_by_side) if chained else None

    def weigh(self, job: Job) -> int:
        """Bytes that the picture of `job` will hold in memory; 0 where so small a file cannot hold much."""
        with suppress(TranslateError, OSError):
            if self._sized(1, 1) != (1, 1) or job.source.stat().st_size > _SMALL:
                height, width = images.size(job.source)
                tall, wide = self._sized(height, width)
                return _BYTES * max(height * width, tall * wide)
        return 0

    def state(self, job: Job) -> State:
        """What is known of the output of `job`. Raises ImageError."""
        return self._state(job)[0]

    def _state(self, job: Job) -> tuple[State, str, Path | None]:
        """What is known of it, the stamps of what it is made from, and the frame that it goes on from."""
        earlier = self._chain.begin(job) if self._chain else None
        namesake = job.source.with_suffix(job.target.suffix)
        if self.manifest and job.renamed and not self.settings.format and namesake.exists():
            raise ImageError(f"{job.source}: its output would be {job.target}, that of {namesake}. Rename one.")
        try:
            mask_path = self._mask_of(job)
            made_from = (job.source, mask_path, *self._files_of(job), earlier)
            stamps = " ".join(stamp(path.stat()) for path in made_from if path)
        except OSError as error:
            raise ImageError(f"{job.source}: {reason(error)}") from error
        if self.manifest is None:
            return (State.FOREIGN if job.target.exists() else State.MISSING), stamps, earlier
        state = self.manifest.state(job.name, job.target, job.source, stamps, self.settings_key)
        if self._chain and state in (State.DONE, State.FOREIGN, State.OTHERS) and not self.settings.overwrite:
            self._chain.done(job)  # what stays is gone on from, also one that its user touched up
        return state, stamps, earlier

    def read(self, job: Job) -> Work | None:
        """Decode the input of `job`; None if its output is there already. Raises ImageError."""
        state, stamps, earlier = self._state(job)
        if not self.settings.overwrite:
            if state in (State.FOREIGN, State.OTHERS):
                raise ImageError(f"{job.source}: {job.target} {state.value}.")
            if state is State.DONE:
                return None
        mask_path = self._mask_of(job)
        picture = self._sized_picture(job.source)
        mask = _read_mask(mask_path, picture) if mask_path else None
        work = Work(job, stamps, picture, images.to_model(picture), mask)
        before, note = None, ""
        if self._chain:
            before, note = self._chain.pair(job, earlier, self._sized_picture, picture.pixels.shape[:2])
        work.guide, work.notes = Guide(job.name, self._files_of(job), before), (note,) if note else ()
        return work

    def compute(self, batch: list[Work]) -> None:
        """Translate pictures of one size and depth."""

        def tell(index: int, text: str) -> None:
            batch[index].notes += (text,)

        guides = [work.guide for work in batch]
        made = self.translator.translate([work.pixels for work in batch], self.direction, tell, guides)
        for work, pixels in zip(batch, made, strict=True):
            work.made = pixels

    def write(self, work: Work) -> None:
        """Finish the picture and put it in its place, whole or not at all."""
        assert work.made is not None
        job, picture = work.job, work.picture
        if self._stays(work):
            self._put(job, work.stamp, job.source.read_bytes())
            self.seen(Seen(job, work.notes, picture, picture))  # the picture's own are of what reading it costs
            return
        finished = images.from_model(work.made, picture)
        if work.mask is not None:
            finished = _masked(picture, finished, work.mask)
        shown = _side_by_side(picture, finished) if self.settings.side_by_side else finished
        suffix = self.settings.format or _suffix(job, shown)
        lost = list(images.lost(_bare(shown) if self.settings.strip_metadata else shown, suffix))
        rendering = self.translator.rendering
        if (work.mask is not None or (rendering and rendering.keeps)) and suffix.lower() in _LOSSY:
            lost.append(f"{suffix} compresses what the mask keeps, too: --format png keeps it bit for bit")
        try:
            data = images.encode(
                self._signed(shown, suffix),
                suffix,
                quality=self.settings.quality,
                metadata=not self.settings.strip_metadata,
            )
        except ImageError as error:
            raise ImageError(f"{job.target}: {error}") from error
        self._put(job, work.stamp, data)
        self.seen(Seen(job, (*picture.notes, *work.notes, *lost), picture, finished))

    def _stays(self, work: Work) -> bool:
        """Whether a rendering left the picture as it is and nothing asks for another file than its own."""
        settings = self.settings
        asked = settings.format or settings.quality or settings.strip_metadata or settings.side_by_side
        if self.translator.rendering is None or asked or work.mask is not None or work.job.renamed:
            return False
        if work.made is None or not np.array_equal(work.made, work.pixels):
            return False
        return images.size(work.job.source) == work.pixels.shape[:2]

    def _put(self, job: Job, stamps: str, data: bytes) -> None:
        folder = job.target.parent
        if folder not in self._made_folders:
            files.make_folder(folder)
            self._refuse_input(job, folder)
            self._made_folders.add(folder)
        if job.target.is_dir():
            raise ImageError(f"{job.target} is a folder: the output of {job.source} cannot take its place.")

        def record(output: os.stat_result) -> None:
            if self.manifest:
                self.manifest.record(job.name, job.target, job.source, stamps, self.settings_key, output)

        if self.manifest:
            files.publish(job.target, data, self.manifest.temporary(), record)
        else:
            files.write_bytes(job.target, data)
        if self._chain:
            self._chain.done(job)

    def _refuse_input(self, job: Job, folder: Path) -> None:
        """Raise ImageError if a link in the output leads back into the input."""
        real, source, output = folder.resolve(), self.places[0].resolve(), self.places[1].resolve()
        if real != output and output not in real.parents and (real == source or source in real.parents):
            raise ImageError(f"{job.source}: {folder} is a link into the input; its output would be written there.")

    def _files_of(self, job: Job) -> tuple[Path, ...]:
        """The user's own files that go with the input, where the model takes any."""
        rendering = self.translator.rendering
        return rendering.files(job.source, self._below_input(job)) if rendering else ()

    def _sized(self, height: int, width: int) -> tuple[int, int]:
        """The size in which a picture of that size is translated."""
        rendering = self.translator.rendering
        return rendering.sized(height, width) if rendering else (height, width)

    def _sized_picture(self, path: Path) -> Picture:
        most = self.settings.max_pixels
        picture = images.read(path, most_pixels=most)
        height, width = self._sized(*picture.pixels.shape[:2])
        if height * width > most:
            raise ImageError(f"{path}: would be made {width} x {height}: {too_many(height * width, most)}")
        return images.scaled(picture, height, width)

    def _signed(self, picture: Picture, suffix: str) -> Picture:
        text = (self.translator.rendering or self.translator.told).signature
        return images.signed(picture, text, suffix) if text else picture

    def _below_input(self, job: Job) -> str:
        """The input's path below the input folder, with slashes."""
        top = self.places[0]
        return job.source.name if job.source == top else job.source.relative_to(top).as_posix()

    def _mask_of(self, job: Job) -> Path | None:
        """The mask of the input's name, with any suffix; raises ImageError if there is none."""
        if self.settings.mask is None:
            return None
        base = self.settings.mask / self._below_input(job)
        for suffix in (base.suffix, job.source.suffix, *sorted(images.SUFFIXES)):
            if base.with_suffix(suffix).is_file():
                return base.with_suffix(suffix)
        raise ImageError(f"{job.source}: there is no mask {base.with_suffix('.*')}.")


def _read_mask(path: Path, picture: Picture) -> np.ndarray:
    """How much of each pixel is translated, (H, W, 1) from 0 to 1; raises ImageError if it is of another size."""
    mask = images.read(path)
    if mask.pixels.shape[:2] != picture.pixels.shape[:2]:
        (height, width), (tall, wide) = mask.pixels.shape[:2], picture.pixels.shape[:2]
        raise ImageError(f"{path}: the mask is {width} x {height} pixels, its picture {wide} x {tall}.")
    grey = images.to_depth(mask.pixels, np.float32).mean(axis=2, keepdims=True)
    return (grey + 1) / 2


def _masked(before: Picture, after: Picture, mask: np.ndarray) -> Picture:
    """`after` where the mask is white, `before`, bit for bit, where it is black, a mixture where it is grey."""
    old, new = _alike(before, after)
    mixed = old + (new.astype(np.float64) - old) * mask
    mixed = (np.rint(mixed) if old.dtype.kind != "f" else mixed).astype(old.dtype)
    return replace(after, pixels=np.where(mask == 0, old, mixed))


def _side_by_side(before: Picture, after: Picture) -> Picture:
    old, new = _alike(before, after)
    alpha = None if after.alpha is None else np.concatenate([after.alpha, after.alpha], axis=1)
    return replace(after, pixels=np.concatenate([old, new], axis=1), alpha=alpha)


def _alike(before: Picture, after: Picture) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures' pixels in one depth, one number of channels and the colour space of `after`."""
    same = after.profile == before.profile
    old = before.pixels if same else images.to_depth(images.to_model(before).clip(-1, 1), before.pixels.dtype)
    new = images.to_depth(after.pixels, old.dtype)
    if old.shape[2] != new.shape[2]:
        if 1 not in (old.shape[2], new.shape[2]):
            raise ImageError(f"{old.shape[2]} channels in and {new.shape[2]} out cannot stand in one picture.")
        most = max(old.shape[2], new.shape[2])
        old, new = (np.broadcast_to(pixels, (*pixels.shape[:2], most)) for pixels in (old, new))
    return old, new


def _suffix(job: Job, picture: Picture) -> str:
    """The format that the input really has; where the output is named after another one (.npy, .ppm), that."""
    return job.target.suffix if job.renamed else images.suffix_of(picture)


def _bare(picture: Picture) -> Picture:
    """The picture without what nobody misses where metadata are left out."""
    return replace(picture, exif=None, xmp=None, photoshop=None, comment=None, chunks=())
