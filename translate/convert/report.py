"""The report of a conversion: JSON for programs, one HTML page with a gallery for people, which opens offline."""

import base64
import heapq
import html
import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any

from translate import files, images
from translate.convert.summary import Summary
from translate.images import Picture

_SIDE = 192
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222 }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td { padding: .15rem 1.2rem .15rem 0; vertical-align: top }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(26rem, 1fr)); gap: 1rem }
figure { margin: 0 } figure div { display: flex; gap: 2px } figcaption { font-size: .8rem; overflow-wrap: anywhere }
img { width: 50%; object-fit: contain; background: repeating-conic-gradient(#eee 0 25%, #fff 0 50%) 0 0/16px 16px }
.failed { color: #a00 } li { overflow-wrap: anywhere }
"""


class Gallery:
    """Thumbnails of up to `most` pairs: those that a hash of their names chooses, whatever their order."""

    def __init__(self, most: int = 120) -> None:
        self._most = most
        self._chosen: list[tuple[int, str, str, str]] = []
        self._lock = threading.Lock()

    def add(self, name: str, before: Picture, after: Picture) -> None:
        key = -zlib.crc32(os.fsencode(name))
        with self._lock:
            if len(self._chosen) >= self._most and key <= self._chosen[0][0]:
                return
        entry = (key, name, _thumbnail(before), _thumbnail(after))
        with self._lock:
            heapq.heappush(self._chosen, entry)
            if len(self._chosen) > self._most:
                heapq.heappop(self._chosen)

    def pairs(self) -> list[tuple[str, str, str]]:
        """(name, input, output) by name; pictures as data addresses."""
        return sorted(entry[1:] for entry in self._chosen)

    def extend(self, pairs: list[tuple[str, str, str]]) -> None:
        """Take up the pairs of another process."""
        for name, before, after in pairs:
            heapq.heappush(self._chosen, (-zlib.crc32(os.fsencode(name)), name, before, after))
            if len(self._chosen) > self._most:
                heapq.heappop(self._chosen)


def write_report(path: Path, summary: Summary, about: dict[str, Any], gallery: Gallery) -> None:
    """Write a .json or .html report, whole or not at all; `about` says what was converted, with what and how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".json":
        text = json.dumps(about | summary.as_dict(), indent=2, ensure_ascii=True) + "\n"
    else:
        text = _page(summary, about, gallery.pairs())
    files.write_bytes(path, text.encode("utf-8", "backslashreplace"))


def _page(summary: Summary, about: dict[str, Any], pairs: list[tuple[str, str, str]]) -> str:
    facts = {
        **{name: value for name, value in about.items() if not isinstance(value, dict)},
        "translated": summary.translated,
        "made before": summary.skipped,
        "failed": len(summary.failed),
        "seconds": f"{summary.seconds:.1f}",
        "images per second": f"{summary.per_second:.3g}",
        "computed by": summary.engine,
    }
    if summary.flicker:
        facts["change from frame to frame"] = "input {:.2f}/255, output {:.2f}/255".format(*summary.flicker)
    rows = "".join(f"<tr><td>{_text(name)}<td>{_text(value)}" for name, value in facts.items())
    failures = "".join(f"<li>{_text(reason)}" for reason in summary.failed.values())
    notes = "".join(f"<li>{_text(text)} ({count})" for text, count in summary.notes.items())
    shown = "".join(
        f'<figure><div><img src="{before}" alt="input"><img src="{after}" alt="output"></div>'
        f"<figcaption>{_text(name)}</figcaption></figure>"
        for name, before, after in pairs
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Conversion report</title><style>{_STYLE}</style>'
        f"<h1>Conversion report</h1><table>{rows}</table>"
        + (f'<h2 class="failed">Failed</h2><ul>{failures}</ul>' if failures else "")
        + (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + (f'<h2>Input | output</h2><div class="gallery">{shown}</div>' if shown else "")
        + "</html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _thumbnail(picture: Picture) -> str:
    """The picture as a data address: a small JPEG, or a PNG if it is transparent in places."""
    height, width = picture.pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pixels = images.resize(picture.pixels if picture.pixels.shape[2] in (1, 3) else picture.pixels[..., :1], *size)
    alpha = None if picture.alpha is None else images.resize(picture.alpha[..., None], *size)[..., 0]
    kind = "jpeg" if alpha is None else "png"
    data = images.encode(Picture(pixels, alpha, profile=picture.profile), f".{kind}", quality=80)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
