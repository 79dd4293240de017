"""The three tasks of finding a point in another image (thesis 5.3.1)."""

from __future__ import annotations

from enum import IntEnum


class Task(IntEnum):
    """What has to be done for a point; known of training pairs, never to the network."""

    UNKNOWN = -1
    """Inside of the image, but its depth there does not tell whether the point is seen."""
    IDENTIFY = 0
    """It is visible."""
    INPAINT = 1
    """Something hides it."""
    OUTPAINT = 2
    """It lies outside of the image."""


TASKS = (Task.IDENTIFY, Task.INPAINT, Task.OUTPAINT)
