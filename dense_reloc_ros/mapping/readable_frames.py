"""Which frames of a recording are whole: one file that is cut short costs its frame alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.sieve import Sieve


def readable_frames(
    frames: Sequence[SourceFrame], source: str, with_depth: bool, progress: Progress = silent
) -> list[SourceFrame]:
    """The frames whose image and, `with_depth`, depth can be read; a warning names the others.

    Args:
        frames: each is read once.
        source: what they are from, for people.
        with_depth: whether each must have depth.
        progress: shows how far it is.

    Raises:
        InputError: half of the frames or more cannot be used; says what is wrong with the first.
    """

    def read(frame: SourceFrame) -> SourceFrame:
        frame.load_image()
        if with_depth:
            frame.known_depth()
        return frame

    sieve = Sieve(source, "frames")
    taken = [sieve.take("", partial(read, frame)) for frame in progress(frames, "reading frames")]
    sieve.close()
    return [frame for frame in taken if frame is not None]
