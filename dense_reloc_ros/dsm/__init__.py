"""Dense scene matching: scene coordinates of every pixel, by a network that knows no scene."""
