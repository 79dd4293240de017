"""RVL, the lossless code of depth images in compressed_depth_image_transport (Wilson 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError

LARGEST_DEPTH = 2**16 - 1
MORE_FOLLOW = 8
"""The highest bit of a nibble."""


def decode_rvl(data: NDArray[np.uint8], pixels: int) -> NDArray[np.uint16]:
    """The depths (pixels,) in the bytes of an RVL stream, in the unit that they were stored in.

    The stream is a sequence of runs: how many zeros, how many other values, and the differences of
    these to the value before. All are numbers of 3 bits a nibble, the lowest first; the highest bit
    of a nibble says that more follow.

    Raises:
        InputError: a stream that ends early or does not fill the image exactly.
    """
    values = _numbers(data)
    depth = np.zeros(pixels, dtype=np.int32)
    filled, at, last = 0, 0, 0
    while filled < pixels:
        if at + 2 > len(values):
            raise InputError(f"the RVL stream ends after {filled} of {pixels} pixels")
        zeros, others = int(values[at]), int(values[at + 1])
        at += 2
        begin, end = filled + zeros, filled + zeros + others
        if min(zeros, others) < 0 or end > pixels or at + others > len(values) or end == filled:
            raise InputError(f"the RVL stream does not fit an image of {pixels} pixels")
        steps = values[at : at + others]
        # Signs are in the lowest bit: 0, -1, 1, -2, 2, ...
        run = last + np.cumsum((steps >> 1) ^ -(steps & 1))
        if len(run) and (run.min() < 0 or run.max() > LARGEST_DEPTH):
            raise InputError("the RVL stream has depths that do not fit into 16 bits")
        depth[begin:end] = run
        last = int(run[-1]) if len(run) else last
        at, filled = at + others, end
    return depth.astype(np.uint16)


def _numbers(data: NDArray[np.uint8]) -> NDArray[np.int64]:
    """All numbers of the stream, one for each nibble without its highest bit."""
    words = np.frombuffer(data[: len(data) // 4 * 4].tobytes(), dtype="<u4")
    shifts = np.arange(28, -1, -4, dtype=np.uint32)
    nibbles = ((words[:, None] >> shifts) & 0xF).ravel().astype(np.int64)
    ends = np.flatnonzero(nibbles < MORE_FOLLOW)
    nibbles = nibbles[: ends[-1] + 1] if len(ends) else nibbles[:0]
    begins = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    places = np.arange(len(nibbles)) - np.repeat(begins, np.diff([*begins, len(nibbles)]))
    parts = (nibbles & 7) << np.minimum(3 * places, 60)
    return np.add.reduceat(parts, begins) if len(begins) else parts
