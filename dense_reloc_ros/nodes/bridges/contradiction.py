"""Whether another localizer is lost: it contradicts what is seen, frame after frame."""

from __future__ import annotations

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import pose_error


class Contradiction:
    """Says once that the other one is lost, and not again before it has agreed."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._is_said = False

    def is_to_be_said(
        self,
        T_map_base: FloatArray,
        believed: FloatArray | None,
        largest_distance: float,
        largest_angle: float,
        frames: int,
    ) -> bool:
        """Takes the pose (4, 4) of a frame and the one that the other believes, None for none.

        Metres, radians, and how many frames in a row must contradict it.
        """
        if believed is not None:
            error = pose_error(T_map_base, believed)
            if error.translation <= largest_distance and error.rotation <= largest_angle:
                self._in_a_row, self._is_said = 0, False
                return False
        self._in_a_row += 1
        return self._in_a_row >= frames and not self._is_said

    def said(self) -> None:
        """It was said."""
        self._is_said = True
