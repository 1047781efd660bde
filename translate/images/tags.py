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
LONGEST = 8 + 20 * _MOST_TAGS  # bytes of a directory, without what its tags point to


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


def directory(data: bytes, start: Head, offset: int, depth: int = 0, room: list[int] | None = None) -> Directory:
    """The tags of the directory at `offset`.

    A tag that points out of `data` is left out. Raises struct.error if the directory itself does, ValueError if the
    tags and those below them hold more than `data` does: they lie over each other to fill the memory.
    """
    order, big, _ = start
    count, place, _ = _extent(data, start, offset)
    width = 20 if big else 12
    room = [len(data)] if room is None else room
    found: Directory = {}
    for index in range(min(count, _MOST_TAGS)):
        entry = place + index * width
        number, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        length, where = SIZES.get(kind, 0) * values, entry + (12 if big else 8)
        if length > (8 if big else 4):
            where = struct.unpack_from(order + ("Q" if big else "I"), data, where)[0]
        if not length or where + length > len(data) or number in found:
            continue
        room[0] -= length
        if room[0] < 0:
            raise ValueError("its tags lie over each other")
        tag = Tag(kind, data[where : where + length], where)
        if number in (EXIF, GPS, INTEROP) and depth < 2:
            tag = _pointing(data, start, tag, depth, room)
        found[number] = tag
    return found


def inline(data: bytes, start: Head) -> dict[int, int]:
    """The tags of one whole number in the directory that `data` begins with; raises struct.error as `directory`."""
    order, big, _ = start
    count, place, _ = _extent(data, start, 0)
    width, room = (20, 8) if big else (12, 4)
    found: dict[int, int] = {}
    for entry in range(place, place + min(count, _MOST_TAGS) * width, width):
        number, kind, values = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        letter = LETTERS.get(kind, "f")
        if values == 1 and letter not in "fd" and SIZES[kind] <= room:
            found.setdefault(number, struct.unpack_from(order + letter, data, entry + width - room)[0])
    return found


def following(data: bytes, start: Head, offset: int) -> int:
    """Where the directory after the one at `offset` lies, 0 if there is none; raises struct.error as `directory`."""
    after = _extent(data, start, offset)[2]
    return (
        struct.unpack_from(start.order + ("Q" if start.big else "I"), data, after)[0] if after + 4 <= len(data) else 0
    )


def _extent(data: bytes, start: Head, offset: int) -> tuple[int, int, int]:
    """How many tags the directory at `offset` has, where the first lies, and where they end."""
    order, big, _ = start
    count = struct.unpack_from(order + ("Q" if big else "H"), data, offset)[0]
    place = offset + (8 if big else 2)
    return count, place, place + count * (20 if big else 12)


def _pointing(data: bytes, start: Head, tag: Tag, depth: int, room: list[int]) -> Tag:
    try:
        below = directory(data, start, numbers(tag, start.order)[0], depth + 1, room)
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
    entries, far = [struct.pack(order + "H", len(found))], bytearray()
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
    return b"".join([*entries, bytes(4), far])


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
        return directory(data, start, start.first), start
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


def without_thumbnail(exif: bytes) -> bytes:
    """The same block without the small picture of what the large one was; again nothing moves, its bytes become 0."""
    begin = 6 if exif.startswith(b"Exif\0\0") else 0
    data, found = exif[begin:], unblock(exif)
    if not found or found[1].big:
        return exif
    start, new = found[1], bytearray(data)
    end, kept = _extent(data, start, start.first)[2], _kept(found[0], data, start)
    place = _next(data, start, start.first)
    for _ in range(8):
        if not place:
            break
        for first, length in _previews(data, start, place):
            new[first : first + length] = bytes(len(data[first : first + length]))
        place = _next(data, start, place)
    new[end : end + 4] = bytes(len(data[end : end + 4]))
    for first, length in kept:  # a broken block could say that the small picture lies over something else
        new[first : first + length] = data[first : first + length]
    return exif[:begin] + bytes(new)


def _next(data: bytes, start: Head, offset: int) -> int:
    try:
        return following(data, start, offset)
    except struct.error:
        return 0


def _previews(data: bytes, start: Head, offset: int) -> list[tuple[int, int]]:
    """Where the pictures of a directory lie, and their lengths."""
    try:
        found = directory(data, start, offset)
    except (struct.error, ValueError):
        return []
    pairs = [(513, 514), (273, 279)]
    values = [[numbers(found.get(number), start.order) for number in pair] for pair in pairs]
    return [each for places, lengths in values for each in zip(places, lengths, strict=False)]


def _kept(found: Directory, data: bytes, start: Head, offset: int | None = None) -> list[tuple[int, int]]:
    """Where a directory lies and all that it points to, with the lengths."""
    first = start.first if offset is None else offset
    places = [(0, 8), (first, _extent(data, start, first)[2] - first)]
    for tag in found.values():
        places.append((tag.place, len(tag.data)))
        if tag.below:
            places += _kept(tag.below, data, start, numbers(tag, start.order)[0])
    return places


def with_sides_swapped(exif: bytes) -> bytes:
    """The same block for a picture that was turned by a quarter: the width that it says is the height."""
    found = unblock(exif)
    below = (found[0][EXIF].below or {}) if found and EXIF in found[0] else {}
    sides = [below[number] for number in (0xA002, 0xA003) if number in below and len(below[number].data) <= 4]
    if len(sides) < 2 or not found or found[1].big:
        return exif
    # Type, count and value of an entry; a value of at most four bytes lies in it.
    begin = 6 if exif.startswith(b"Exif\0\0") else 0
    one, other = (slice(begin + tag.place - 6, begin + tag.place + 4) for tag in sides)
    new = bytearray(exif)
    new[one], new[other] = exif[other], exif[one]
    return bytes(new)


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
