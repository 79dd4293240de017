"""Image pairs with known correspondences, from many kinds of data, all as the same record."""
