"""How a WebP file was encoded: whether without loss, else how finely (RFC 6386, chapters 7, 9 and 19.2)."""

import math
from collections.abc import Iterator

_FINEST = 100


def lossless(data: bytes) -> bool:
    return any(name == b"VP8L" for name, _, _ in _chunks(data))


def quality(data: bytes) -> int:
    """The quality, 1 to 100, at which libwebp quantises no part more coarsely than this lossy file; 100 if unknown."""
    for name, start, length in _chunks(data):
        if name == b"VP8 ":
            frame = data[start : start + length]
            return _of_index(_index(frame)) if frame[3:6] == b"\x9d\x01\x2a" else _FINEST
    return _FINEST


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of the chunks up to the first picture."""
    place = 12
    while place + 8 <= len(data):
        name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        yield name, place + 8, length
        if name in (b"VP8L", b"VP8 "):
            return
        place += 24 if name == b"ANMF" else 8 + length + length % 2


def _of_index(index: int) -> int:
    """The inverse of what libwebp does with a quality (QualityToCompression and VP8SetSegmentParams)."""
    share = (1 - min(127, max(0, index)) / 127) ** 3
    return max(1, min(_FINEST, math.ceil(100 * ((share + 1) / 2 if share >= 0.5 else 1.5 * share))))


def _index(frame: bytes) -> int:
    """The least quantiser index of the segments of a key frame, 0 (the finest) to 127."""
    bits = _Bits(frame[10:])
    bits.take(2)
    changes: list[int] = []
    absolute = 0
    if bits.take(1):
        with_map, with_values = bits.take(1), bits.take(1)
        if with_values:
            absolute = bits.take(1)
            changes = [bits.signed(7) for _ in range(4)]
            for _ in range(4):
                bits.signed(6)
        if with_map:
            for _ in range(3):
                if bits.take(1):
                    bits.take(8)
    bits.take(10)
    if bits.take(1) and bits.take(1):
        for _ in range(8):
            bits.signed(6)
    bits.take(2)
    base = bits.take(7)
    return min((change if absolute else base + change for change in changes), default=base)


class _Bits:
    """The decoder of booleans of chapter 7, for those that are as often true as false."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2].ljust(2, b"\0"), "big")
        self._place, self._range, self._shifts = 2, 255, 0

    def take(self, count: int) -> int:
        number = 0
        for _ in range(count):
            number = number << 1 | self._bit()
        return number

    def signed(self, count: int) -> int:
        """A number that is there only if a flag says so, with its sign behind it."""
        if not self._bit():
            return 0
        size = self.take(count)
        return -size if self._bit() else size

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifts += 1
            if self._shifts == 8:
                self._shifts = 0
                self._value |= self._data[self._place] if self._place < len(self._data) else 0
                self._place += 1
        return bit
