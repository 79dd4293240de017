"""Dense features of images: named levels with their stride, and a global descriptor."""
