"""The preloaded map: keyframes, points, descriptors; how it is built, stored and read."""
