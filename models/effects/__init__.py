"""Networks that are effects: learnt from pairs of pictures, and those that come with fxd."""
