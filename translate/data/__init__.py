"""Folders of images as batches: layouts, decoding, augmentation, loading."""

from translate.config import DataSettings
from translate.data.batch import Batch
from translate.data.dataset import ImageDataset, Unfit
from translate.data.holding import hold_out
from translate.data.labels import Labels, read_labels
from translate.data.layout import Kind, Layout, Source, Split, detect
from translate.data.loader import batches_per_epoch, default_workers, held_out, stream
from translate.data.paired import Paired
from translate.data.single import Single
from translate.data.unpaired import Unpaired
from translate.errors import DataError

KINDS: dict[Kind, type[ImageDataset]] = {"paired": Paired, "unpaired": Unpaired, "single": Single}

__all__ = [
    "KINDS",
    "Batch",
    "ImageDataset",
    "Kind",
    "Labels",
    "Layout",
    "Paired",
    "Single",
    "Source",
    "Split",
    "Unpaired",
    "batches_per_epoch",
    "default_workers",
    "detect",
    "held_out",
    "hold_out",
    "open_split",
    "read_labels",
    "stream",
]


def open_split(
    layout: Layout,
    split: str,
    kind: Kind,
    settings: DataSettings,
    seed: int,
    unfit: Unfit | None = None,
    labels: Labels | None = None,
) -> ImageDataset:
    """The images of one split of `layout`, which `detect` made for `kind`. Call `prepare` before the first item.

    `unfit` says of an image (H, W, C) why it is to be left out, "" if it is not. `labels`, which `read_labels` read for
    this layout, gives the items of a single folder their classes.
    """
    if labels and kind != "single":
        raise ValueError(f"labels are of single images, not of {kind} ones")
    if split not in layout.splits:
        raise DataError(f"{layout.root} has no split {split}; it has {', '.join(layout.splits)}.")
    dataset = KINDS[kind](layout.splits[split], settings, seed)
    dataset.unfit = unfit
    dataset.labels = labels.of if labels else None
    return dataset
