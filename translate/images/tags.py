"""Directories of tags, as TIFF files and EXIF blocks hold them: read, changed in place, packed again.

Values stay the bytes that they are in the file, so that nothing is lost on the way from one file to the next.
"""

import struct
from typing import NamedTuple

ORIENTATION, XMP, IPTC, PHOTOSHOP, PROFILE = 274, 700, 33723, 34377, 34675
EXIF, GPS, INTEROP = 34665, 34853, 40965
LAYERS = 37724  # Photoshop's layers: another picture, and a large one

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MOST_TAGS = 1000


class Tag(NamedTuple):
    """One value: its TIFF type, its bytes in the file's order, where they lie, and a directory it points to."""

    kind: int
    data: bytes
    place: int = 0
    below: "Directory | None" = None


Directory = dict[int, Tag]


class Head(NamedTuple):
    """The first bytes of a TIFF structure: struct's letter for its order, whether it is a BigTIFF, its directory."""

    order: str
    big: bool
    first: int


def head(data: bytes) -> Head:
    """Raises ValueError if `data` does not begin as a TIFF structure does."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        raise ValueError("not a TIFF structure")
    magic, first = struct.unpack_from(order + "HI", data, 2)
    if magic == 43 and len(data) >= 16:
        return Head(order, True, struct.unpack_from(order + "Q", data, 8)[0])
    if magic != 42:
        raise ValueError("not a TIFF structure")
    return Head(order, False, first)


def directory(data: bytes, start: Head, offset: int, depth: int = 0) -> tuple[Directory, int]:
    """The tags of the directory at `offset` and the offset of the next one, 0 if there is none.

    A tag that points out of `data` is left out. Raises struct.error if the directory itself does.
    """
    order, big, _ = start
    count = struct.unpack_from(order + ("Q" if big else "H"), data, offset)[0]
    width = 20 if big else 12
    place = offset + (8 if big else 2)
    after = place + count * width
    following = struct.unpack_from(order + ("Q" if big else "I"), data, after)[0] if after + 4 <= len(data) else 0
    found: Directory = {}
    for index in range(min(count, _MOST_TAGS)):
        entry = place + index * width
        number, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        length, where = SIZES.get(kind, 0) * values, entry + (12 if big else 8)
        if length > (8 if big else 4):
            where = struct.unpack_from(order + ("Q" if big else "I"), data, where)[0]
        if not length or where + length > len(data) or number in found:
            continue
        tag = Tag(kind, data[where : where + length], where)
        if number in (EXIF, GPS, INTEROP) and depth < 2:
            tag = _pointing(data, start, tag, depth)
        found[number] = tag
    return found, following


def _pointing(data: bytes, start: Head, tag: Tag, depth: int) -> Tag:
    try:
        below, _ = directory(data, start, numbers(tag, start.order)[0], depth + 1)
    except (struct.error, IndexError):
        below = {}
    return tag._replace(below=below)


def numbers(tag: Tag | None, order: str) -> tuple[int, ...]:
    """The whole numbers of a tag; none if it holds something else or is missing."""
    letter = LETTERS.get(tag.kind) if tag else None
    if tag is None or letter is None or letter in "fd":
        return ()
    return struct.unpack(f"{order}{len(tag.data) // SIZES[tag.kind]}{letter}", tag.data)


def fraction(tag: Tag | None, order: str) -> float:
    """The first value of a tag of fractions, 0 if there is none."""
    if tag is None or tag.kind != 5:
        return 0.0
    over, under = struct.unpack_from(order + "II", tag.data)
    return over / under if under else 0.0


def make(order: str, kind: int, *values: int) -> Tag:
    return Tag(kind, struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values))


def pack(found: Directory, order: str, offset: int) -> bytes:
    """`found` as the bytes of a directory that will lie at `offset`, with all that it points to."""
    found = {number: tag for number, tag in sorted(found.items()) if tag.below != {}}
    end = offset + 2 + 12 * len(found) + 4
    entries, far = [struct.pack(order + "H", len(found))], b""
    for number, tag in found.items():
        if tag.below:
            data, kind, count = struct.pack(order + "I", end + len(far)), 4, 1
            far += _even(pack(tag.below, order, end + len(far)))
        else:
            data, kind, count = tag.data, tag.kind, len(tag.data) // SIZES[tag.kind]
        if len(data) > 4:
            place = struct.pack(order + "I", end + len(far))
            far += _even(data)
            data = place
        entries.append(struct.pack(order + "HHI", number, kind, count) + data.ljust(4, b"\0"))
    return b"".join(entries) + bytes(4) + far


def _even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


def block(found: Directory, order: str) -> bytes:
    """`found` as an EXIF block."""
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return b"Exif\0\0" + start + pack(found, order, 8)


def unblock(exif: bytes | None) -> tuple[Directory, Head] | None:
    """The first directory of an EXIF block, None if it has none that can be read."""
    data = (exif or b"").removeprefix(b"Exif\0\0")
    try:
        start = head(data)
        return directory(data, start, start.first)[0], start
    except (struct.error, ValueError, IndexError):
        return None


def orientation(exif: bytes | None) -> int:
    """The orientation that an EXIF block says, 1 to 8; 1 if it says none."""
    found = unblock(exif)
    value = numbers(found[0].get(ORIENTATION), found[1].order) if found else ()
    return value[0] if value and 1 <= value[0] <= 8 else 1


def without_orientation(exif: bytes) -> bytes:
    """The same block, of which nothing moves: maker notes may hold offsets into it. Only the orientation becomes 1."""
    found = unblock(exif)
    if not found or ORIENTATION not in found[0]:
        return exif
    tag = found[0][ORIENTATION]
    if tag.kind not in (1, 3, 4):
        return exif
    place = tag.place + (6 if exif.startswith(b"Exif\0\0") else 0)
    upright = make(found[1].order, tag.kind, 1).data
    return exif[:place] + upright + exif[place + len(upright) :]


def bare(exif: bytes) -> bytes:
    """The block without the entry for the orientation; again nothing moves."""
    found = unblock(exif)
    if not found or ORIENTATION not in found[0]:
        return exif
    begin = 6 if exif.startswith(b"Exif\0\0") else 0
    data, (order, _, first) = exif[begin:], found[1]
    count = struct.unpack_from(order + "H", data, first)[0]
    entries = [data[first + 2 + 12 * index :][:12] for index in range(count)]
    kept = [entry for entry in entries if struct.unpack_from(order + "H", entry)[0] != ORIENTATION]
    end = first + 2 + 12 * count
    front = struct.pack(order + "H", len(kept)) + b"".join(kept) + data[end : end + 4]
    return exif[:begin] + data[:first] + front.ljust(end + 4 - first, b"\0") + data[end + 4 :]
