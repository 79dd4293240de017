"""Localizes videos: the previous frame's correlation mixed in, and a filter over the poses."""
