"""Whether images, poses and depth of a recording belong together, before a map is made of them."""
