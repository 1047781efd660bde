"""From a picture's own colour space to what a network is to see, sRGB, and back."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms

from translate.errors import ImageError
from translate.images import profiles
from translate.images.arrays import to_depth
from translate.images.picture import Picture, hidden

_BLOCK = 1 << 16  # pixels that are converted at once: floats of a whole picture would take many times its size
_COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")

Numbers = np.ndarray


@dataclass(frozen=True)
class Transform:
    """Rows of colours (N, C): `forward` from values in [0, 1] to sRGB, unclipped, `back` to [0, 1] if it can."""

    forward: Callable[[Numbers], Numbers]
    back: Callable[[Numbers], Numbers] | None
    coarse: bool = False  # whether it works in 8 bits


def to_model(picture: Picture) -> np.ndarray:
    """(H, W, C) as a network is to see it: sRGB, or grey on the curve of sRGB.

    uint8 or uint16 as stored (the very array) if the picture is sRGB or has no profile; else float32, where 0 to 1 of
    sRGB lie in [-1, 1] and colours that sRGB does not have lie beyond. What alpha hides shows its nearest visible
    neighbour, so that a hidden colour cannot leak.
    """
    transform = _transform_of(picture)
    pixels = picture.pixels if transform is None else _seen(picture.pixels, transform)
    return pixels if picture.alpha is None else covered(pixels, hidden(picture.alpha))


def from_model(pixels: np.ndarray, picture: Picture) -> Picture:
    """`picture` with new pixels (H, W, C') of uint8, uint16 or float32 as a network gave them for `to_model(picture)`.

    They come back in the depth and the colour space of `picture`, rounded to the nearest; those that the network left
    as they were are bit for bit the stored ones, and so are those that alpha hides. Three equal channels for a grey
    picture are grey again. If the number of channels changes, the pixels are sRGB and the profile goes. Raises
    ImageError if the size is another.
    """
    old = picture.pixels
    if pixels.shape[:2] != old.shape[:2]:
        raise ImageError(f"The picture has {old.shape[:2]} rows and columns, its translation {pixels.shape[:2]}.")
    if old.shape[2] == 1 and pixels.shape[2] == 3 and _is_grey(pixels):
        pixels = pixels[..., :1]
    transform = _transform_of(picture)
    if pixels.shape[2] != old.shape[2]:
        chunks = tuple(chunk for chunk in picture.chunks if chunk[0] not in _COLOUR_CHUNKS)
        new = _in_depth(pixels, old.dtype)
        if old.shape[2] == 1 and new.shape[2] == 3 and picture.alpha is not None:
            new = np.where(hidden(picture.alpha)[..., None], old, new)
        sampling = 0 if old.shape[2] == 1 else picture.subsampling  # what was grey had its detail in every pixel
        return replace(picture, pixels=new, profile=None, chunks=chunks, subsampling=sampling)
    if transform is None:
        new = _in_depth(pixels, old.dtype)
    elif transform.back is None:
        new, picture = _in_depth(pixels, old.dtype), replace(picture, profile=None)
    else:
        new = _returned(pixels, old, transform)
    if picture.alpha is not None and (unseen := hidden(picture.alpha)).any():
        new = new.copy()
        new[unseen] = old[unseen]
    return replace(picture, pixels=np.ascontiguousarray(new))


def as_srgb(picture: Picture) -> Picture:
    """The same picture without a profile, for a format that holds none: its numbers are then those of sRGB."""
    transform = _transform_of(picture)
    if transform is None:
        return replace(picture, profile=None)
    return replace(picture, pixels=_in_depth(_seen(picture.pixels, transform), picture.pixels.dtype), profile=None)


def without_alpha(picture: Picture) -> Picture:
    """The same picture for a format that holds no alpha: what it hides shows its nearest visible neighbour."""
    if picture.alpha is None:
        return picture
    return replace(picture, pixels=covered(picture.pixels, hidden(picture.alpha)), alpha=None)


def trouble(profile: bytes, channels: int) -> str:
    """What is wrong with a profile for a picture of so many channels, "" if nothing is."""
    try:
        _transform(profile, channels)
    except (ValueError, OSError, ImageCms.PyCMSError) as error:
        return f"its colour profile is broken ({str(error).splitlines()[0]}) and was taken for sRGB"
    return ""


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str]:
    """A Pillow image in CMYK as RGB, through its profile if it has a good one, and how that was done."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
            done = ImageCms.profileToProfile(image, source, _srgb(), intent, "RGB", flags=flags)
        except (OSError, ImageCms.PyCMSError):
            return image.convert("RGB"), "CMYK became RGB without its colour profile, which is broken"
        if done is not None:
            return done, "CMYK became RGB through its colour profile"
    return image.convert("RGB"), "CMYK became RGB"


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """A Pillow image in CIELAB as RGB."""
    done = ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), _srgb(), outputMode="RGB")
    return done if done is not None else image


def _in_depth(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    given = to_depth(pixels, dtype)
    return given.clip(-1, 1) if given.dtype.kind == "f" else given


def _is_grey(pixels: np.ndarray) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def is_coarse(profile: bytes | None, channels: int) -> bool:
    """Whether colours go through that profile in 8 bits, whatever their own depth."""
    transform = _found(profile, channels)
    return transform is not None and transform.coarse


def _transform_of(picture: Picture) -> Transform | None:
    return _found(picture.profile, picture.pixels.shape[2])


def _found(profile: bytes | None, count: int) -> Transform | None:
    if not profile or count not in (1, 3):
        return None
    try:
        return _transform(profile, count)
    except (ValueError, OSError, ImageCms.PyCMSError):
        return None  # reading the file has noted it


@lru_cache(32)
def _transform(profile: bytes, count: int) -> Transform | None:
    """None if the profile is sRGB to within a step of 8 bits, by which published ones differ.

    Raises ValueError for a broken one or one of another space.
    """
    found = profiles.parse(profile)
    if found.space != "RGB" and not (found.space == "GRAY" and count == 1):
        raise ValueError(f"it is one for {found.space}")
    if count == 1:
        if not found.curves:
            raise ValueError("it has no curve for grey")
        # Equal amounts of the three colours of an RGB profile are grey: its curve alone counts.
        transform = _of_curves(found.curves[len(found.curves) // 2 :][:1], np.eye(1))
    elif found.matrix is None:
        transform = _of_tables(profile)
    else:
        transform = _of_curves(found.curves, np.linalg.inv(profiles.SRGB_TO_XYZ) @ found.matrix)
    steps = np.linspace(0, 1, 256) if count == 1 else np.linspace(0, 1, 16)
    colours = np.stack(np.meshgrid(*[steps] * count), axis=-1).reshape(-1, count)
    return None if np.abs(transform.forward(colours) - colours).max() < 1 / 255 else transform


def _of_curves(curves: tuple[profiles.Curve, ...], matrix: np.ndarray) -> Transform:
    inverse = np.linalg.inv(matrix)

    def forward(colours: Numbers) -> Numbers:
        light = np.stack([curve.forward(colours[:, index]) for index, curve in enumerate(curves)], axis=1)
        return profiles.srgb_values(light @ matrix.T.astype(light.dtype))

    def back(colours: Numbers) -> Numbers:
        light = profiles.srgb_light(colours) @ inverse.T.astype(colours.dtype)
        return np.stack([curve.inverse(light[:, index]) for index, curve in enumerate(curves)], axis=1)

    return Transform(forward, back)


def _of_tables(profile: bytes) -> Transform:
    """Through Pillow, in 8 bits: profiles of tables are rare in pictures."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        there = ImageCms.buildTransform(own, _srgb(), "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (OSError, ImageCms.PyCMSError) as error:
        raise ValueError(str(error)) from error
    try:
        here = ImageCms.buildTransform(_srgb(), own, "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)
    except (OSError, ImageCms.PyCMSError):  # a scanner's profile knows one way only
        return Transform(lambda colours: _applied(there, colours), None, True)
    return Transform(lambda colours: _applied(there, colours), lambda colours: _applied(here, colours), True)


def _applied(transform: ImageCms.ImageCmsTransform, colours: Numbers) -> Numbers:
    image = Image.fromarray(np.rint(colours.clip(0, 1) * 255).astype(np.uint8)[None])
    done = ImageCms.applyTransform(image, transform)
    return np.asarray(done if done is not None else image)[0] / 255


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _fractions(pixels: np.ndarray, exact: bool) -> Numbers:
    """Pixels of any depth from 0 to 1, as doubles if 8 bits are not all that counts (they take three times as long)."""
    values: Numbers = pixels.astype(np.float64 if exact else np.float32)
    return (values + 1) / 2 if pixels.dtype.kind == "f" else values / float(np.iinfo(pixels.dtype).max)


def _seen(pixels: np.ndarray, transform: Transform) -> np.ndarray:
    rows = pixels.reshape(-1, pixels.shape[2])
    seen, exact = np.empty(rows.shape, np.float32), pixels.dtype != np.uint8
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        seen[part] = transform.forward(_fractions(rows[part], exact)) * 2 - 1
    return seen.reshape(pixels.shape)


def _returned(pixels: np.ndarray, old: np.ndarray, transform: Transform) -> np.ndarray:
    """New pixels in the colour space and depth of `old`; where they are what was shown of `old`, `old` itself."""
    assert transform.back is not None
    count, exact = old.shape[2], old.dtype != np.uint8
    rows, stored, new = pixels.reshape(-1, count), old.reshape(-1, count), np.empty_like(old).reshape(-1, count)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        values = transform.back(_fractions(rows[part], exact))
        new[part] = to_depth(values * 2 - 1, old.dtype)
        if rows.dtype == np.float32:
            shown = (transform.forward(_fractions(stored[part], exact)) * 2 - 1).astype(np.float32)
            new[part] = np.where((shown == rows[part]).all(axis=1, keepdims=True), stored[part], new[part])
    return new.reshape(old.shape)


def covered(pixels: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Pixels with the colour of the nearest visible one where nothing can be seen; black if nothing can at all."""
    if not unseen.any():
        return pixels
    if unseen.all():
        return np.full_like(pixels, -1 if pixels.dtype.kind == "f" else 0)
    kind = cv2.DIST_LABEL_PIXEL
    _, labels = cv2.distanceTransformWithLabels(unseen.astype(np.uint8), cv2.DIST_L2, 5, labelType=kind)
    colours = np.empty((int(labels.max()) + 1, pixels.shape[2]), pixels.dtype)
    colours[labels[~unseen]] = pixels[~unseen]
    covered = pixels.copy()
    covered[unseen] = colours[labels[unseen]]
    return covered
