"""A picture in another size, with what it says of its size."""

from dataclasses import replace

import numpy as np

from translate.images import tags
from translate.images.arrays import resize
from translate.images.colour import covered
from translate.images.picture import Picture, hidden

_SIDES = {256: 1, 257: 0, 0xA002: 1, 0xA003: 0}  # tags of EXIF, and which of (height, width) each says


def scaled(picture: Picture, height: int, width: int) -> Picture:
    """`picture` in that size: by area the side that shrinks, bicubic the side that grows, alpha too.

    EXIF says the new size where it said the old one. The very picture if it has that size already. What alpha hides
    takes the colour of its nearest visible neighbour, so that none of it shows at an edge.
    """
    if picture.pixels.shape[:2] == (height, width):
        return picture
    pixels, alpha = picture.pixels, picture.alpha
    if alpha is not None:
        pixels = covered(pixels, hidden(alpha))
        alpha = resize(alpha[..., None], height, width)[..., 0]
    exif = picture.exif and with_sides(picture.exif, height, width)
    pixels = np.ascontiguousarray(resize(pixels, height, width))
    return replace(picture, pixels=pixels, alpha=alpha, exif=exif, stored=None)


def with_sides(exif: bytes, height: int, width: int) -> bytes:
    """The same block for a picture of that size; nothing moves, and a side that it does not say it does not say now."""
    found = tags.unblock(exif)
    if not found:
        return exif
    directory, start = found
    below = directory[tags.EXIF].below if tags.EXIF in directory else None
    begin, new = 6 if exif.startswith(b"Exif\0\0") else 0, bytearray(exif)
    for number, tag in [*directory.items(), *(below or {}).items()]:
        if number not in _SIDES or tag.kind not in (3, 4) or len(tag.data) != tags.SIZES[tag.kind]:
            continue
        value = (height, width)[_SIDES[number]]
        if tag.kind == 3 and value > 0xFFFF:
            continue
        place = begin + tag.place
        new[place : place + len(tag.data)] = tags.make(start.order, tag.kind, value).data
    return bytes(new)
