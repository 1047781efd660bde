"""The public data sets of Pix2Pix and CycleGAN: where they lie, how large they are, and the look-up of a set by name.

Addresses: the download scripts of junyanz/pytorch-CycleGAN-and-pix2pix. Sizes and hashes of the zip archives: the
checksums that TensorFlow Datasets publishes for `cycle_gan` (tensorflow/datasets, url_checksums/cycle_gan.txt). Sizes
of the paired facades and maps: what their server announces. What is published nowhere is None and goes unchecked.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from translate.config import near_miss
from translate.errors import DataError

_PAIRED = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"
_UNPAIRED = "http://efrosgans.eecs.berkeley.edu/cyclegan/datasets"
_CMP = "CMP Facades (Tylecek and Sara 2013); cite their paper."
_MAPS = "Scraped from Google Maps; its terms apply. Cite Isola et al. 2017."
_IMAGENET = "From ImageNet: research only, by its terms. Cite Zhu et al. 2017."
_FLICKR = "Photos from Flickr, rights with their authors. Cite Zhu et al. 2017."
_ART = "Paintings from Wikiart, photos from Flickr, rights with their authors. Cite Zhu et al. 2017."
_CITYSCAPES = "Not redistributable: register at https://www.cityscapes-dataset.com."


class Entry(NamedTuple):
    """One public set. `url` is None where its licence forbids passing it on; `bytes` is the archive's size."""

    kind: Literal["paired", "unpaired"]
    url: str | None
    bytes: int | None
    sha256: str | None
    description: str
    terms: str

    @property
    def archive(self) -> str:
        """File name of the archive."""
        return Path(self.url or "").name


def _paired(name: str, size: int | None, description: str, terms: str) -> Entry:
    return Entry("paired", f"{_PAIRED}/{name}.tar.gz", size, None, description, terms)


def _unpaired(name: str, size: int | None, sha256: str | None, description: str, terms: str) -> Entry:
    return Entry("unpaired", f"{_UNPAIRED}/{name}.zip", size, sha256, description, terms)


KNOWN: dict[str, Entry] = {
    "facades": _paired("facades", 30168306, "House fronts: photo (A), labels (B); usual way BtoA.", _CMP),
    "maps": _paired("maps", 250242400, "Aerial photo (A), street map (B); both ways.", _MAPS),
    "edges2shoes": _paired(
        "edges2shoes", None, "Edges (A), shoes (B), 50,000 pairs.", "From UT Zappos50K; cite Yu and Grauman 2014."
    ),
    "edges2handbags": _paired(
        "edges2handbags", None, "Edges (A), handbags (B), 137,000 pairs.", "From Amazon by iGAN; cite Zhu et al. 2016."
    ),
    "night2day": _paired("night2day", None, "Outdoor scenes by night and by day.", "Cite Laffont et al. 2014."),
    "cityscapes": Entry("paired", None, None, None, "Street scenes: photo (A), labels (B).", _CITYSCAPES),
    "horse2zebra": _unpaired(
        "horse2zebra",
        116867962,
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
        "939 horses (A), 1177 zebras (B).",
        _IMAGENET,
    ),
    "apple2orange": _unpaired(
        "apple2orange",
        78456409,
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
        "996 apples (A), 1020 oranges (B).",
        _IMAGENET,
    ),
    "summer2winter_yosemite": _unpaired(
        "summer2winter_yosemite",
        132640856,
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
        "Yosemite in summer (A, 1273) and in winter (B, 854).",
        _FLICKR,
    ),
    "monet2photo": _unpaired(
        "monet2photo",
        305231073,
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
        "1074 paintings by Monet (A), 6853 photos (B).",
        _ART,
    ),
    "cezanne2photo": _unpaired(
        "cezanne2photo",
        279885071,
        "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
        "584 paintings by Cezanne (A), 6853 photos (B).",
        _ART,
    ),
    "ukiyoe2photo": _unpaired(
        "ukiyoe2photo",
        292946532,
        "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
        "1433 Ukiyo-e prints (A), 6853 photos (B).",
        _ART,
    ),
    "vangogh2photo": _unpaired(
        "vangogh2photo",
        306590349,
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
        "401 paintings by Van Gogh (A), 6853 photos (B).",
        _ART,
    ),
    "iphone2dslr_flower": _unpaired(
        "iphone2dslr_flower",
        339964458,
        "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
        "Flowers by phone (A, 1813) and by camera with shallow focus (B, 3316).",
        _FLICKR,
    ),
    "ae_photos": _unpaired(
        "ae_photos", None, None, "Listed by the authors without a description.", "See Zhu et al. 2017."
    ),
    "facades-unpaired": _unpaired(
        "facades",
        35135868,
        "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
        "facades as two folders: photo (A), labels (B).",
        _CMP,
    ),
    "maps-unpaired": _unpaired(
        "maps",
        1476754427,
        "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
        "maps as two folders: aerial photo (A), street map (B).",
        _MAPS,
    ),
    "cityscapes-unpaired": Entry(
        "unpaired", None, None, None, "cityscapes as two folders: photo (A), labels (B).", _CITYSCAPES
    ),
}


def find(name_or_path: str, root: Path = Path("datasets")) -> Path:
    """Return the folder of a data set: a path that exists, or else `root`/NAME if that exists.

    Raises DataError with the command that makes or downloads it, or with the near miss of the names known.
    """
    for path in (Path(name_or_path), root / name_or_path):
        if path.is_dir():
            return path
        if path.exists():
            raise DataError(f"{path} is a file: a data set is a folder of images.")
    raise DataError(f"There is no data set {name_or_path!r}, here or in {root}.{_way_to(name_or_path, root)}")


def entry(name: str) -> Entry:
    """Return the row called `name`; raises DataError with what would do."""
    if name in KNOWN:
        return KNOWN[name]
    raise DataError(f"There is no public data set {name!r}.{_way_to(name, Path('datasets'))}")


def drawn_names() -> list[str]:
    """Names of the data sets that are drawn on the spot."""
    # Here and not above: drawing needs OpenCV, looking up a folder does not.
    from translate.data.drawn import DRAWN

    return list(DRAWN)


def _way_to(name: str, root: Path) -> str:
    if name in KNOWN:
        known = KNOWN[name]
        if known.url is None:
            return f" {known.terms}"
        where = "" if root == Path("datasets") else f" --root {root}"
        return f" `translate datasets download {name}{where}` fetches it."
    if name in drawn_names():
        return f" `translate datasets make {name} {root / name}` draws it."
    close = near_miss(name, [*KNOWN, *drawn_names()])
    return f"{close} `translate datasets list` shows the names known."
