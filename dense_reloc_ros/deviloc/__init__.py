"""DeViLoc's networks and geometry: points for pixels that have none, joined over references."""
