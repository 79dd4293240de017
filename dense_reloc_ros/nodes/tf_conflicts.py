"""Whether somebody else says on TF where the frame is that this node places in the map."""

from __future__ import annotations

import time
from collections import deque

REMEMBERED = 500
"""Of what was said last: at 200 Hz two seconds, longer than a message is on its way."""
LASTING_SECONDS = 5.0
"""After which a conflict that is not seen any more is over."""


class TfConflicts:
    """Compares what is heard on /tf with what this node has said itself.

    Safe to use from several threads: one says, another one hears.
    """

    def __init__(self) -> None:
        self._said: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)
        self._parents: dict[str, str] = {}
        self._last = (0.0, "")

    def say(self, parent: str, child: str, stamp: int) -> None:
        """Takes note of a transform that this node is about to publish."""
        self._parents[child] = parent
        self._said.append((child, stamp))

    def hear(self, parent: str, child: str, stamp: int) -> None:
        """Takes note of a transform that somebody has published."""
        own_parent = self._parents.get(child)
        if own_parent is None or (child, stamp) in self._said:
            return
        if parent == own_parent:
            problem = (
                f"another node publishes '{parent}' -> '{child}', too: stop it, or set publish_tf "
                "to false here"
            )
        else:
            problem = (
                f"another node says that the parent of '{child}' is '{parent}', not "
                f"'{own_parent}': a frame has one parent; set odom_frame to the root of the "
                "odometry's tree, or stop that node"
            )
        self._last = (time.monotonic(), problem)

    @property
    def problem(self) -> str:
        """What others said in the last seconds that contradicts this node; empty if nothing."""
        seen, problem = self._last
        return problem if time.monotonic() - seen < LASTING_SECONDS else ""
