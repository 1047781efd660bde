"""Files to arrays to tensors and back: the only place that knows depths, EXIF, colour profiles, alpha, colour order.

Everywhere else an image is float (C, H, W) in [-1, 1]. A file of 16 bits stays 16 bits; a truncated file is an error,
never an image with a grey foot. Pillow decodes what has 8 bits, because it is strict and knows orientation, palettes
and profiles; OpenCV decodes colour of 16 bits, which Pillow would cut down to 8.
"""

from translate.images.arrays import fill, resize, to_array, to_depth, to_tensor
from translate.images.formats import SUFFIXES, list_images
from translate.images.picture import MOST_CHANNELS, Picture
from translate.images.reading import channels, from_pil, read, size
from translate.images.writing import to_pil, write

__all__ = [
    "MOST_CHANNELS",
    "SUFFIXES",
    "Picture",
    "channels",
    "fill",
    "from_pil",
    "list_images",
    "read",
    "resize",
    "size",
    "to_array",
    "to_depth",
    "to_pil",
    "to_tensor",
    "write",
]
