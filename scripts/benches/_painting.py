"""Seconds and memory of painting 24 megapixels: a fresh process, colours of 256 x 384, two saturations.

python scripts/benches/_painting.py [uint8|uint16|float32] [1|3 channels]
"""

import resource
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from translate.colour.painting import paint

HEIGHT, WIDTH = 4000, 6000


def main() -> None:
    dtype = np.dtype(sys.argv[1] if len(sys.argv) > 1 else "uint8")
    channels = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    pixels = picture(dtype, channels)
    y, x = np.mgrid[:256, :384].astype(np.float32)
    chroma = np.stack([20 * np.sin(x / 40) + 5, 25 * np.cos(y / 30) + 5], -1)
    paint(pixels[:100], chroma)  # tables, libraries
    print(f"{dtype}, {channels} channels")
    for saturation in (1, 2.5):
        given = chroma * np.float32(saturation)
        before = resident()
        began, spent = time.perf_counter(), time.process_time()
        painted = paint(pixels, given)
        wall, processor = time.perf_counter() - began, time.process_time() - spent
        extra = (peak() - before - painted.nbytes) / 2**20
        print(f"saturation {saturation}: {wall:.2f} s, {processor:.2f} s of processor, {extra:+.0f} MiB beyond output")
        del painted


def picture(dtype: np.dtype, channels: int) -> np.ndarray:
    """Blobs with hard edges; made in bands, so that making it does not set the peak of memory."""
    pixels = np.empty((HEIGHT, WIDTH, channels), dtype)
    small = np.random.default_rng(0).random((41, 61), np.float32)
    for first in range(0, HEIGHT, 100):
        row = first // 100
        band = cv2.resize(small[row : row + 2], (WIDTH, 100), interpolation=cv2.INTER_LINEAR)
        band[:, ::1500] *= 0.5
        if dtype.kind == "u":
            band = np.rint(band * np.iinfo(dtype).max)
        else:
            band = band * 2 - 1
        pixels[first : first + 100] = band[..., None]
    return pixels


def resident() -> int:
    """Bytes that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """Bytes; the most that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
