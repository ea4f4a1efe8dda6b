"""Where sound is speech, music or noise: a network that tells them apart."""
