"""Where people speak: a voice activity network."""
