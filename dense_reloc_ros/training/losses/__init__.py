"""The losses of the papers, each on the features of a batch of image pairs."""
