"""Stamps are whole nanoseconds since the epoch, as in ROS: seconds as floats lose digits."""

NANOSECONDS = 1_000_000_000
"""In a second."""
JUMP_NANOSECONDS = NANOSECONDS
"""What is older than the newest by more than this tells that time was set back."""


def stamp_or(stamp: int, arrival: int) -> int:
    """A stamp, or the time of arrival (in a bag: of recording) where it is 0.

    0 is no time but unset, as drivers leave it that do not stamp their messages.
    """
    return stamp or arrival
