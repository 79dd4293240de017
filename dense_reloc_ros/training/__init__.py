"""Learning the dense features: data, losses and the loop that `dense-reloc train` runs."""
