"""The day handler: what one shooting day's clips and recordings add up to."""
