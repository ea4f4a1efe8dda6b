"""Pages to look at: one for a clip, one for a day."""
