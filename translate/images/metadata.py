"""What comes with the pixels in a file: found, and made to say that the picture is upright."""

import re
import struct
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin

from translate.images import png, tags, tiff, webp

_PHOTOSHOP = b"Photoshop 3.0\0"
_LONG_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>))([1-8])")

_PRIMARIES = {9: "BT.2020", 11: "DCI P3", 12: "Display P3"}
_CURVES = {8: "linear light", 16: "PQ", 18: "HLG"}

Fields = dict[str, Any]


def carried(image: Image.Image, data: bytes) -> Fields:
    """Fields of a Picture for an opened file of Pillow's; orientation not yet applied. `data` may lack pixels."""
    info = image.info
    found: Fields = {
        "profile": info.get("icc_profile") or None,
        "exif": prefixed(info.get("exif")),
        "xmp": _bytes(info.get("xmp")),
        "comment": _bytes(info.get("comment")),
    }
    if image.format in ("JPEG", "MPO"):
        found |= _of_jpeg(image)
    elif image.format == "PNG":
        single, chunks = png.carried(data)
        found |= {"exif": prefixed(single.get(b"eXIf")), "xmp": single.get(b"iTXt") or None, "chunks": chunks}
        if not data:  # no file, only what Pillow made of one
            found |= {"exif": prefixed(info.get("exif")), "xmp": _bytes(info.get("xmp"))}
        if data:
            found["profile"], trouble = png.profile(data)
            found["notes"] = (trouble,) if trouble else ()
        found["dpi"] = info.get("dpi")
    elif image.format == "WEBP":
        found["lossless"], found["quality"] = webp.lossless(data), webp.quality(data)
    elif image.format == "BMP":
        found["dpi"] = info.get("dpi")
    elif image.format == "AVIF":
        found["subsampling"] = _avif_subsampling(data)
        found["notes"] = () if found["profile"] else _avif_colours(data)
    return found


def of_tiff(file: tiff.Layout) -> Fields:
    """Fields of a Picture for a TIFF file; its tags as an EXIF block."""
    order, found = file.start.order, file.found
    kept = {number: tag for number, tag in found.items() if number not in tiff.STRUCTURE}
    unit = {2: 1.0, 3: 2.54}.get((file.values(296, (2,)))[0], 0.0)
    dpi = tuple(tags.fraction(found.get(number), order) * unit for number in (282, 283))
    return {
        "profile": _data(found, tags.PROFILE),
        "exif": tags.block(kept, order) if kept else None,
        "xmp": _data(found, tags.XMP),
        "photoshop": _data(found, tags.PHOTOSHOP),
        "dpi": dpi if all(dpi) else None,
        "packed": file.compression != 1,
    }


def orientation(found: Fields) -> int:
    """What EXIF says, or XMP where it says nothing."""
    block = tags.unblock(found.get("exif"))
    if block and tags.ORIENTATION in block[0]:
        return tags.orientation(found["exif"])
    match = _XMP_ORIENTATION.search(found.get("xmp") or b"")
    return int(match[2]) if match else 1


def tiff_orientation(file: tiff.Layout) -> int:
    """The same for a TIFF file."""
    return file.orientation if tags.ORIENTATION in file.found else orientation({"xmp": _data(file.found, tags.XMP)})


def upright(found: Fields, turned: bool) -> Fields:
    """The same fields, saying that nothing remains to be turned; `turned` if height and width have changed places.

    The thumbnail goes: it would show what the picture was before it was translated.
    """
    done = dict(found)
    if found.get("exif"):
        exif = tags.without_thumbnail(tags.without_orientation(found["exif"]))
        done["exif"] = tags.with_sides_swapped(exif) if turned else exif
    if turned:
        rows = [np.reshape(table, (8, 8)) for table in found.get("tables", ())]
        done["tables"] = tuple(tuple(int(value) for value in table.T.ravel()) for table in rows)
        done["subsampling"] = 0 if found.get("subsampling") == 1 else found.get("subsampling", -1)
    if found.get("xmp"):
        done["xmp"] = _XMP_ORIENTATION.sub(rb"\g<1>1", found["xmp"])
    return done


def prefixed(exif: object) -> bytes | None:
    """An EXIF block with the six bytes that only some formats have before it."""
    if not isinstance(exif, bytes) or not exif:
        return None
    return exif if exif.startswith(b"Exif\0\0") else b"Exif\0\0" + exif


def _of_jpeg(image: Image.Image) -> Fields:
    found: Fields = {}
    segments = getattr(image, "applist", [])
    resources = [body[len(_PHOTOSHOP) :] for name, body in segments if body.startswith(_PHOTOSHOP) and name == "APP13"]
    found["photoshop"] = b"".join(resources) or None
    found["chunks"] = tuple((b"APP1", body) for name, body in segments if name == "APP1" and body.startswith(_LONG_XMP))
    if image.info.get("jfif_unit") in (1, 2):
        found["dpi"] = image.info.get("dpi")
    tables, layers = getattr(image, "quantization", {}), getattr(image, "layer", [])
    used = [layer[3] for layer in layers[:2]]
    if used and all(number in tables for number in used):
        found["tables"] = tuple(tuple(tables[number]) for number in used)
    if len(layers) > 1 and isinstance(image, JpegImagePlugin.JpegImageFile):
        # What Pillow has no number for (4:4:0, 4:1:1) it cannot write: then all of the colour is kept.
        found["subsampling"] = max(0, JpegImagePlugin.get_sampling(image))
    found["progressive"] = bool(image.info.get("progressive"))
    return found


def avif_bits(data: bytes) -> int:
    """Bits a channel, from the codec's configuration."""
    place = data.find(b"av1C")
    flags = data[place + 6] if 0 <= place < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _avif_subsampling(data: bytes) -> int:
    place = data.find(b"av1C")
    flags = data[place + 6] if 0 <= place < len(data) - 6 else 0x0C
    return {0: 0, 0x08: 1}.get(flags & 0x0C, 2)


def _avif_colours(data: bytes) -> tuple[str, ...]:
    """A note if numbers in place of a profile (ITU-T H.273) say colours that are not those of sRGB."""
    place = data.find(b"colrnclx")
    if not 0 <= place <= len(data) - 12:
        return ()
    primaries, curve = struct.unpack_from(">HH", data, place + 8)
    names = [_PRIMARIES.get(primaries), _CURVES.get(curve)]
    said = " and ".join(name for name in names if name)
    return (f"its colours ({said}) were taken for sRGB",) if said else ()


def _data(found: tags.Directory, number: int) -> bytes | None:
    return found[number].data if number in found else None


def _bytes(value: object) -> bytes | None:
    if isinstance(value, str):
        value = value.encode()
    return value if isinstance(value, bytes) and value else None
