"""A line in a picture's metadata that says how it was made, beside what stands there already."""

import struct
from dataclasses import replace

from translate.images import tags
from translate.images.formats import FORMATS
from translate.images.picture import Picture

SOFTWARE = 305
_WITH_EXIF = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
_LONGEST = {"JPEG": 65533}  # bytes of EXIF that the format holds


def signed(picture: Picture, text: str, suffix: str) -> Picture:
    """`picture` for a file of `suffix`, in which `text` stands as well.

    In the EXIF tag Software, after what it says already, of JPEG, PNG, WebP, AVIF and TIFF; in the comment of a GIF.
    The same picture where the format holds neither, where there is no room left, and where it says so already. EXIF
    has bytes of ASCII there; what is more is UTF-8, as most programs read it, with "?" for what no text can hold (a
    name of a file may).
    """
    name, line = FORMATS.get(suffix.lower(), ""), " ".join(text.split()).encode(errors="replace")
    if name == "GIF":
        comment = _appended(picture.comment or b"", line)
        return replace(picture, comment=comment) if len(comment) <= 0xFFFF else picture
    if name not in _WITH_EXIF:
        return picture
    exif = _with_software(picture.exif, line)
    return picture if len(exif) > _LONGEST.get(name, len(exif)) else replace(picture, exif=exif)


def signature(picture: Picture) -> str:
    """What the tag Software of the picture's EXIF says, "" for nothing."""
    found = tags.unblock(picture.exif)
    tag = found[0].get(SOFTWARE) if found else None
    return tag.data.rstrip(b"\0").decode(errors="replace") if tag and tag.kind == 2 else ""


def _appended(before: bytes, line: bytes) -> bytes:
    between = b"; "
    if between + line + between in between + before + between:
        return before
    return before + between + line if before.strip() else line


def _with_software(exif: bytes | None, line: bytes) -> bytes:
    """The block with `line` in its tag; nothing of it moves: maker notes may hold offsets into it.

    The first directory is written anew behind all else, and the head points there.
    """
    if not exif:
        return tags.block({SOFTWARE: tags.Tag(2, line + b"\0")}, "<")
    found = tags.unblock(exif)
    if not found or found[1].big:
        return exif
    begin = 6 if exif.startswith(b"Exif\0\0") else 0
    data, (order, _, first) = exif[begin:], found[1]
    old = found[0].get(SOFTWARE)
    value = _appended(old.data.rstrip(b"\0") if old and old.kind == 2 else b"", line) + b"\0"
    if old and value.rstrip(b"\0") == old.data.rstrip(b"\0"):
        return exif
    count, start = struct.unpack_from(order + "H", data, first)[0], first + 2
    entries = [data[start + 12 * index :][:12] for index in range(count)]
    if any(len(entry) < 12 for entry in entries):
        return exif
    entries = [entry for entry in entries if struct.unpack_from(order + "H", entry)[0] != SOFTWARE]
    following = data[start + 12 * count :][:4].ljust(4, b"\0")
    data += b"\0" * (len(data) % 2)
    entries.append(struct.pack(order + "HHII", SOFTWARE, 2, len(value), len(data)))
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry)[0])
    place = len(data) + len(value) + len(value) % 2
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + following
    moved = data[:4] + struct.pack(order + "I", place) + data[8:]
    return exif[:begin] + moved + value + b"\0" * (len(value) % 2) + directory
