"""NeurHal: where a keyframe's points lie in an image, seen, hidden or outside of it (thesis 5)."""
