"""Which recording belongs to which clip, and where it lies to the sample."""
