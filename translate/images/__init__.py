"""Files to arrays to tensors and back: the only place that knows depths, EXIF, colour profiles, alpha, colour order.

Everywhere else an image is float (C, H, W) in [-1, 1], in sRGB. A file of 16 bits stays 16 bits; a file that is cut off
is an error. Damage in the middle is one only where the format can tell: a JPEG whose middle is missing but whose end is
there, or a flipped bit in most formats, decodes to wrong pixels, and no decoder that is used here says so. What comes
with the pixels is carried as far as the format that is written holds it (`lost` says what it does not), and a picture
that is not changed is written as it was in a format without loss. Pillow decodes what has 8 bits, because it is strict;
OpenCV decodes PNGs of 16 bits, which Pillow would cut down to 8, and TIFFs of 16 bits and floats are put together from
their tags.
"""

from translate.images.arrays import fill, resize, to_array, to_depth, to_tensor
from translate.images.batches import from_batch, match_channels, to_batch
from translate.images.colour import from_model, to_model
from translate.images.formats import FORMATS, SUFFIXES, suffix_of
from translate.images.listing import list_images, matches, walk_images
from translate.images.picture import MOST_CHANNELS, MOST_PIXELS, Picture
from translate.images.reading import channels, from_pil, read, read_pixels, size
from translate.images.scaling import scaled
from translate.images.signature import signature, signed
from translate.images.writing import encode, lost, to_pil, write

__all__ = [
    "FORMATS",
    "MOST_CHANNELS",
    "MOST_PIXELS",
    "SUFFIXES",
    "Picture",
    "channels",
    "encode",
    "fill",
    "from_batch",
    "from_model",
    "from_pil",
    "list_images",
    "lost",
    "match_channels",
    "matches",
    "read",
    "read_pixels",
    "resize",
    "scaled",
    "signature",
    "signed",
    "size",
    "suffix_of",
    "to_array",
    "to_batch",
    "to_depth",
    "to_model",
    "to_pil",
    "to_tensor",
    "walk_images",
    "write",
]
