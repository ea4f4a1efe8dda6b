"""Effects: learnt from pairs of pictures or built in, applied frame-exact and colour-exact."""
