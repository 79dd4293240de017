"""Stamps are whole nanoseconds since the epoch, as in ROS: seconds as floats lose digits."""

NANOSECONDS = 1_000_000_000
"""In a second."""
