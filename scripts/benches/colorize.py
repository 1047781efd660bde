"""Colorizing 24 megapixels: painting beside bilinear chroma and OpenCV's Lab, and the whole command with its memory.

scripts/bench colorize [--command] [--saturation S ...]. Each row is measured in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from translate import images
from translate.colour.painting import light_of, paint

HEIGHT, WIDTH = 4000, 6000
SMALL = 256, 384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saturation", type=float, nargs="+", default=[1.0, 1.5, 2.5])
    parser.add_argument("--command", action="store_true", help="the whole command on a JPEG of 24 megapixels")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        measure(given.row[0], float(given.row[1]))
        return
    if given.command:
        whole_command()
        return
    print(
        f"{'':<10}{'saturation':>10}{'wall s':>9}{'processor s':>13}{'MiB beyond':>12}{'worst dL*':>11}{'mean dL*':>10}"
    )
    for saturation in given.saturation:
        for way in WAYS:
            subprocess.run([sys.executable, __file__, "--row", way, str(saturation)], check=True)


def plainly(pixels: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """As scripts do it: chroma enlarged bilinearly, joined with L, converted by OpenCV, which clips."""
    lab = np.empty((*pixels.shape[:2], 3), np.float32)
    lab[..., 0] = light_of(pixels)
    lab[..., 1:] = cv2.resize(chroma, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).clip(0, 1) * 255).astype(np.uint8)


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"paint": paint, "plainly": plainly}


def measure(way: str, saturation: float) -> None:
    pixels = picture()
    y, x = np.mgrid[: SMALL[0], : SMALL[1]].astype(np.float32)
    chroma = np.stack([20 * np.sin(x / 40) + 5, 25 * np.cos(y / 30) + 5], -1) * np.float32(saturation)
    WAYS[way](pixels[:100], chroma)  # tables, libraries
    before = resident()
    began, spent = time.perf_counter(), time.process_time()
    made = WAYS[way](pixels, chroma)
    wall, processor = time.perf_counter() - began, time.process_time() - spent
    beyond = (peak() - before - made.nbytes) / 2**20
    errors = [
        np.abs(light_of(made[row : row + 200]) - light_of(pixels[row : row + 200])) for row in range(0, HEIGHT, 200)
    ]
    worst, mean = max(float(each.max()) for each in errors), float(np.mean([each.mean() for each in errors]))
    print(
        f"{way:<10}{saturation:>10.1f}{wall:>9.2f}{processor:>13.2f}{beyond:>12.0f}{worst:>11.2f}{mean:>10.3f}",
        flush=True,
    )


def whole_command() -> None:
    """`translate colorize` and `translate convert identity` on the same JPEG: seconds, and the most memory held."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        images.write(folder / "in" / "large.jpg", images.Picture(picture()))
        for label, words in (
            ("convert identity", ["convert", "identity", str(folder / "in"), str(folder / "copy")]),
            ("colorize", ["colorize", str(folder / "in"), str(folder / "out")]),
        ):
            began = time.perf_counter()
            program = [sys.executable, "-c", _CHILD, *words]
            done = subprocess.run(program, capture_output=True, text=True, check=True)
            mebibytes = int(done.stdout.split()[-1]) / 1024
            print(f"{label:<18}{time.perf_counter() - began:6.1f} s {mebibytes:8.0f} MiB at most")
        size = images.size(folder / "out" / "large.jpg")
        print(f"in {WIDTH} x {HEIGHT}, out {size[1]} x {size[0]}; decoded {picture().nbytes / 2**20:.0f} MiB")


_CHILD = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "translate", *sys.argv[1:]], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def picture() -> np.ndarray:
    """Grey blobs with hard edges, (4000, 6000, 1) of uint8; made in bands, so that making it sets no peak of memory."""
    pixels = np.empty((HEIGHT, WIDTH, 1), np.uint8)
    small = np.random.default_rng(0).random((41, 61), np.float32)
    for first in range(0, HEIGHT, 100):
        band = cv2.resize(small[first // 100 : first // 100 + 2], (WIDTH, 100), interpolation=cv2.INTER_LINEAR)
        band[:, ::1500] *= 0.5
        pixels[first : first + 100] = np.rint(band * 255)[..., None]
    return pixels


def resident() -> int:
    """Bytes that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """Bytes; the most that the process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
