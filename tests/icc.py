"""ICC profiles for tests, made from numbers."""

import struct
from collections.abc import Callable

import numpy as np

# Columns in XYZ at D50, by Bradford's adaptation of the published primaries (Lindbloom's tables).
PRIMARIES = {
    "srgb": [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]],
    "p3": [[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]],
    "adobe": [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]],
    "prophoto": [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857], [0.0, 0.0, 0.8252100]],
}
SRGB_CURVE = (3, [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def curve(what: object) -> bytes:
    """curv from a number (a gamma), an array (a table) or None (a line), para from (kind, parameters)."""
    if what is None:
        return b"curv" + bytes(4) + struct.pack(">I", 0)
    if isinstance(what, tuple):
        return b"para" + bytes(4) + struct.pack(">HH", what[0], 0) + fixed(*what[1])
    if isinstance(what, np.ndarray):
        points = np.rint(what * 65535).astype(">u2")
        return b"curv" + bytes(4) + struct.pack(">I", len(points)) + points.tobytes()
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(float(str(what)) * 256))


def profile(space: str, what: object, version: int = 4) -> bytes:
    """The smallest ICC profile of matrix and curve, or of a curve for "grey"."""
    if space == "grey":
        bodies = {b"kTRC": curve(what), b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249)}
    else:
        columns = np.array(PRIMARIES[space]).T
        bodies = {name: b"XYZ " + bytes(4) + fixed(*column) for name, column in zip(
            (b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}  # fmt: skip
        bodies |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(what))
    return _whole(b"GRAY" if space == "grey" else b"RGB ", bodies, b"XYZ ", version)


def _whole(kind: bytes, bodies: dict[bytes, bytes], connection: bytes, version: int) -> bytes:
    directory, body = b"", b""
    for name, data in bodies.items():
        directory += name + struct.pack(">II", 132 + 12 * len(bodies) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 132 + len(directory) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"none", version << 24, b"mntr", kind, connection)
    head = head.ljust(36, b"\0") + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(bodies)) + directory + body


GAMMAS = {"p3": SRGB_CURVE, "adobe": 563 / 256, "prophoto": 1.8}
WIDE = {name: profile(name, gamma) for name, gamma in GAMMAS.items()}


def table(space: bytes, colour: Callable[[np.ndarray], np.ndarray], back: bool = False) -> bytes:
    """A profile of a table with two steps an axis: `colour` gives Lab (N, 3) of inks or lights (N, C) in [0, 1].

    With `back` there is a (useless, but valid) table for the way back too.
    """
    count = 4 if space == b"CMYK" else 3
    nodes = np.stack(np.meshgrid(*[[0.0, 1.0]] * count, indexing="ij"), axis=-1).reshape(-1, count)
    lab = colour(nodes)
    values = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], axis=1)
    bodies = {b"A2B0": _lut(count, 3, values)}
    if back:
        bodies[b"B2A0"] = _lut(3, count, np.full((8, count), 128.0))
    return _whole(space, bodies, b"Lab ", 2)


def ink(nodes: np.ndarray) -> np.ndarray:
    """Grey inks: the more of any, the darker, on the way from white to black."""
    light = (1 - nodes[:, :3].mean(axis=1)) * (1 - nodes[:, 3])
    return np.stack([100 * light, 0 * light, 0 * light], axis=1)


def _lut(inputs: int, outputs: int, values: np.ndarray) -> bytes:
    line = np.arange(256, dtype=np.uint8).tobytes()
    head = b"mft1" + bytes(4) + bytes([inputs, outputs, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return head + line * inputs + np.rint(values).clip(0, 255).astype(np.uint8).tobytes() + line * outputs
