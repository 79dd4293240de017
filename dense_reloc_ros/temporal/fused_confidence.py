"""How sure a pose is that the frame before foretold."""

from __future__ import annotations

from scipy.special import expit, logit

LARGEST = 0.999
"""What a frame before is worth at most, set by hand: cameras are carried off, videos are cut."""
SMALLEST = 1e-6


def confidence_after(previous: float, image: float) -> float:
    """The probability that a pose is right that lies where the frame before lets expect it.

    That frame and the image are two witnesses, and the odds that they give multiply: the weights of
    the confidence were fitted where right and wrong poses are about as many, so that the image's
    odds are what it has to say. Without anything to say (0.5) it leaves what was known before.

    Args:
        previous: the probability that the pose of the frame before is right.
        image: that of this pose, by the map and the image alone.
    """
    known = min(max(previous, SMALLEST), LARGEST)
    return float(expit(logit(known) + logit(min(max(image, SMALLEST), 1 - SMALLEST))))
