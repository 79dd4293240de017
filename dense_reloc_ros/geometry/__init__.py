"""Cameras, rigid motions and projection, used by all other folders."""
